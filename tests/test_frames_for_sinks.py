"""Sinks that take frames get a live camera's as they come; sinks may ask for the end of the run."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from boxes import Keeper, Looker, Stream, assert_gaps_explained, until

from streamer import Camera, ConfigError, Frame, Health, Pipeline, Result, View
from streamer.errors import StopAsked

pytestmark = pytest.mark.timeout(60)


class Viewer(Keeper):
    """Keeps frames, and results beside them."""

    takes: Any = (Frame, Result, Health)

    def __init__(self, busy: Any = None) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.healths: list[Health] = []
        self.idled = threading.Event()
        self._hold = busy

    def write(self, item: Any) -> None:
        if isinstance(item, Frame):
            if self._hold is not None:
                self._hold(item)
            self.frames.append(item)
        elif isinstance(item, Result):
            super().write(item)
        else:
            self.healths.append(item)

    def idle(self) -> None:
        self.idled.set()


class Odd:
    """A gate that keeps back every other frame."""

    reason = "odd"

    def admits(self, frame: Frame) -> bool:
        return frame.index % 2 == 0


def conserved(pipeline: Pipeline) -> None:
    stats = pipeline.stats()
    for camera in stats.cameras:
        assert camera.in_flight == 0, camera
    processed = sum(camera.processed for camera in stats.cameras)
    for sink in stats.sinks:
        assert processed == sink.written + sum(sink.dropped.values()), sink


def test_frames_come_at_the_cameras_rate_and_results_at_the_detectors() -> None:
    viewer, keeper, gate = Viewer(), Keeper(), threading.Event()

    def slow(views: Sequence[View]) -> None:
        gate.wait(0.05)

    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200), gates=[Odd()]), Looker(1, busy=slow))
    pipeline.sink(viewer)
    pipeline.sink(keeper)
    with pipeline:
        until(lambda: len(keeper.got) >= 10)
    indices = [frame.index for frame in viewer.frames]
    assert indices == sorted(set(indices)), "in order, none twice"
    assert {index % 2 for index in indices} == {0, 1}, "looked at or not"
    assert len(indices) > 3 * len(keeper.got)
    assert_gaps_explained(keeper.got)
    assert_gaps_explained(viewer.got)
    conserved(pipeline)


def test_what_max_fps_leaves_out_is_not_shown_either() -> None:
    viewer = Viewer()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200), max_fps=20, gates=[Odd()]), Looker(4))
    pipeline.sink(viewer)
    with pipeline:
        until(lambda: len(viewer.frames) >= 20)
    times_ns = [frame.scene_ns for frame in viewer.frames]
    assert (times_ns[-1] - times_ns[0]) / (len(times_ns) - 1) >= 0.95e9 / 20
    assert {frame.index % 2 for frame in viewer.frames} == {0, 1}, "what a gate keeps back is shown"
    conserved(pipeline)


def test_one_that_is_slow_gets_the_newest_and_holds_nobody_up() -> None:
    going, first = threading.Event(), threading.Event()

    def hold(frame: Frame) -> None:
        first.set()
        going.wait(20)

    viewer, keeper = Viewer(hold), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    for name in ("a", "b"):
        pipeline.add(Camera(name, Stream(fps=200)), Looker(4))
    pipeline.sink(viewer)
    pipeline.sink(keeper)
    with pipeline:
        assert first.wait(10)
        before = {name: len(keeper.of(name)) for name in ("a", "b")}
        until(lambda: all(len(keeper.of(name)) > before[name] + 60 for name in ("a", "b")))
        newest = {name: keeper.of(name)[-1].frame.index for name in ("a", "b")}
        going.set()
        until(lambda: len(viewer.frames) >= 3)
        second = viewer.frames[1]
        assert second.index >= newest[second.camera] - 2
    conserved(pipeline)


def test_a_recordings_frames_come_with_their_results_alone() -> None:
    viewer = Viewer()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("film", Stream(live=False, count=50)), Looker(4))
    pipeline.sink(viewer)
    pipeline.run()
    assert not viewer.frames
    assert [result.frame.index for result in viewer.got] == list(range(50))


def test_where_nobody_wants_frames_nobody_is_called() -> None:
    keeper = Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200)), Looker(4))
    pipeline.sink(keeper)
    with pipeline:
        assert pipeline._wired is not None
        assert not pipeline._wired.viewers
        until(lambda: len(keeper.got) > 3)


def test_frames_that_come_while_it_is_down_pass_by() -> None:
    broken = threading.Event()

    def fail(frame: Frame) -> None:
        if broken.is_set():
            raise OSError("no screen")

    viewer = Viewer(fail)
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200)), Looker(4))
    pipeline.sink(viewer)
    with pipeline:
        until(lambda: len(viewer.frames) > 5)
        broken.set()
        until(lambda: "no screen" in pipeline.stats().sinks[0].why)
        broken.clear()
        seen = len(viewer.frames)
        until(lambda: len(viewer.frames) > seen + 5)
        assert pipeline.stats().sinks[0].why == ""
        assert pipeline.stats().sinks[0].failures == 1
    conserved(pipeline)


def test_idle_is_called_when_nothing_comes() -> None:
    viewer = Viewer()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=0.1)), Looker(4))
    pipeline.sink(viewer)
    with pipeline:
        assert viewer.idled.wait(5)


class Asks(Viewer):
    """Wants the end at the first opportunity of a kind."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def write(self, item: Any) -> None:
        super().write(item)
        if self._where == type(item).__name__ and len(self.got) >= 3:
            raise StopAsked("enough")

    def idle(self) -> None:
        if self._where == "idle":
            raise StopAsked("enough")


@pytest.mark.parametrize("where", ["Result", "Frame", "idle"])
def test_a_sink_may_ask_for_the_end(where: str) -> None:
    asks, keeper = Asks(where), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=1 if where == "idle" else 200)), Looker(4))
    pipeline.sink(asks)
    pipeline.sink(keeper)
    pipeline.run(for_s=30)
    assert pipeline.stop_asked
    assert pipeline.error is None
    assert asks.exited.is_set()
    assert keeper.exited.is_set()
    stats = pipeline.stats()
    assert [sink.why for sink in stats.sinks] == ["", ""]
    assert [sink.failures for sink in stats.sinks] == [0, 0]
    conserved(pipeline)


def test_idle_must_be_a_method() -> None:
    class Lazy(Keeper):
        idle = True

    with pytest.raises(ConfigError, match="sink Lazy: its idle is True; allowed is a method"):
        Pipeline().sink(Lazy())


class FramesAlone(Viewer):
    """Takes nothing else."""

    takes: Any = Frame


def test_one_that_takes_frames_alone_ends_with_the_others() -> None:
    viewer, keeper = FramesAlone(), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200, count=50)), Looker(4))
    pipeline.sink(viewer)
    pipeline.sink(keeper)
    pipeline.run(for_s=2)
    assert viewer.frames
    assert viewer.exited.is_set()


def test_one_that_takes_frames_alone_has_nothing_to_do_with_a_recording() -> None:
    viewer, keeper = FramesAlone(), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("film", Stream(live=False, count=50)), Looker(4))
    pipeline.sink(viewer)
    pipeline.sink(keeper)
    pipeline.run(for_s=20)
    assert len(keeper.got) == 50
    assert pipeline.error is None
    assert viewer.exited.is_set()


def test_one_that_failed_before_it_asks_for_the_end_has_not_failed_the_run() -> None:
    class Once(Viewer):
        tries = 0

        def __enter__(self) -> "Once":
            self.tries += 1
            super().__enter__()
            return self

        def write(self, item: Any) -> None:
            if self.tries == 1:
                raise OSError("no screen")
            raise StopAsked("enough")

    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200)), Looker(4))
    pipeline.sink(Once())
    pipeline.run(for_s=10)
    assert pipeline.stop_asked
    assert pipeline.error is None


def test_one_that_asks_for_the_end_and_cannot_be_left_is_not_entered_again() -> None:
    class Jammed(Asks):
        entries = 0

        def __enter__(self) -> "Jammed":
            self.entries += 1
            super().__enter__()
            return self

        def __exit__(self, *exc: object) -> None:
            raise OSError("no screen")

    jammed, keeper = Jammed("Result"), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream(fps=200)), Looker(4))
    pipeline.sink(jammed)
    pipeline.sink(keeper)
    pipeline.run(for_s=5)
    assert pipeline.stop_asked
    assert jammed.entries == 1
    assert pipeline.stats().sinks[0].why == "sink Jammed: OSError: no screen"
    conserved(pipeline)
