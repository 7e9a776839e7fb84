"""The kinds of detectors there are, and how each is called: whole, staged, spread."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeGuard

from streamer.contracts import Detector, QueueDetector, Spread, SpreadDetector, StagedDetector
from streamer.cores import physical_cores
from streamer.detections import Detections
from streamer.errors import DetectorError, FreshframeError
from streamer.frame import View
from streamer.result import ModelInfo


def is_staged(detector: object) -> TypeGuard[StagedDetector]:
    """Whether preparing can run beside inferring.

    These look for the methods themselves: `isinstance` with a protocol takes 20 µs, for each frame.
    """
    return hasattr(detector, "prepare") and hasattr(detector, "infer")


def is_spread(detector: object) -> TypeGuard[SpreadDetector]:
    """Whether its preparing falls into steps."""
    return hasattr(detector, "prepare_spread") and is_staged(detector)


def has_queue(detector: object) -> TypeGuard[QueueDetector]:
    """Whether its device works on while results are read."""
    return hasattr(detector, "wait") and hasattr(detector, "read") and is_staged(detector)


def model_info(detector: Detector) -> ModelInfo:
    """What a detector says of itself, or its class's name."""
    info = getattr(detector, "info", None)
    return info if isinstance(info, ModelInfo) else ModelInfo(type(detector).__name__)


@contextmanager
def entered(detector: Detector) -> Iterator[None]:
    """The detector opened; what it raises then says whose it is."""
    with ExitStack() as opened:
        try:
            opened.enter_context(detector)
        except FreshframeError:
            raise
        except Exception as error:
            name = type(detector).__name__
            raise DetectorError(f"{name} cannot be opened: {type(error).__name__}: {error}") from error
        yield


def places(detector: object) -> int:
    """How many frames a detector takes at once."""
    return max(1, int(getattr(detector, "max_batch", 1)))


def helpers(detectors: Sequence[Detector]) -> int:
    """How many threads may help to prepare these detectors' batches: none where frames come singly."""
    return min(physical_cores(), max(map(places, detectors))) - 1


def prepare(detector: Detector, views: Sequence[View], spread: Spread) -> Any:
    """A batch made ready on the CPU. Any thread."""
    if is_spread(detector):
        return detector.prepare_spread(views, spread)
    if not is_staged(detector) or places(detector) > 1:
        # Converted here, once: not on the device's thread, and side by side. Not by how many there are
        # now: a frame must fail alone as it does among others.
        spread([view.bgr for view in views])
    return detector.prepare(views) if is_staged(detector) else views


def infer(detector: Detector, prepared: Any, count: int) -> list[Detections]:
    """What a prepared batch of so many views shows."""
    seen = detector.infer(prepared) if is_staged(detector) else detector.detect(prepared)
    return checked(detector, seen, count)


def checked(detector: Detector, seen: Sequence[Detections], count: int) -> list[Detections]:
    """Somebody else's answer, if it can be one. Raises DetectorError."""
    if len(seen) != count:
        raise DetectorError(f"{type(detector).__name__} returned {len(seen)} detections for {count} views")
    for one in seen:
        if not isinstance(one, Detections):
            raise DetectorError(f"{type(detector).__name__} returned a {type(one).__name__} for a Detections")
    return list(seen)
