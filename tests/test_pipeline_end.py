"""How a pipeline ends: when it is told to, when something fails, and when something hangs."""

import random
import threading
import time
from collections.abc import Sequence
from typing import Any

import pipelines
import pytest
from boxes import Keeper, Looker, Scripted, StagedLooker, Stream, Stuck, until
from pipelines import CLOSE_S, SLACK_S, Failing, account, pipeline_of, slow, stop_from_outside, waits_for

from streamer import Cause, SinkError, SourceError, View

pytestmark = pytest.mark.timeout(30)

impatient, no_thread_is_left = pipelines.impatient, pipelines.no_thread_is_left


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
