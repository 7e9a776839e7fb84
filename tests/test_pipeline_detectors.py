"""Detectors in a pipeline: one at a time and in batches, failing and wrong."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import pipelines
import pytest
from boxes import Keeper, Looker, StagedLooker, Stream, assert_gaps_explained, seen
from pipelines import account, pipeline_of, slow

from streamer import Camera, Detections, DetectorError, Pipeline, View

pytestmark = pytest.mark.timeout(30)

no_thread_is_left, soon_broken = pipelines.no_thread_is_left, pipelines.soon_broken


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
def test_a_detector_that_always_fails_ends_the_run(step: str, soon_broken: None) -> None:
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
    answer: Callable[[Any], Any], text: str, soon_broken: None
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
