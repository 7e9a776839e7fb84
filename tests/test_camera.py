"""A camera's loop, with a source that follows a script and a clock that stands still."""

import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Self

import pytest
from boxes import PERIOD_NS, Scripted, Stream, picture, until
from driven import Hasty

from streamer import (
    Camera,
    Captured,
    Cause,
    Frame,
    ManualClock,
    Quality,
    Ring,
    SourceError,
    State,
    Status,
    Writer,
)

pytestmark = pytest.mark.timeout(30)


def shot(number: int, size: tuple[int, int] = (16, 12)) -> Captured:
    return Captured(picture(size), 10**9 + number * PERIOD_NS, number * PERIOD_NS)


class Place(Scripted):
    """A script after which nothing comes until it is stopped; knows when it was entered."""

    def __init__(self, script: Sequence[Any], **more: Any) -> None:
        super().__init__(script, **more)
        self.clock: ManualClock = Hasty()
        self.entered_ns: list[int] = []

    def __enter__(self) -> Self:
        self.entered_ns.append(self.clock.now_ns())
        if self.entered >= len(self.script):
            self.stopped.wait(20)
            raise error(Cause.ENDED)
        return super().__enter__()

    @property
    def waits_s(self) -> list[float]:
        """The times between failing at once and being entered again."""
        return [(after - before) / 1e9 for before, after in pairwise(self.entered_ns)]

    def over(self) -> bool:
        """The script has been played."""
        return len(self.entered_ns) > len(self.script)


class Run:
    """A camera in its thread, and what came of it."""

    def __init__(self, source: Any, clock: ManualClock | None = None, **more: Any) -> None:
        self.clock = source.clock = clock or Hasty()
        self.source = source
        self.camera = Camera("gate", source, clock=self.clock, seed=3, **more)
        self.ring: Ring[Frame] = Ring()
        self.writer: Writer[Frame] = self.ring.writer(depth=1000, live=True)
        self.changes: list[Status] = []
        self.qualities: list[Quality] = []
        self.told_ns: list[int] = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.camera.run(self.writer, self._changed)

    def _changed(self, camera: Camera) -> None:
        assert threading.current_thread() is self.thread, "told by the loop alone, in order"
        self.told_ns.append(self.clock.now_ns())
        if not self.changes or self.changes[-1] is not camera.status:
            self.changes.append(camera.status)
        if not self.qualities or self.qualities[-1] is not camera.quality:
            self.qualities.append(camera.quality)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.camera.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def played(self) -> None:
        """Wait until its script is over."""
        until(self.source.over)

    def to_the_end(self) -> list[Frame]:
        self.thread.join(10)
        assert not self.thread.is_alive()
        return self.frames()

    def frames(self) -> list[Frame]:
        return list(self._frames())

    def _frames(self) -> Iterator[Frame]:
        while self.writer.waiting:
            taken = self.ring.take()
            assert taken is not None
            yield taken.item

    @property
    def states(self) -> list[State]:
        return [change.state for change in self.changes]


def error(cause: Cause) -> SourceError:
    return SourceError(cause, f"gate: {cause}")


def test_a_network_that_is_down_is_tried_fast_for_ever() -> None:
    with Run(Place([error(Cause.NETWORK)] * 40)) as run:
        run.played()
    for wait_s, nominal_s in zip(run.source.waits_s, [0.1, 0.2, 0.4, *[0.5] * 37], strict=True):
        assert 0.5 * nominal_s <= wait_s <= nominal_s
    assert run.states == [State.RETRYING] * 40 + [State.ENDED]
    assert run.changes[0].why == "gate: network"
    assert run.changes[0].cause is Cause.NETWORK
    assert len({change.since_ns for change in run.changes[:-1]}) == 1
    assert run.camera.error is None


@pytest.mark.parametrize(("cause", "cap_s"), [(Cause.AUTH, 60), (Cause.NOT_FOUND, 15), (Cause.CODEC, 15)])
def test_what_somebody_has_to_change_is_tried_slowly(cause: Cause, cap_s: float) -> None:
    with Run(Place([error(cause)] * 10)) as run:
        run.played()
    for wait_s, nominal_s in zip(run.source.waits_s, [5, 10, 20, 40, *[60] * 6], strict=True):
        assert 0.5 * min(nominal_s, cap_s) <= wait_s <= min(nominal_s, cap_s)
    assert set(run.states[:-1]) == {State.FAILED}


def test_the_same_seed_waits_the_same_times() -> None:
    waits = []
    for _ in range(2):
        with Run(Place([error(Cause.SILENCE)] * 5)) as run:
            run.played()
        waits.append(run.source.waits_s)
    assert waits[0] == waits[1]


def test_each_connection_is_an_epoch() -> None:
    down = error(Cause.NETWORK)
    script = [down, down, down, down, [shot(0), shot(1), down], [shot(0)], down, [shot(0)]]
    with Run(Place(script)) as run:
        run.played()
    frames = run.frames()
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.epoch for frame in frames] == [4, 4, 5, 7]
    assert run.source.exited == 3  # of eight entries, five of which failed
    assert [state for state in run.states if state is State.LIVE] == [State.LIVE] * 3
    assert run.camera.reconnects == {Cause.NETWORK: 1, Cause.ENDED: 2}


@pytest.mark.parametrize(("lasts_s", "waits_s"), [(0.1, 0.5), (4.9, 0.5), (5.1, 0.1)])
def test_a_camera_that_dies_again_and_again_is_not_hammered(lasts_s: float, waits_s: float) -> None:
    source = Place([])

    def last() -> None:
        source.clock.advance(lasts_s)

    source.script = [[shot(0), last, shot(1), error(Cause.NETWORK)]] * 30
    with Run(source) as run:
        run.played()
    waited_s = [wait_s - lasts_s for wait_s in source.waits_s[3:]]
    assert all(0.5 * waits_s <= wait_s <= waits_s for wait_s in waited_s)


def test_the_size_is_constant_within_an_epoch() -> None:
    small, large = (16, 12), (32, 24)
    script = [[shot(0, small), shot(1, small), shot(2, large), shot(3, small)], [shot(0, small)]]
    with Run(Place(script)) as run:
        run.played()
    frames = run.frames()
    assert [frame.epoch for frame in frames] == [0, 0, 1, 2, 3]
    assert [frame.size for frame in frames] == [small, small, large, small, small]
    sizes: dict[int, set[tuple[int, int]]] = {}
    for frame in frames:
        sizes.setdefault(frame.epoch, set()).add(frame.size)
    assert all(len(of_epoch) == 1 for of_epoch in sizes.values())


def test_a_live_stream_that_ends_is_opened_again() -> None:
    with Run(Place([[shot(0)], [shot(0)]])) as run:
        run.played()
    assert run.states[:3] == [State.LIVE, State.RETRYING, State.LIVE]
    assert run.changes[1].cause is Cause.ENDED


@pytest.mark.parametrize("live", [False, True])
def test_the_end_of_a_recording_is_final(live: bool) -> None:
    with Run(Scripted([[shot(0), shot(1)]], live=live, ends=True)) as run:
        frames = run.to_the_end()
    assert [frame.index for frame in frames] == [0, 1]
    assert {frame.live for frame in frames} == {live}
    assert run.states == [State.LIVE, State.ENDED]
    assert run.source.entered == run.source.exited == 1
    assert run.camera.error is None
    assert run.ring.exhausted


@pytest.mark.parametrize("script", [[error(Cause.NOT_FOUND)], [[shot(0), error(Cause.DAMAGED)]]])
def test_a_recordings_error_is_final_and_kept(script: list[Any]) -> None:
    with Run(Scripted(script, live=False, ends=True)) as run:
        run.to_the_end()
    assert run.camera.error is not None
    assert run.camera.error.cause in (Cause.NOT_FOUND, Cause.DAMAGED)
    assert run.states[-1] is State.ENDED
    assert run.changes[-1].why == str(run.camera.error)
    assert run.source.entered == 1


def test_a_strangers_source_that_fails_in_its_own_way_is_retried() -> None:
    with Run(Place([[shot(0), RuntimeError("secret")], ValueError("secret"), [shot(0)]])) as run:
        run.played()
    assert run.states[:3] == [State.LIVE, State.RETRYING, State.RETRYING]
    assert run.changes[1].why == "unexpected RuntimeError in its source"


def test_a_strangers_recording_that_fails_in_its_own_way_has_failed() -> None:
    with Run(Scripted([[shot(0), RuntimeError("secret")]], live=False, ends=True)) as run:
        run.to_the_end()
    assert isinstance(run.camera.error, SourceError)
    assert "gate: RuntimeError" in str(run.camera.error)


@pytest.mark.parametrize(
    "odd",
    [
        Captured(picture(), 10**9, "soon"),  # type: ignore[arg-type]  # hostile on purpose
        Captured(picture(), None),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_time_costs_the_connection_and_not_the_account(odd: Captured) -> None:
    with Run(Place([[shot(0), odd], [shot(0)]])) as run:
        run.played()
    assert run.camera.captured == len(run.frames()) == 2
    assert not run.writer.dropped


def test_stop_ends_the_wait_for_a_retry_at_once() -> None:
    with Run(Scripted([error(Cause.AUTH)] * 9), ManualClock()) as run:
        until(lambda: run.camera.status.state is State.FAILED)
        assert run.clock.wait_for_sleepers(1)
        started = time.monotonic()
        run.camera.stop()
        run.thread.join(5)
        assert time.monotonic() - started < 1
    assert run.source.entered == 1
    until(run.source.stopped.is_set)
    assert run.states[-1] is State.ENDED


def test_stop_before_the_start_connects_to_nothing() -> None:
    run = Run(Scripted([[shot(0)]]))
    run.camera.stop()
    with run:
        run.to_the_end()
    assert run.source.entered == 0


def test_a_source_that_cannot_be_stopped_does_no_harm() -> None:
    class Bad(Scripted):
        def stop(self) -> None:
            raise RuntimeError("no")

    with Run(Bad([error(Cause.NETWORK)])) as run:
        until(lambda: run.source.entered > 0)
        run.camera.stop()
        run.to_the_end()


def test_it_ends_when_nobody_takes_frames_any_more() -> None:
    with Run(Stream(fps=1000)) as run:
        until(lambda: run.camera.captured > 2)
        run.ring.leave()
        run.to_the_end()
    assert sum(run.writer.dropped.values()) == run.camera.captured


@pytest.mark.parametrize(
    ("fps", "max_fps", "expected"),
    [(25, 10, 100), (25, 25, 249), (25, 50, 250), (25, 1, 10), (25, 24.9, 249)],
)
def test_max_fps_keeps_the_beat(fps: int, max_fps: float, expected: int) -> None:
    shots = [shot(number) for number in range(10 * fps)]
    with Run(Scripted([shots], live=False, ends=True), max_fps=max_fps) as run:
        frames = run.to_the_end()
    assert abs(len(frames) - expected) <= 1
    assert len(frames) + run.writer.dropped.get("max_fps", 0) == run.camera.captured == 250
    gaps = [after.index - before.index for before, after in pairwise(frames)]
    assert max(gaps) - min(gaps) <= 1 or max_fps > 12.5


def test_max_fps_is_explained_to_who_takes_the_next_frame() -> None:
    with Run(Scripted([[shot(number) for number in range(10)]], live=False, ends=True), max_fps=5) as run:
        run.thread.join(10)
    taken = [run.ring.take() for _ in range(2)]
    assert [entry.item.index for entry in taken if entry] == [0, 5]
    assert [dict(entry.lost) for entry in taken if entry] == [{}, {"max_fps": 4}]
