"""A sink that fails as long as it is told to, in a pipeline whose account is checked, and what it takes."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from streamer import ArrayPicture, Camera, Detections, Frame, ModelInfo, Pipeline, Quality, Result, Timing
from tests.boxes import Keeper, Looker, Stream, until

RECOVERY_S = 1.0  # what is promised once the cause is gone


class Flaky(Keeper):
    """Fails as long as `error` is there: in `write`, and on entering where `shut`."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__(self._maybe)
        self.error = error
        self.shut = False
        self.entries = self.exits = self.refused = 0

    def __enter__(self) -> Any:
        self.entries += 1
        if self.shut and self.error:
            raise self.error
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        self.exits += 1
        super().__exit__(*exc)

    def _maybe(self, result: Result) -> None:
        if self.error:
            self.refused += 1
            raise self.error


@contextmanager
def running(
    *sinks: Any, fps: float = 200.0, cameras: tuple[str, ...] = ("gate",), check: bool = True
) -> Iterator[Pipeline]:
    """A pipeline of live cameras; at its end its account is right."""
    pipeline, detector = Pipeline(on_status=lambda _: None), Looker(4)
    for name in cameras:
        pipeline.add(Camera(name, Stream(fps=fps), seed=1), detector)
    for number, sink in enumerate(sinks):
        pipeline.sink(sink, f"sink{number}")
    with pipeline:
        yield pipeline
    stats = pipeline.stats()
    processed = sum(camera.processed for camera in stats.cameras)
    for sink in stats.sinks if check else []:
        assert processed == sink.written + sum(sink.dropped.values()), sink


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


@pytest.fixture(autouse=True)
def hears(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, "freshframe")
    monkeypatch.setattr(logging.getLogger("freshframe"), "propagate", True)


def cured(pipeline: Pipeline) -> float:
    """How long it takes until the first sink works again."""
    begun = time.monotonic()
    until(lambda: not pipeline.stats().sinks[0].why)
    return time.monotonic() - begun


def down(pipeline: Pipeline) -> str:
    """Wait until the first sink is down; returns why."""
    until(lambda: bool(pipeline.stats().sinks[0].why), timeout_s=20)
    return pipeline.stats().sinks[0].why


def noisy(index: int, camera: str, size: tuple[int, int] = (320, 192)) -> Result:
    """A picture that does not compress well."""
    pixels = np.random.default_rng(index).integers(0, 255, (size[1], size[0], 3), np.uint8)
    at_ns = index * 40_000_000
    picture = ArrayPicture(pixels)
    frame = Frame(camera, 0, index, at_ns, at_ns, at_ns, None, False, Quality.FINE, picture, False)
    return Result(frame, Detections.none(("thing",)), ModelInfo("net"), Timing(*[at_ns] * 5), {})
