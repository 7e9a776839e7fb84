"""Turns: a batch is prepared just in time for the device, and no earlier."""

import threading
from collections.abc import Sequence
from statistics import median

import pytest
from boxes import Looker, StagedLooker, picture, rest_of, until

from streamer import Exhausted, Frame, ManualClock, Quality, Ring, View
from streamer.turns import REMEMBERED, DeviceTurns, Durations, Turn, await_turn
from streamer.worker import Inferred, Worker

pytestmark = pytest.mark.timeout(20)

MS = 1_000_000


class Waiter(threading.Thread):
    """Waits for a turn on a clock that stands still."""

    def __init__(self, clock: ManualClock, turns: Ring[Turn], number: int) -> None:
        super().__init__(daemon=True)
        self.clock = clock
        self.turns = turns
        self.number = number
        self.woke_ns: int | None = None
        self.closed = False
        self.start()

    def run(self) -> None:
        try:
            await_turn(self.turns, self.number, self.clock.now_ns)
            self.woke_ns = self.clock.now_ns()
        except Exhausted:
            self.closed = True

    def result(self) -> int | None:
        self.join(5)
        assert not self.is_alive()
        return self.woke_ns


class Turns:
    def __init__(self) -> None:
        self.clock = ManualClock(now_ns=1000 * MS)
        self.ring: Ring[Turn] = Ring(self.clock)
        self.writer = self.ring.writer(depth=1, live=True)


def test_a_turn_that_is_due_is_taken_at_once() -> None:
    turns = Turns()
    turns.writer.put(Turn(0, 1000 * MS))
    assert Waiter(turns.clock, turns.ring, 0).result() == 1000 * MS


def test_a_turn_that_is_due_later_is_waited_for() -> None:
    turns = Turns()
    turns.writer.put(Turn(0, 1050 * MS))
    waiter = Waiter(turns.clock, turns.ring, 0)
    assert turns.clock.wait_for_sleepers(1)
    turns.clock.advance(0.049)
    assert waiter.woke_ns is None
    turns.clock.advance(0.001)
    assert waiter.result() == 1050 * MS


def test_the_device_may_be_free_earlier_than_it_thought() -> None:
    turns = Turns()
    turns.writer.put(Turn(3, 1050 * MS))
    waiter = Waiter(turns.clock, turns.ring, 3)
    assert turns.clock.wait_for_sleepers(1)
    turns.clock.advance(0.010)
    turns.writer.put(Turn(3, 1010 * MS))
    assert waiter.result() == 1010 * MS


def test_somebody_elses_turn_is_not_taken() -> None:
    turns = Turns()
    turns.writer.put(Turn(1, 0))
    waiter = Waiter(turns.clock, turns.ring, 2)
    until(lambda: turns.writer.waiting == 0)
    assert waiter.woke_ns is None
    turns.writer.put(Turn(2, 0))
    assert waiter.result() == 1000 * MS


def test_nobody_waits_for_a_device_that_has_gone() -> None:
    turns = Turns()
    waiter = Waiter(turns.clock, turns.ring, 0)
    turns.ring.leave()
    assert waiter.result() is None
    assert waiter.closed


def test_durations_are_the_median_of_the_last_few() -> None:
    durations = Durations()
    assert durations.median_ns == 0
    values = [1_000_000, *range(100, 100 + REMEMBERED)]
    for value in values:
        durations.add(value)
    assert durations.median_ns == round(median(values[-REMEMBERED:]))


def test_the_next_one_is_due_when_the_device_is_free_less_what_preparing_costs() -> None:
    turns = Turns()
    preparing = Durations()
    device = DeviceTurns(turns.writer, preparing)

    def due() -> Turn | None:
        taken = turns.ring.take(timeout_s=0)
        return taken.item if taken else None

    device.idle(5)
    assert due() == Turn(0, 5)
    device.started(100 * MS, "net")
    assert due() is None  # nothing is known yet
    device.finished(140 * MS, 40 * MS, "net")
    assert due() == Turn(1, 140 * MS)
    preparing.add(10 * MS)
    device.started(150 * MS, "net")
    assert due() == Turn(2, 150 * MS + 40 * MS - 10 * MS)
    assert device.execution_s == pytest.approx(0.040)


def test_nothing_is_prepared_ahead_while_nobody_knows_how_long_a_batch_takes() -> None:
    clock = ManualClock()
    turns: Ring[Turn] = Ring(clock)
    device = DeviceTurns(turns.writer(depth=1, live=True), Durations())
    device.started(100 * MS, "net")
    assert turns.take(timeout_s=0) is None
    device.finished(10_000 * MS, 9_900 * MS, "net")
    taken = turns.take(timeout_s=0)
    assert taken is not None
    assert taken.item == Turn(1, 10_000 * MS)


def test_where_nothing_is_live_the_next_one_is_due_at_once() -> None:
    turns = Turns()
    device = DeviceTurns(turns.writer, Durations())
    device.finished(0, 40 * MS, "net")
    turns.ring.take(timeout_s=0)
    device.started(100 * MS, "net", live=False)
    taken = turns.ring.take(timeout_s=0)
    assert taken is not None
    assert taken.item == Turn(1, 100 * MS)


def test_a_quick_and_a_slow_detector_have_their_own_estimates() -> None:
    """An average of both would have a frame prepared early, and old, whenever the slow one runs."""
    turns = Turns()
    device = DeviceTurns(turns.writer, Durations())
    for _ in range(5):
        for detector, took_ns in (("quick", 20 * MS), ("slow", 200 * MS)):
            device.started(0, detector)
            device.finished(0, took_ns, detector)
    for detector, took_ns in (("quick", 20 * MS), ("slow", 200 * MS)):
        device.started(1000 * MS, detector)
        taken = turns.ring.take(timeout_s=0)
        assert taken is not None
        assert taken.item.due_ns == 1000 * MS + took_ns
    assert device.execution_s == pytest.approx(0.200)


# ---- a worker's two threads, on a clock that only the fakes move


class Bench:
    """A worker with one live camera, and its two threads."""

    def __init__(self, detector: Looker) -> None:
        self.clock = ManualClock()
        self.frames: Ring[Frame] = Ring(self.clock)
        self.worker = Worker(self.frames, self.clock)
        self.lane = self.frames.writer(depth=1, live=True, group=detector)
        results: Ring[Inferred] = Ring(self.clock)
        self.results = results
        out = {"gate": results.writer(depth=1000, live=True)}
        self.threads = [
            threading.Thread(target=self.worker.prepare, daemon=True),
            threading.Thread(target=self.worker.infer, args=([detector], out), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def put(self, index: int) -> None:
        now_ns = self.clock.now_ns()
        self.lane.put(
            Frame(
                "gate",
                0,
                index,
                now_ns,
                now_ns,
                None,
                None,
                keyframe=True,
                quality=Quality.FINE,
                picture=PICTURE,
            )
        )

    def close(self) -> list[Inferred]:
        self.lane.revoke()
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()
        return rest_of(self.results)


PICTURE = picture()


def test_overlap_prepares_no_earlier_than_its_cost_before_the_device_is_free() -> None:
    prepared_ns: list[int] = []
    began_ns: list[int] = []
    busy = threading.Semaphore(0)
    go_on = threading.Semaphore(0)

    def infer(views: object) -> None:
        began_ns.append(bench.clock.now_ns())
        busy.release()
        assert go_on.acquire(timeout=5)

    def prepare(views: object) -> None:
        prepared_ns.append(bench.clock.now_ns())
        bench.clock.advance(0.010)

    bench = Bench(StagedLooker(1, busy=infer, unready=prepare))
    bench.put(0)
    for round_ in range(1, 8):
        assert busy.acquire(timeout=5)
        # The device works for 40 ms from here. Once that is known, the next is due 10 ms before its end.
        free_ns = began_ns[-1] + 40 * MS
        bench.put(round_)
        if round_ > 1:
            assert bench.clock.wait_for_sleepers(1)
            assert len(prepared_ns) == round_
            bench.clock.advance(0.0299)
            assert len(prepared_ns) == round_
            bench.put(round_ + 100)  # newer: this one is looked at, not the one before
            bench.clock.advance(0.0001)
            until(lambda count=round_: len(prepared_ns) > count)  # type: ignore[misc]  # a default argument
            assert prepared_ns[-1] == free_ns - 10 * MS
            until(lambda now_ns=free_ns: bench.clock.now_ns() >= now_ns)  # type: ignore[misc]  # the same
        else:
            bench.clock.advance(0.040)
            assert len(prepared_ns) == 1  # nothing is known yet: when this one has ended
        go_on.release()
    assert busy.acquire(timeout=5)
    go_on.release(100)
    results = bench.close()
    assert [inferred.frame.index for inferred in results[:7]] == [0, 1, *range(102, 107)]


@pytest.mark.parametrize("staged", [False, True])
def test_frames_that_cannot_be_looked_at_do_not_cost_the_turn(staged: bool) -> None:
    bad = {0, 1, 2, 5, 6}
    done = threading.Semaphore(0)

    def stumble(views: Sequence[View]) -> None:
        if views[0].frame.index in bad:
            done.release()
            raise ValueError("odd picture")

    def look(views: Sequence[View]) -> None:
        if not staged:
            stumble(views)
        done.release()

    bench = Bench(StagedLooker(1, busy=look, unready=stumble) if staged else Looker(1, busy=look))
    for index in range(8):
        bench.put(index)
        assert done.acquire(timeout=5), f"nobody looked at frame {index}"
    account = bench.worker.unprepared if staged else bench.worker.failures
    results = bench.close()
    assert account.of("gate") == {"detector": 5}
    assert [inferred.frame.index for inferred in results] == [3, 4, 7]
    assert [dict(inferred.lost) for inferred in results] == [{"detector": 3}, {}, {"detector": 2}]
