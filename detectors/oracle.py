"""A detector that knows the truth: it reads the watermark clock, so that the pipeline is what is measured."""

import math
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import numpy as np

from streamer.detections import Detections
from streamer.errors import ConfigError
from streamer.frame import View
from streamer.result import ModelInfo
from streamer.watermark import Reading, read

WATERMARK, TORN = range(2)


class Oracle:
    """Reports one thing as large as the picture, `watermark` or `torn`, with what it says as its text.

    The text is `camera/frame/time_ns` (- where no time is said); of a torn picture the upper band's and
    the lower band's, with a space between. Where a band cannot be read nothing is reported: it never
    guesses. `takes_ms` is simulated: so long the device is busy with each batch, whatever its size and
    without using the CPU, so that any overload can be had without a network.

    Reading is done in `prepare`, as a network's own look at the pixels is: it is CPU work that runs
    beside the device, and the device's time is `takes_ms` and nothing else.
    """

    labels: Sequence[str] = ("watermark", "torn")
    info = ModelInfo("oracle", "watermark")

    def __init__(self, takes_ms: float = 0.0, max_batch: int = 1) -> None:
        if not isinstance(takes_ms, int | float) or not (math.isfinite(takes_ms) and takes_ms >= 0):
            raise ConfigError(f"oracle: takes_ms={takes_ms!r}: allowed is a number of milliseconds from 0")
        if not isinstance(max_batch, int) or max_batch < 1:
            raise ConfigError(f"oracle: max_batch={max_batch}: allowed is a whole number above 0")
        self.max_batch = max_batch
        self._takes_s = takes_ms / 1e3

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        """One Detections for each view."""
        return self.infer(self.prepare(views))

    def prepare(self, views: Sequence[View]) -> list[Detections]:
        """Read the watermarks. Any thread."""
        return [self._seen(view, read(view.bgr())) for view in views]

    def infer(self, batch: list[Detections]) -> list[Detections]:
        """Be busy with the batch for `takes_ms`."""
        time.sleep(self._takes_s)
        return batch

    def _seen(self, view: View, reading: Reading) -> Detections:
        if reading.mark is not None:
            kind, text = WATERMARK, str(reading.mark)
        elif reading.torn:
            kind, text = TORN, f"{reading.top} {reading.bottom}"
        else:
            return Detections.none(self.labels)
        box = view.region or (0, 0, *view.size)
        return Detections(
            self.labels,
            np.array([box], np.float32),
            np.ones(1, np.float32),
            np.array([kind], np.int32),
            extra={"text": np.array([text])},
        )
