"""A ring in time: the window in which a batch fills, and who waits wakes."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streamer import Exhausted, ManualClock, MonotonicClock, Ring, Taken

pytestmark = pytest.mark.timeout(30)


class Calls:
    """Runs functions in threads, so that a test can look at them while they wait."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def start(self, function: Callable[[], Any]) -> deque[Any]:
        """What comes into the list is what the function returns, or the exception that it raises."""
        answer: deque[Any] = deque()

        def call() -> None:
            try:
                answer.append(function())
            except Exhausted as error:
                answer.append(error)

        self.threads.append(threading.Thread(target=call, daemon=True))
        self.threads[-1].start()
        return answer

    def join(self) -> None:
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
def calls() -> Iterator[Calls]:
    calls = Calls()
    yield calls
    calls.join()


def items(batch: list[Taken[Any]]) -> list[Any]:
    return sorted(taken.item for taken in batch)


class WatchedManualClock(ManualClock):
    """Says each time that somebody is about to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = threading.Semaphore(0)

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        self.waits.release()
        super().wait(condition, timeout_s)


class Windowed:
    """A ring on a clock that stands still, with lanes from which something has come already."""

    def __init__(self, lanes: int, calls: Calls, limit: int = 8) -> None:
        self.clock = WatchedManualClock()
        self.ring: Ring[str] = Ring(self.clock)
        self.writers = [self.ring.writer(depth=1, live=True) for _ in range(lanes)]
        for writer in self.writers:
            writer.put("before")
        self.limit = limit
        self.calls = calls
        if lanes:
            self.ring.take_batch(lambda _: lanes)

    def take(self, window_s: float = 0.1, timeout_s: float | None = None) -> list[Taken[str]]:
        return self.ring.take_batch(lambda _: self.limit, window_s=window_s, timeout_s=timeout_s)

    def start_taking(self) -> deque[Any]:
        answer = self.calls.start(self.take)
        self.wait_for_reader()
        return answer

    def wait_for_reader(self) -> None:
        """Until the reader waits, or waits again."""
        assert self.clock.waits.acquire(timeout=10)
        assert not self.ring.exhausted  # it had the lock until it slept


def test_the_window_ends_when_every_lane_has_something(calls: Calls) -> None:
    ring = Windowed(2, calls)
    ring.writers[0].put("a")
    answer = ring.start_taking()
    ring.writers[1].put("b")
    calls.join()
    assert items(answer[0]) == ["a", "b"]


def test_the_window_ends_when_the_batch_is_full(calls: Calls) -> None:
    ring = Windowed(3, calls, limit=2)
    ring.writers[0].put("a")
    answer = ring.start_taking()
    ring.writers[1].put("b")
    calls.join()
    assert items(answer[0]) == ["a", "b"]


def test_the_window_ends_in_time_and_what_is_newest_then_is_taken(calls: Calls) -> None:
    ring = Windowed(2, calls)
    ring.writers[0].put("old")
    answer = ring.start_taking()
    ring.clock.advance(0.09)
    ring.writers[0].put("new")
    ring.wait_for_reader()
    assert not answer
    ring.clock.advance(0.011)
    calls.join()
    assert items(answer[0]) == ["new"]
    assert answer[0][0].lost == {"stale": 1}


def test_a_lane_that_closes_is_not_waited_for(calls: Calls) -> None:
    ring = Windowed(2, calls)
    ring.writers[0].put("a")
    answer = ring.start_taking()
    ring.writers[1].close()
    calls.join()
    assert items(answer[0]) == ["a"]


def test_a_dead_camera_costs_the_others_one_window_and_no_more(calls: Calls) -> None:
    ring = Windowed(2, calls)
    ring.writers[0].put("a")
    answer = ring.start_taking()
    ring.clock.advance(0.2)
    calls.join()
    assert items(answer[0]) == ["a"]
    for number in range(3):  # the clock stands: any wait would be for ever
        ring.writers[0].put(f"a{number}")
        assert items(ring.take()) == [f"a{number}"]
    ring.writers[0].put("a")
    ring.writers[1].put("back")  # it is alive again, and is awaited again
    assert items(ring.take()) == ["a", "back"]
    ring.writers[0].put("a")
    answer = ring.start_taking()
    ring.writers[1].put("b")
    calls.join()
    assert items(answer[0]) == ["a", "b"]


def test_a_camera_that_never_came_is_not_waited_for(calls: Calls) -> None:
    ring = Windowed(0, calls)
    there = ring.ring.writer(depth=1, live=True)
    ring.ring.writer(depth=1, live=True)
    there.put("a")
    assert items(ring.take()) == ["a"]


def test_what_is_revoked_within_the_window_leaves_an_empty_batch(calls: Calls) -> None:
    ring = Windowed(2, calls)
    ring.writers[0].put("a")
    answer = ring.start_taking()
    ring.writers[0].revoke()
    calls.join()
    assert answer[0] == []


@pytest.mark.parametrize("how", ["leave", "revoke all"])
def test_the_window_ends_with_the_ring(how: str, calls: Calls) -> None:
    ring = Windowed(2, calls)
    ring.writers[0].put("a")
    answer = ring.start_taking()
    if how == "leave":
        assert ring.ring.leave() == ["a"]
    else:
        ring.writers[1].close()
        calls.join()
        assert items(answer.popleft()) == ["a"]
        answer = calls.start(ring.take)
        ring.writers[0].revoke()
    calls.join()
    assert isinstance(answer[0], Exhausted)


def test_recordings_fill_the_places_that_are_left_in_order(calls: Calls) -> None:
    ring = Windowed(0, calls)
    live = ring.ring.writer(depth=1, live=True)
    recording = ring.ring.writer(depth=8, live=False)
    for number in range(8):
        recording.put(f"r{number}")
    live.put("live")
    batch = ring.ring.take_batch(lambda _: 5)
    assert items(batch) == ["live", "r0", "r1", "r2", "r3"]


def test_take_gives_up_after_its_time(calls: Calls) -> None:
    ring = Windowed(1, calls)
    answer = calls.start(lambda: ring.ring.take(timeout_s=2.0))
    assert ring.clock.wait_for_sleepers(1)
    ring.clock.advance(1.999)
    assert not answer
    ring.clock.advance(0.001)
    calls.join()
    assert list(answer) == [None]


class WatchedClock(MonotonicClock):
    """Says when somebody waits. Whoever takes the condition's lock after that finds them waiting."""

    def __init__(self) -> None:
        self.waits = threading.Semaphore(0)

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        self.waits.release()
        super().wait(condition, timeout_s)


@pytest.mark.parametrize("how", ["done", "close", "revoke", "leave"])
def test_a_put_that_waits_wakes(how: str, calls: Calls) -> None:
    clock = WatchedClock()
    ring: Ring[int] = Ring(clock)
    writer = ring.writer(depth=2, live=False)
    writer.put(0)
    writer.put(1)
    taken = ring.take()
    assert taken is not None  # and its place is not free before `done`
    answer = calls.start(lambda: writer.put(2))
    assert clock.waits.acquire(timeout=10)
    assert not answer
    {"done": taken.done, "close": writer.close, "revoke": writer.revoke, "leave": ring.leave}[how]()
    calls.join()
    assert list(answer) == [how == "done"]
    left = {"done": 2, "close": 1, "revoke": 0, "leave": 0}[how]
    assert writer.waiting == left
    assert sum(writer.dropped.values()) == 2 - left  # of two items that were not taken


def test_a_revoked_writer_cannot_speak(calls: Calls) -> None:
    ring: Ring[int] = Ring()
    stuck, other = ring.writer(depth=1, live=True), ring.writer(depth=1, live=True)
    stuck.put(1)
    stuck.revoke()
    assert not stuck.put(2)
    other.put(3)
    taken = ring.take()
    assert taken is not None
    assert taken.item == 3
    assert stuck.dropped == {"closed": 2}
