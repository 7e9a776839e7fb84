"""The whole pipeline, with sources, detectors and sinks that follow a script."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from boxes import Keeper, Looker, Scripted, StagedLooker, Stream, Stuck, assert_gaps_explained, seen, until

from streamer import (
    Camera,
    CameraStats,
    Cause,
    ConfigError,
    Detections,
    DetectorError,
    Event,
    Pipeline,
    Result,
    SinkError,
    SourceError,
    State,
    View,
)
from streamer.errors import SinkGone
from streamer.pipeline import FLUSH_S, STOP_S

pytestmark = pytest.mark.timeout(30)

CLOSE_S = STOP_S + FLUSH_S
assert CLOSE_S < 2  # what is promised of Ctrl-C
SLACK_S = 1.0  # the machine may be busy with something else


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before, timeout_s=5)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up sooner, for the tests' sake."""
    monkeypatch.setattr("streamer.pipeline.STOP_S", 0.7)


def slow(seconds: float, rng: random.Random | None = None) -> Callable[[Any], None]:
    """Takes its time: that much, or a random share of it. Nobody waits for this sleep."""
    return lambda _: time.sleep(seconds * (rng.random() if rng else 1.0))


def waits_for(event: threading.Event) -> Callable[[Any], None]:
    """Hangs until the event is set."""

    def wait(_: Any) -> None:
        event.wait(20)

    return wait


def pipeline_of(
    cameras: dict[str, Any], detector: Any, *sinks: Any, statuses: list[tuple[str, State]] | None = None
) -> Pipeline:
    pipeline = Pipeline(
        on_status=lambda camera: (
            statuses.append((camera.name, camera.status.state)) if statuses is not None else None
        )
    )
    for name, source in cameras.items():
        pipeline.add(Camera(name, source, seed=1), detector)
    for number, sink in enumerate(sinks):
        pipeline.sink(sink, f"sink{number}")
    return pipeline


def account(pipeline: Pipeline) -> dict[str, CameraStats]:
    """Each camera's; after the end everything is accounted for."""
    cameras = {camera.name: camera for camera in pipeline.stats().cameras}
    for camera in cameras.values():
        assert camera.in_flight == 0, camera
        assert camera.captured == camera.processed + sum(camera.dropped.values())
    return cameras


# ---- nothing is lost silently


@pytest.mark.parametrize("seed", range(6))
def test_every_frame_is_accounted_for(seed: int) -> None:
    rng = random.Random(seed)

    def stumble(views: Sequence[View]) -> None:
        time.sleep(rng.random() * 0.004)
        if any(view.frame.index % 7 == 3 for view in views):
            raise ValueError("odd picture")

    def fickle(views: Sequence[View]) -> None:
        if any(view.frame.index % 5 == 1 for view in views):
            raise ValueError("cannot be prepared")

    detectors = [
        StagedLooker(rng.choice([1, 3, 4]), stumble, fickle if seed % 2 else None),
        Looker(rng.choice([1, 4]), stumble),
    ]
    keepers = [Keeper(), Keeper(slow(0.004, rng)), Keeper(slow(0.02, rng))]
    pipeline = Pipeline()
    recordings: list[str] = []
    for number in range(rng.randint(2, 6)):
        live = rng.random() < 0.7
        source = Stream(
            live=live, fps=rng.choice([100, 300, 600]), count=rng.choice([None, 60]) if live else 60
        )
        max_fps = rng.choice([None, None, 9.0])
        pipeline.add(Camera(f"c{number}", source, max_fps=max_fps), rng.choice(detectors))
        if not live:
            recordings.append(f"c{number}")
    for number, keeper in enumerate(keepers):
        pipeline.sink(keeper, f"sink{number}")
    with pipeline:
        for _ in range(25):
            pipeline.wait(rng.random() * 0.03)
            for camera in pipeline.stats().cameras:
                assert 0 <= camera.in_flight <= 64
    cameras = account(pipeline)
    for keeper, sink in zip(keepers, pipeline.stats().sinks, strict=True):
        for name, camera in cameras.items():
            results = keeper.of(name)
            assert_gaps_explained(results)
            assert all(
                int(result.detections.score[0] * 255) == result.frame.index % 256 for result in results
            )
            if name in recordings:
                assert not {"sink", "stale", "analysis"} & set(camera.dropped)
                if camera.status.state is State.ENDED and "closed" not in camera.dropped:
                    assert len(results) == camera.processed
        assert sink.written == len(keeper.got)
        processed = sum(camera.processed for camera in cameras.values())
        assert processed == sink.written + sum(sink.dropped.values())


@pytest.mark.parametrize("staged", [False, True])
def test_every_frame_of_a_recording_arrives_at_every_sink(staged: bool) -> None:
    keepers = [Keeper(), Keeper(slow(0.002)), Keeper(slow(0.001))]
    detector = StagedLooker(4) if staged else Looker(1)
    streams = {"a": Stream(live=False, count=150), "b": Stream(live=False, count=90)}
    pipeline = pipeline_of(streams, detector, *keepers)
    pipeline.run()
    for name, count in (("a", 150), ("b", 90)):
        for keeper in keepers:
            assert [result.frame.index for result in keeper.of(name)] == list(range(count))
            assert not any(result.dropped for result in keeper.of(name))
    cameras = account(pipeline)
    assert {camera.processed for camera in cameras.values()} == {150, 90}
    assert all(not camera.dropped for camera in cameras.values())


def test_max_fps_explains_its_gaps_too() -> None:
    keeper = Keeper(slow(0.002))
    pipeline = Pipeline()
    pipeline.add(Camera("film", Stream(live=False, count=300), max_fps=5), Looker())
    pipeline.add(Camera("live", Stream(count=200, fps=1000), max_fps=10), Looker())
    pipeline.sink(keeper)
    pipeline.run()
    for name in ("film", "live"):
        assert_gaps_explained(keeper.of(name))
    assert [result.frame.index for result in keeper.of("film")] == list(range(0, 300, 5))
    account(pipeline)


def test_stop_drops_what_was_not_taken_and_writes_what_is_on_its_way() -> None:
    keeper = Keeper()
    pipeline = pipeline_of({"a": Stream(live=False), "b": Stream()}, StagedLooker(2, slow(0.005)), keeper)
    pipeline.run(for_s=0.3)
    cameras = account(pipeline)
    assert cameras["a"].dropped.keys() <= {"closed"}
    for name, camera in cameras.items():
        assert len(keeper.of(name)) == camera.processed
        assert camera.status.state is State.ENDED


def test_it_runs_without_any_sink() -> None:
    pipeline = pipeline_of({"a": Stream(live=False, count=50)}, Looker())
    pipeline.run()
    assert account(pipeline)["a"].processed == 50


# ---- sinks


def test_a_blocked_sink_costs_nobody_else_anything() -> None:
    gate = threading.Event()
    blocked, free = Keeper(waits_for(gate)), Keeper()
    pipeline = pipeline_of({"a": Stream(fps=400), "b": Stream(fps=400)}, Looker(), blocked, free)
    with pipeline:
        until(lambda: len(free.of("a")) > 60 and len(free.of("b")) > 60)
        assert len(blocked.got) == 0
        gate.set()
    cameras = account(pipeline)
    assert all(camera.processed > 60 for camera in cameras.values())
    assert sum(pipeline.stats().sinks[0].dropped.values()) > 50
    for keeper in (blocked, free):
        for name in cameras:
            assert_gaps_explained(keeper.of(name))
    assert any("sink" in result.dropped for result in blocked.got)


def test_a_sink_is_used_in_one_thread_of_its_own() -> None:
    keepers = [Keeper(), Keeper()]
    pipeline_of({"a": Stream(live=False, count=20)}, Looker(), *keepers).run()
    assert [len(keeper.threads) for keeper in keepers] == [1, 1]
    assert keepers[0].threads != keepers[1].threads
    assert all(keeper.exited.is_set() for keeper in keepers)


class Failing(Keeper):
    """Fails at its fifth result."""

    def __init__(self, error: Exception) -> None:
        super().__init__(self._fail)
        self._error = error

    def _fail(self, result: Result) -> None:
        if len(self.got) == 4:
            raise self._error


def test_a_sink_that_fails_costs_the_others_nothing() -> None:
    broken, fine = Failing(OSError("disk full")), Keeper()
    pipeline = pipeline_of({"film": Stream(live=False, count=100)}, Looker(), broken, fine)
    pipeline.run()
    assert len(fine.got) == 100
    assert broken.exited.is_set()
    stats = pipeline.stats()
    assert (stats.sinks[0].written, stats.sinks[1].written) == (4, 100)
    assert stats.sinks[0].dropped == {"sink": 96}
    assert stats.sinks[0].failures == 1
    assert stats.sinks[0].why == "sink sink0: OSError: disk full"
    assert stats.sinks[1].why == ""
    assert account(pipeline)["film"].processed == 100


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("error", [OSError("disk full"), SinkError("the own words"), KeyError("bug")])
def test_a_required_sink_that_fails_ends_the_run(error: Exception, last: bool) -> None:
    broken, fine = Failing(error), Keeper()
    pipeline = Pipeline()
    pipeline.add(Camera("live", Stream()), Looker())
    pipeline.add(Camera("film", Stream(live=False)), Looker())
    pipeline.sink(broken, "broken", required=True)
    if not last:
        pipeline.sink(fine)
    started = time.monotonic()
    with pytest.raises(SinkError, match="own words" if isinstance(error, SinkError) else "sink broken"):
        pipeline.run()
    assert time.monotonic() - started < CLOSE_S + SLACK_S
    assert broken.exited.is_set()
    assert last or fine.exited.is_set()
    account(pipeline)


@pytest.mark.parametrize("gone", [True, False])
def test_a_sink_that_nobody_reads_any_more_is_not_tried_again(gone: bool) -> None:
    left, fine = Failing(SinkGone("whoever read it has gone")), Keeper()
    pipeline = pipeline_of({"live": Stream()}, Looker(), left, *([] if gone else [fine]))
    if gone:
        with pytest.raises(SinkError, match="whoever read it has gone"):
            pipeline.run()
    else:
        with pipeline:
            until(lambda: len(fine.got) > 100)
        assert pipeline.error is None
    assert len(left.got) == 4
    assert pipeline.stats().sinks[0].failures == 1


def test_a_sink_that_cannot_be_opened_is_an_error_before_any_camera_is_touched() -> None:
    class Closed(Keeper):
        def __enter__(self) -> Any:
            raise SinkError("port in use")

    fine, source, detector = Keeper(), Stream(), Looker()
    pipeline = pipeline_of({"a": source}, detector, Closed(), fine)
    with pytest.raises(SinkError, match="port in use"):
        pipeline.run()
    assert not source.entered
    assert not detector.threads
    assert not fine.entered or fine.exited.is_set()
    with pytest.raises(RuntimeError, match="runs once"):
        pipeline.run()


def test_a_sink_that_hides_its_failure_is_found_out() -> None:
    class Hiding(Failing):
        def __exit__(self, *exc: object) -> Any:
            super().__exit__(*exc)
            return True

    pipeline = pipeline_of({"a": Stream(live=False, count=50)}, Looker(), Hiding(OSError("disk full")))
    with pytest.raises(SinkError, match="hid its own failure"):
        pipeline.run()


def test_a_sink_that_fails_on_closing_has_failed() -> None:
    class Unfinished(Keeper):
        def __exit__(self, *exc: object) -> None:
            raise OSError("no space for the trailer")

    pipeline = pipeline_of({"a": Stream(live=False, count=5)}, Looker(), Unfinished())
    with pytest.raises(SinkError, match="no space for the trailer"):
        pipeline.run()


def test_a_sink_that_takes_what_nobody_makes_is_refused() -> None:
    sink = Keeper()
    sink.takes = Event  # type: ignore[assignment]  # that is what is tested
    with pytest.raises(ConfigError, match="sink Keeper takes Event; allowed: Result, Health, Frame, or"):
        Pipeline().sink(sink)


# ---- detectors


@pytest.mark.parametrize("staged", ["no", "infer", "prepare"])
def test_a_detector_that_fails_on_one_cameras_frames_costs_the_others_nothing(staged: str) -> None:
    def choke(views: Sequence[View]) -> None:
        if any(view.frame.camera == "bad" for view in views):
            raise ValueError("cannot look at this")

    fine: Callable[[Any], None] = slow(0.0)
    detectors: dict[str, Callable[[], Looker]] = {
        "no": lambda: Looker(4, choke),
        "infer": lambda: StagedLooker(4, choke),
        "prepare": lambda: StagedLooker(4, fine, choke),
    }
    detector = detectors[staged]()
    keeper = Keeper()
    streams = {"a": Stream(live=False, count=60), "b": Stream(live=False, count=60)}
    streams["bad"] = Stream(live=False, count=15)  # more of them in a row would be a broken detector
    pipeline = pipeline_of(streams, detector, keeper)
    pipeline.run()
    cameras = account(pipeline)
    assert cameras["bad"].dropped == {"detector": 15}
    for name in ("a", "b"):
        assert [result.frame.index for result in keeper.of(name)] == list(range(60))


@pytest.mark.parametrize("detector", [Looker(4), StagedLooker(4)])
def test_a_detector_that_fails_on_batches_only_works_frame_by_frame(detector: Looker) -> None:
    def alone(views: Sequence[View]) -> None:
        time.sleep(0.001)
        if len(views) > 1:
            raise ValueError("cannot be stacked")

    detector._busy = alone
    keeper = Keeper()
    pipeline = pipeline_of({name: Stream(live=False, count=40) for name in "ab"}, detector, keeper)
    pipeline.run()
    assert max(detector.batches) > 1
    assert account(pipeline)["a"].processed == len(keeper.of("a")) == 40
    for name in "ab":
        assert_gaps_explained(keeper.of(name))


@pytest.mark.parametrize("step", ["detect", "prepare", "infer", "prepare together"])
def test_a_detector_that_always_fails_ends_the_run(step: str) -> None:
    def fail(views: Sequence[View]) -> None:
        raise ValueError("no such operator")

    def fail_together(views: Sequence[View]) -> None:
        if len(views) > 1:
            fail(views)

    detectors: dict[str, Callable[[], Looker]] = {
        "detect": lambda: Looker(3, fail),
        "prepare": lambda: StagedLooker(3, None, fail),
        "infer": lambda: StagedLooker(3, fail),
        "prepare together": lambda: StagedLooker(3, slow(0.003), fail_together),
    }
    detector = detectors[step]()
    pipeline = pipeline_of({name: Stream(live=False) for name in "abc"}, detector, Keeper())
    with pytest.raises(
        DetectorError, match=r"failed on \d+ frames in a row, at last with ValueError: no such"
    ):
        pipeline.run()
    assert sum(camera.dropped.get("detector", 0) for camera in account(pipeline).values()) >= 20


class Wrong(Looker):
    def __init__(self, answer: Callable[[list[Detections]], Any]) -> None:
        super().__init__()
        self._answer = answer

    def detect(self, views: Sequence[View]) -> Any:
        return self._answer(super().detect(views))


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda right: right * 2, "Wrong returned 2 detections for 1 views"),
        (lambda right: [], "Wrong returned 0 detections for 1 views"),
        (lambda right: None, "TypeError"),
        (lambda right: [None], "Wrong returned a NoneType"),
        (lambda right: ["person"], "Wrong returned a str"),
    ],
)
def test_a_wrong_answer_is_the_detectors_fault_and_not_the_sinks(
    answer: Callable[[Any], Any], text: str
) -> None:
    keeper = Keeper()
    pipeline = pipeline_of({"a": Stream(live=False)}, Wrong(answer), keeper)
    with pytest.raises(DetectorError, match=text):
        pipeline.run()
    assert keeper.got == []
    assert pipeline.stats().sinks[0].why == ""
    account(pipeline)


def test_a_detector_that_cannot_be_opened_ends_the_run() -> None:
    class Missing(Looker):
        def __enter__(self) -> Any:
            raise DetectorError("no weights")

    keeper = Keeper()
    pipeline = pipeline_of({"a": Stream(), "b": Stream(live=False)}, Missing(), keeper)
    with pytest.raises(DetectorError, match="no weights"):
        pipeline.run()
    assert keeper.exited.is_set()
    assert not pipeline.stats().ready
    account(pipeline)


def test_a_detector_is_told_of_no_error_at_the_end() -> None:
    detector = Looker()
    pipeline_of({"a": Stream(live=False, count=5)}, detector).run()
    assert detector.exits == [None]


def test_a_detector_that_hides_its_failure_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.failures.BROKEN_AFTER", 1)
    monkeypatch.setattr("streamer.failures.BROKEN_FOR_NS", 0)

    class Hiding(Looker):
        def __exit__(self, *exc: object) -> Any:
            return True

    def fail(views: Sequence[View]) -> None:
        raise ValueError("broken")

    pipeline = pipeline_of({"a": Stream(live=False)}, Hiding(1, fail))
    with pytest.raises(DetectorError, match="hid its own failure"):
        pipeline.run()


def test_a_staged_detector_prepares_beside_the_device_and_in_batches() -> None:
    detector, keeper = StagedLooker(4, slow(0.004)), Keeper()
    pipeline = pipeline_of({name: Stream(live=False, count=40) for name in "abcdef"}, detector, keeper)
    pipeline.run()
    assert len(detector.threads) == len(detector.preparers) == 1
    assert detector.threads.isdisjoint(detector.preparers)
    assert max(detector.batches) == 4
    assert {result.batch for result in keeper.got} <= {1, 2, 3, 4}
    for result in keeper.got:
        assert result.model.name == "staged"
        assert result.detections.score.tolist() == seen(View(result.frame)).score.tolist()
        times = result.timing
        assert (
            times.captured_ns <= times.taken_ns <= times.started_ns <= times.inferred_ns <= times.published_ns
        )


def test_batches_have_one_frame_of_each_live_camera() -> None:
    batches: list[list[str]] = []

    def note(views: Sequence[View]) -> None:
        time.sleep(0.01)
        batches.append([view.frame.camera for view in views])

    pipeline = pipeline_of({name: Stream(fps=400) for name in "abcd"}, Looker(8, note), Keeper())
    pipeline.run(for_s=0.3)
    assert max(map(len, batches)) == 4
    assert all(len(set(batch)) == len(batch) for batch in batches)


@pytest.mark.parametrize("devices", [("cpu", "cpu"), ("cpu", "cuda:0")])
def test_two_models(devices: tuple[str, str]) -> None:
    one, two, keeper = Looker(4), StagedLooker(4), Keeper()
    for detector, device in zip((one, two), devices, strict=True):
        detector.device = device  # type: ignore[attr-defined]  # an optional attribute
    pipeline = Pipeline()
    for number in range(4):
        pipeline.add(Camera(f"c{number}", Stream(live=False, count=40)), (one, two)[number % 2])
    pipeline.sink(keeper)
    pipeline.run()
    for number in range(4):
        results = keeper.of(f"c{number}")
        assert [result.frame.index for result in results] == list(range(40))
        assert {result.model.name for result in results} == {("Looker", "staged")[number % 2]}
    assert (one.threads == two.threads) == (devices[0] == devices[1])


# ---- cameras


def test_names_are_unique_and_there_is_a_camera() -> None:
    pipeline = pipeline_of({"gate": Stream()}, Looker())
    with pytest.raises(ConfigError, match="two cameras called 'gate'"):
        pipeline.add(Camera("gate", Stream()), Looker())
    with pytest.raises(ConfigError, match="no camera"):
        Pipeline().run()


def test_a_recording_that_fails_is_raised_when_the_others_are_through() -> None:
    broken = Scripted([SourceError(Cause.NOT_FOUND, "film: no such file")], live=False, ends=True)
    keeper = Keeper()
    pipeline = pipeline_of({"film": broken, "other": Stream(live=False, count=80)}, Looker(), keeper)
    with pytest.raises(SourceError, match="no such file"):
        pipeline.run()
    assert len(keeper.of("other")) == 80
    account(pipeline)


def test_a_live_camera_that_is_down_costs_the_others_nothing() -> None:
    down = Scripted([SourceError(Cause.NETWORK, "refused")] * 100)
    statuses: list[tuple[str, State]] = []
    keeper = Keeper()
    pipeline = pipeline_of({"down": down, "up": Stream()}, Looker(4), keeper, statuses=statuses)
    with pipeline:
        until(lambda: len(keeper.of("up")) > 40 and down.entered > 2)
    assert ("down", State.RETRYING) in statuses
    assert statuses.count(("up", State.LIVE)) == 1
    assert account(pipeline)["down"].captured == 0


# ---- the end


@pytest.mark.parametrize("seed", range(3))
def test_stop_from_another_thread_while_everybody_is_busy(seed: int) -> None:
    rng = random.Random(seed)
    streams: dict[str, Any] = {f"live{i}": Stream(fps=500) for i in range(6)}
    streams |= {f"film{i}": Stream(live=False) for i in range(3)}
    streams["down"] = Scripted([SourceError(Cause.AUTH, "password")] * 9)
    keepers = [Keeper(slow(0.01, rng)), Keeper()]
    pipeline = pipeline_of(streams, StagedLooker(4, slow(0.02, rng), slow(0.004, rng)), *keepers)
    asked = threading.Event()

    def stop() -> None:
        until(lambda: len(keepers[1].got) > 20 + 20 * seed)
        pipeline.stop()
        asked.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    pipeline.run()
    assert asked.wait(5)
    stopped = time.monotonic()
    stopper.join()
    assert time.monotonic() - stopped < CLOSE_S + SLACK_S
    account(pipeline)
    assert all(keeper.exited.is_set() for keeper in keepers)


def test_stop_before_the_start_ends_at_once() -> None:
    source = Stream()
    pipeline = pipeline_of({"a": source}, Looker())
    pipeline.stop()
    pipeline.run()
    assert not source.entered


def stop_from_outside(pipeline: Pipeline, when: Callable[[], bool]) -> Callable[[], float]:
    """Calls `stop` in another thread; the answer is how long ago that was."""
    at: list[float] = []

    def stop() -> None:
        until(when)
        at.append(time.monotonic())
        pipeline.stop()

    thread = threading.Thread(target=stop)
    thread.start()

    def ago() -> float:
        thread.join()
        return time.monotonic() - at[0]

    return ago


def test_a_source_that_hangs_is_given_up_and_cannot_speak_when_it_wakes() -> None:
    stuck, keeper = Stuck(before=3), Keeper()
    pipeline = pipeline_of({"stuck": stuck, "fine": Stream()}, Looker(), keeper)
    ago = stop_from_outside(pipeline, lambda: stuck.hanging.is_set() and len(keeper.of("fine")) > 20)
    pipeline.run()
    assert ago() < CLOSE_S + SLACK_S
    assert [camera.given_up for camera in pipeline.stats().cameras] == [1, 0]
    assert pipeline._threads.given_up == [], "its loop has ended all the same"
    got = len(keeper.got)
    account(pipeline)
    stuck.wake.set()
    assert stuck.spoke.wait(5)
    until(lambda: not any(thread.name == "camera stuck" for thread in threading.enumerate()))
    assert len(keeper.got) == got
    account(pipeline)


@pytest.mark.usefixtures("impatient")
def test_a_failure_ends_the_run_though_a_camera_hangs() -> None:
    stuck = Stuck()
    pipeline = pipeline_of({"stuck": stuck, "fine": Stream()}, Looker())
    pipeline.sink(Failing(OSError("disk full")), required=True)
    started = time.monotonic()
    with pytest.raises(SinkError, match="disk full"):
        pipeline.run()
    assert time.monotonic() - started < CLOSE_S + SLACK_S
    stuck.wake.set()


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.usefixtures("impatient")
def test_a_detector_that_hangs_is_given_up_and_the_sinks_close(staged: bool) -> None:
    wake, hanging = threading.Event(), threading.Event()

    def hang(views: Sequence[View]) -> None:
        if views[0].frame.index > 5:
            hanging.set()
            wake.wait(20)

    keeper = Keeper()
    detector = StagedLooker(1, hang) if staged else Looker(1, hang)
    pipeline = pipeline_of({"a": Stream()}, detector, keeper)
    ago = stop_from_outside(pipeline, hanging.is_set)
    pipeline.run()
    assert ago() < CLOSE_S + SLACK_S
    assert keeper.exited.is_set()
    assert "infer cpu" in pipeline._threads.given_up
    assert not any(name.startswith(("sink", "analysis")) for name in pipeline._threads.given_up)
    got = len(keeper.got)
    wake.set()
    until(lambda: not any(thread.name == "infer cpu" for thread in threading.enumerate()))
    assert len(keeper.got) == got
    account(pipeline)


@pytest.mark.usefixtures("impatient")
def test_a_sink_that_hangs_is_given_up_and_writes_no_more_when_it_wakes() -> None:
    wake = threading.Event()
    hanging = Keeper(waits_for(wake))
    fine = Keeper()
    pipeline = pipeline_of({"a": Stream()}, Looker(), hanging, fine)
    ago = stop_from_outside(pipeline, lambda: len(fine.got) > 20)
    pipeline.run()
    assert ago() < CLOSE_S + SLACK_S
    assert fine.exited.is_set()
    assert pipeline._threads.given_up == ["sink sink0"]
    wake.set()
    assert hanging.exited.wait(5)
    assert len(hanging.got) == 1  # the one that it was at


@pytest.mark.usefixtures("impatient")
def test_a_sink_that_never_opens_does_not_hold_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.pipeline.SINKS_OPEN_S", 0.1)
    wake = threading.Event()

    class Opening(Keeper):
        def __enter__(self) -> Any:
            wake.wait(20)
            return super().__enter__()

    fine, source = Keeper(), Stream()
    pipeline = pipeline_of({"a": source}, Looker(), Opening(), fine)
    with pytest.raises(SinkError, match="sink sink0 did not open within"):
        pipeline.run()
    assert fine.exited.is_set()
    assert not source.entered
    wake.set()


def test_stats_before_during_and_after() -> None:
    keeper = Keeper()
    pipeline = pipeline_of({"a": Stream()}, Looker(), keeper)
    assert (pipeline.stats().ready, list(pipeline.stats().cameras)) == (False, [])
    with pipeline:
        until(lambda: len(keeper.got) > 10)
        stats = pipeline.stats()
        assert stats.ready
        (camera,) = stats.cameras
        assert camera.status.state is State.LIVE
        assert camera.objects == {"thing": 1}
        assert camera.age_p50_ms is not None
        assert camera.age_p99_ms is not None
        assert 0 <= camera.age_p50_ms <= camera.age_p99_ms
    account(pipeline)
