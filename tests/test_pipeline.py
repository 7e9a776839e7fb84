"""The whole pipeline, with sources, detectors and sinks that follow a script."""

import random
import time
from collections.abc import Sequence

import pipelines
import pytest
from boxes import Keeper, Looker, Scripted, StagedLooker, Stream, assert_gaps_explained, until
from pipelines import account, pipeline_of, slow

from streamer import Camera, Cause, ConfigError, Pipeline, SourceError, State, View

pytestmark = pytest.mark.timeout(30)

no_thread_is_left = pipelines.no_thread_is_left


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
