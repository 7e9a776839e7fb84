"""What sinks get: a frame, what was seen in it, by which model, and when."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamer.detections import Detections
from streamer.frame import Frame


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which network looked, and how it ran."""

    name: str
    engine: str = "python"
    imgsz: int | None = None
    precision: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """A frame's way through the pipeline, monotonic ns."""

    captured_ns: int  # its packet came out of the demuxer
    taken_ns: int  # it was taken out of the ring, into a batch
    started_ns: int  # the device began
    inferred_ns: int  # the detections were there
    published_ns: int  # the result left for the sinks

    @property
    def age_ns(self) -> int:
        """How old the frame was when the device began to look at it."""
        return self.started_ns - self.captured_ns


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything known about one frame that was looked at."""

    frame: Frame
    detections: Detections
    model: ModelInfo
    timing: Timing
    dropped: Mapping[str, int]  # frames of this camera dropped since its previous result, by reason
    batch: int = 1  # how many frames the device looked at together
