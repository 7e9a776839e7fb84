"""The clocks, the real one and the one that tests drive."""

import random
import threading

import pytest

from streamer import ManualClock, MonotonicClock

pytestmark = pytest.mark.timeout(20)


class Sleeper(threading.Thread):
    """Waits for a time, notes the clock when it has come."""

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        super().__init__(daemon=True)
        self.clock = clock
        self.deadline_ns = clock.now_ns() + round(seconds * 1e9)
        self.condition = threading.Condition()
        self.woke_ns: int | None = None
        self.start()

    def run(self) -> None:
        with self.condition:
            while (left_ns := self.deadline_ns - self.clock.now_ns()) > 0:
                self.clock.wait(self.condition, left_ns / 1e9)
            self.woke_ns = self.clock.now_ns()


def test_time_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(now_ns=5)
    assert clock.now_ns() == clock.now_ns() == 5
    clock.advance(1.5)
    assert clock.now_ns() == 1_500_000_005


@pytest.mark.parametrize("seed", range(3))
def test_everybody_wakes_when_their_time_has_come_and_not_before(seed: int) -> None:
    rng = random.Random(seed)
    clock = ManualClock()
    sleepers = [Sleeper(clock, rng.randint(1, 50) / 10) for _ in range(12)]
    while waiting := [sleeper for sleeper in sleepers if sleeper.woke_ns is None]:
        assert clock.wait_for_sleepers(len(waiting))
        clock.advance(0.1)
        for sleeper in sleepers:
            if sleeper.deadline_ns <= clock.now_ns():
                sleeper.join(5)
                assert not sleeper.is_alive()
    for sleeper in sleepers:
        assert sleeper.woke_ns is not None
        assert 0 <= sleeper.woke_ns - sleeper.deadline_ns < 100_000_000


def test_a_wait_without_a_deadline_ends_by_a_notice_only() -> None:
    clock = ManualClock()
    condition = threading.Condition()
    answer: list[str] = []
    ready = threading.Event()

    def wait() -> None:
        with condition:
            ready.set()
            clock.wait(condition, None)
            answer.append("woke")

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert ready.wait(5)
    clock.advance(1e6)
    assert not clock.wait_for_sleepers(1, timeout_s=0)
    with condition:
        assert not answer
        condition.notify_all()
    thread.join(5)
    assert answer == ["woke"]


def test_no_time_left_is_no_wait() -> None:
    clock = ManualClock()
    condition = threading.Condition()
    with condition:
        clock.wait(condition, 0)
    assert not clock.wait_for_sleepers(1, timeout_s=0)


def test_the_real_one_runs_and_keeps_its_time() -> None:
    clock = MonotonicClock()
    condition = threading.Condition()
    before_ns = clock.now_ns()
    with condition:
        clock.wait(condition, 0.01)
    assert clock.now_ns() - before_ns >= 9_000_000
