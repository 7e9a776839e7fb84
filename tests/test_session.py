"""How long a run on the command line lasts."""

from typing import Self

import pytest

from streamer import Camera, Pipeline
from streamer.cli.session import Countdown, run, run_from_ready
from tests.boxes import Keeper, Looker, Stream, until

LOADING = 100  # pictures come while the network is made ready: half a second
FOR_S = 0.2


class SlowToLoad(Looker):
    """Not ready before so many pictures were there."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def __enter__(self) -> Self:
        until(lambda: self._stream.made >= LOADING or self._stream._stop.is_set())
        return super().__enter__()


def pipeline_that_loads() -> tuple[Pipeline, Stream, Keeper]:
    stream, kept = Stream(fps=200), Keeper()
    pipeline = Pipeline()
    pipeline.add(Camera("gate", stream), SlowToLoad(stream))
    pipeline.sink(kept)
    return pipeline, stream, kept


@pytest.mark.timeout(30)
def test_the_demos_time_begins_when_the_network_is_ready() -> None:
    pipeline, stream, kept = pipeline_that_loads()
    assert run_from_ready(pipeline, FOR_S) == 0
    assert stream.made > LOADING
    assert len(kept.got) > 5


@pytest.mark.timeout(30)
def test_time_that_was_asked_for_counts_from_the_start() -> None:
    pipeline, stream, _ = pipeline_that_loads()
    assert run(pipeline, FOR_S) == 0
    assert stream.made < LOADING


def test_a_countdown_waits_for_its_beginning() -> None:
    begun = False
    countdown = Countdown(0.0, lambda: begun)
    assert not countdown.over()
    begun = True
    assert countdown.over()
