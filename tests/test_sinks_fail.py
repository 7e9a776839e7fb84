"""A sink that fails in a pipeline: it comes back, what it lost is counted, the others run on."""

import time
from typing import Any

import pytest

from streamer import Camera, Pipeline, Result, SinkError
from streamer.errors import Unwritten
from tests import failing_sinks
from tests.boxes import Keeper, Looker, Stream, assert_gaps_explained, until
from tests.failing_sinks import RECOVERY_S, Flaky, cured, down, running, said

pytestmark = pytest.mark.timeout(60)
hears = failing_sinks.hears


@pytest.mark.parametrize("shut", [False, True])
def test_a_sink_comes_back_and_its_losses_are_counted(shut: bool, caplog: pytest.LogCaptureFixture) -> None:
    flaky, fine = Flaky(), Keeper()
    with running(flaky, fine) as pipeline:
        until(lambda: len(flaky.got) > 10)
        flaky.shut, flaky.error = shut, OSError("disk full")
        until(lambda: flaky.entries > 4)
        down = pipeline.stats().sinks[0]
        assert "disk full" in down.why
        flaky.error = None
        got, cured = len(flaky.got), time.monotonic()
        until(lambda: len(flaky.got) > got)
        assert time.monotonic() - cured < RECOVERY_S
        until(lambda: len(flaky.got) > got + 20)
        up = pipeline.stats().sinks[0]
    assert (up.why, up.failures) == ("", 1)
    assert up.dropped["sink"] > 10
    assert_gaps_explained(flaky.got)
    assert_gaps_explained(fine.got)
    assert len(fine.got) > len(flaky.got)
    assert flaky.exits == flaky.entries if not shut else flaky.exits > 1
    assert said(caplog, "disk full") == [
        "sink sink0: OSError: disk full; the others run on, and it is tried again"
    ]
    (back,) = said(caplog, "works again")
    assert back.startswith("sink sink0 works again after ")
    assert 10 < int(back.rpartition(" ")[2]) <= up.dropped["sink"]


def test_what_waits_while_it_is_down_is_the_newest() -> None:
    flaky = Flaky()
    with running(flaky, fps=400, cameras=("a", "b")):
        until(lambda: len(flaky.of("a")) > 5 and len(flaky.of("b")) > 5)
        flaky.error = OSError("disk full")
        until(lambda: flaky.entries > 4)
        before, flaky.error = len(flaky.got), None
        until(lambda: len(flaky.got) > before + 2)
        now_ns = time.monotonic_ns()
        first = flaky.got[before]
    assert now_ns - first.timing.published_ns < 0.5e9
    assert first.dropped["sink"] > 10
    for name in ("a", "b"):
        assert_gaps_explained(flaky.of(name))


def test_when_no_sink_works_the_run_goes_on_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    one, two = Flaky(OSError("one")), Flaky(OSError("two"))
    with running(one, two) as pipeline:
        until(lambda: one.entries > 2 and two.entries > 2)
        assert pipeline.error is None
        assert len(said(caplog, "no sink works now")) == 1
    assert isinstance(pipeline.error, SinkError), "in the end it has failed"


def test_a_recording_does_not_wait_for_a_sink_that_is_down() -> None:
    flaky, fine = Flaky(OSError("disk full")), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("film", Stream(live=False, count=400)), Looker(4))
    pipeline.sink(flaky)
    pipeline.sink(fine)
    pipeline.run()
    assert [result.frame.index for result in fine.got] == list(range(400))
    assert pipeline.stats().sinks[0].dropped == {"sink": 400}


def test_the_end_does_not_wait_for_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 100.0)
    monkeypatch.setattr("streamer.outage.LONGEST_S", 100.0)
    flaky = Flaky(OSError("disk full"))
    with running(flaky, Keeper()) as pipeline:
        until(lambda: bool(pipeline.stats().sinks[0].why))
        pipeline.stop()
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 1
    assert pipeline._threads.given_up == []


@pytest.mark.parametrize("shut", [False, True])
def test_a_bug_is_shown_once_and_does_not_flood_the_log(
    shut: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 0.002)
    monkeypatch.setattr("streamer.outage.LONGEST_S", 0.002)
    flaky = Flaky()
    with running(flaky, Keeper(), check=False):
        until(lambda: len(flaky.got) > 2)
        flaky.shut, flaky.error = shut, TypeError("a bug")
        until(lambda: flaky.entries > 50)
        for _ in range(20):  # it comes and goes
            flaky.error = None
            got = len(flaky.got)
            until(lambda: len(flaky.got) > got)  # noqa: B023 - called at once
            flaky.error = TypeError("a bug")
            refused = flaky.entries
            until(lambda: flaky.entries > refused)  # noqa: B023 - called at once
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert len(said(caplog, "a bug")) == 1
    assert len(said(caplog, "works again")) == 1


def test_one_cameras_results_that_cannot_be_written_leave_the_sink_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Half(Keeper):
        broken = True
        entries = 0

        def __enter__(self) -> Any:
            self.entries += 1
            return super().__enter__()

        def write(self, result: Result) -> None:
            if self.broken and result.frame.camera == "b":
                raise Unwritten("no room for b")
            super().write(result)

    half = Half()
    with running(half, Keeper(), cameras=("a", "b")) as pipeline:
        until(lambda: len(half.of("a")) > 30)
        assert not half.of("b")
        assert pipeline.stats().sinks[0].why == "no room for b"
        half.broken = False
        until(lambda: len(half.of("b")) > 10)
        assert pipeline.stats().sinks[0].why == ""
    assert half.entries == 1
    assert len(said(caplog, "no room for b")) == 1
    assert len(said(caplog, "sink sink0, camera b works again")) == 1
    for name in ("a", "b"):
        assert_gaps_explained(half.of(name))


def test_a_required_sink_ends_the_run_at_one_result_too() -> None:
    def refuse(result: Result) -> None:
        raise Unwritten("not this one")

    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream()), Looker())
    pipeline.sink(Keeper(refuse), required=True)
    with pytest.raises(SinkError, match="not this one"):
        pipeline.run()


def test_a_required_sink_ends_the_run_at_system_exit_too() -> None:
    def leave(result: Result) -> None:
        raise SystemExit(3)

    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream()), Looker())
    pipeline.sink(Keeper(leave), "odd", required=True)
    with pytest.raises(SinkError, match="sink odd: SystemExit: 3"):
        pipeline.run()


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddSinkError(SinkError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddUnwritten(Unwritten):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), Odd(), OddSinkError(), OddUnwritten()])
@pytest.mark.parametrize("shut", [False, True])
def test_whatever_a_sink_raises_the_others_run_on(error: BaseException, shut: bool) -> None:
    flaky, fine = Flaky(), Keeper()
    with running(flaky, fine) as pipeline:
        until(lambda: len(flaky.got) > 2)
        flaky.shut, flaky.error = shut, error
        assert type(error).__name__ in down(pipeline)
        seen = len(fine.got)
        until(lambda: len(fine.got) > seen + 20)
        flaky.error = None
        assert cured(pipeline) < RECOVERY_S
    assert pipeline.error is None
    assert_gaps_explained(flaky.got)
