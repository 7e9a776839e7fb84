"""Pipelines whose parts follow a script: how they are put together, and what they must leave behind."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from boxes import Keeper, until

from streamer import Camera, CameraStats, Pipeline, Result, State
from streamer.pipeline import FLUSH_S, STOP_S

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


@pytest.fixture
def soon_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many failures are enough, however soon they come; test_failures.py sees to the two seconds."""
    monkeypatch.setattr("streamer.failures.BROKEN_FOR_NS", 50_000_000)


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


class Failing(Keeper):
    """Fails at its fifth result."""

    def __init__(self, error: Exception) -> None:
        super().__init__(self._fail)
        self._error = error

    def _fail(self, result: Result) -> None:
        if len(self.got) == 4:
            raise self._error


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
