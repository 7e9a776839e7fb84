"""Sinks in a pipeline: none costs another anything, and each failure is told."""

import threading
import time
from typing import Any

import pipelines
import pytest
from boxes import Keeper, Looker, Stream, assert_gaps_explained, until
from pipelines import CLOSE_S, SLACK_S, Failing, account, pipeline_of, waits_for

from streamer import Camera, ConfigError, Event, Pipeline, SinkError
from streamer.errors import SinkGone

pytestmark = pytest.mark.timeout(30)

no_thread_is_left = pipelines.no_thread_is_left


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
