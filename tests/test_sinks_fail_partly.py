"""Results and health that a sink does not take: what counts as failed, and the last try."""

from collections.abc import Callable
from typing import Any

import pytest

from streamer import Camera, Cause, Health, Pipeline, Result, SinkError, SourceError, State
from streamer.errors import Unwritten
from tests import failing_sinks
from tests.boxes import Looker, Stream, until
from tests.failing_sinks import running

pytestmark = pytest.mark.timeout(60)
hears = failing_sinks.hears


class Clerk:
    """A sink of results and health that raises what `refuse` says of an item, if anything."""

    takes: Any = (Result, Health)

    def __init__(self, refuse: Callable[[Any], BaseException | None]) -> None:
        self.got: list[Any] = []
        self.entries = 0
        self._refuse = refuse

    def __enter__(self) -> Any:
        self.entries += 1
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, item: Any) -> None:
        error = self._refuse(item)
        if error is not None:
            raise error
        self.got.append(item)

    @property
    def frames(self) -> list[int]:
        return [item.frame.index for item in self.got if isinstance(item, Result)]

    @property
    def states(self) -> list[State]:
        return [item.status.state for item in self.got if isinstance(item, Health)]


def once(condition: Callable[[Any], bool], error: BaseException) -> Callable[[Any], BaseException | None]:
    """Refuse the first item of which that is true."""
    refused: list[Any] = []

    def refuse(item: Any) -> BaseException | None:
        if refused or not condition(item):
            return None
        refused.append(item)
        return error

    return refuse


def recorded(sink: Any, *cameras: str, count: int = 60) -> Pipeline:
    pipeline = Pipeline(on_status=lambda _: None)
    for name in cameras:
        pipeline.add(Camera(name, Stream(live=False, count=count)), Looker(4))
    pipeline.sink(sink)
    return pipeline


def test_health_that_is_written_shows_that_a_sink_works_again() -> None:
    class Away(Stream):
        def __enter__(self) -> Any:
            raise SourceError(Cause.NETWORK, "away")

    clerk = Clerk(once(lambda item: True, SinkError("one hiccup")))
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Away(), seed=1), Looker())
    pipeline.sink(clerk)
    with pipeline:
        until(lambda: len(clerk.got) > 1)
        assert pipeline.stats().sinks[0].why == ""
    assert pipeline.error is None


def test_one_cameras_results_that_cannot_be_written_fail_no_run() -> None:
    def refuse(item: Any) -> BaseException | None:
        return Unwritten("no room for b") if isinstance(item, Result) and item.frame.camera == "b" else None

    clerk = Clerk(refuse)
    pipeline = recorded(clerk, "a", "b")
    pipeline.run()
    assert clerk.frames == list(range(60))
    assert pipeline.stats().sinks[0].dropped == {"sink": 60}


def test_a_sink_that_wrote_nothing_has_failed_whatever_it_says() -> None:
    clerk = Clerk(lambda item: Unwritten("no room") if isinstance(item, Result) else None)
    with pytest.raises(SinkError, match="no room"):
        recorded(clerk, "a").run()


def test_at_the_end_there_is_a_last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 100.0)
    monkeypatch.setattr("streamer.outage.LONGEST_S", 100.0)
    clerk = Clerk(
        once(lambda item: isinstance(item, Result) and item.frame.index == 40, SinkError("a moment"))
    )
    pipeline = recorded(clerk, "a")
    pipeline.run()
    assert clerk.frames == [*range(40), 59], "the newest of what came meanwhile"
    assert clerk.states[-1] is State.ENDED
    assert clerk.entries == 2
    assert pipeline.stats().sinks[0].dropped == {"sink": 19}


def test_the_last_try_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 100.0)
    clerk = Clerk(
        lambda item: SinkError("full") if isinstance(item, Result) and item.frame.index >= 40 else None
    )
    with pytest.raises(SinkError, match="full"):
        recorded(clerk, "a").run()
    assert clerk.entries == 2


def test_health_that_could_not_be_written_is_written_later() -> None:
    clerk = Clerk(
        once(
            lambda item: isinstance(item, Health) and item.status.state is State.ENDED, SinkError("a moment")
        )
    )
    pipeline = recorded(clerk, "a")
    pipeline.run()
    assert clerk.states[-1] is State.ENDED
    assert clerk.frames[-1] == 59


def test_health_that_never_can_be_written_does_not_hold_up_results() -> None:
    clerk = Clerk(lambda item: TypeError("a bug") if isinstance(item, Health) else None)
    with running(clerk, check=False):
        until(lambda: clerk.entries > 3)
        got = len(clerk.got)
        until(lambda: len(clerk.got) > got + 2)
