"""What came out of the pipeline: which frame each result really showed, and each change of state."""

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Self

from streamer.camera import Camera
from streamer.frame import Quality
from streamer.result import Result
from streamer.status import Status
from streamer.watermark import Mark, Reading, read
from streamer.watermark.sighting import WATERMARK


@dataclass(frozen=True, slots=True)
class Seen:
    """One result in hand. Times are monotonic ns."""

    reading: Reading
    size: tuple[int, int]
    epoch: int
    keyframe: bool
    quality: Quality
    captured_ns: int
    lag_ns: int  # how far behind live the pipeline says that it is
    age_ns: int  # at the start of inference, since it was captured
    in_hand_ns: int


@dataclass(frozen=True, slots=True)
class Change:
    """A camera became something else."""

    at_ns: int
    status: Status


class Witness:
    """A sink that notes everything; `changed` is the pipeline's `on_status`.

    `write` is for the sink's thread, `changed` for the cameras'; what was noted is read at the end.
    """

    takes = Result
    backlog = 256  # nothing may be left out for a moment's hiccup of ours

    def __init__(self) -> None:
        self.seen: dict[str, list[Seen]] = defaultdict(list)
        self.changes: list[tuple[str, Change]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        """Note one result."""
        now_ns = time.monotonic_ns()
        frame = result.frame
        self.seen[frame.camera].append(
            Seen(
                _reading(result),
                frame.size,
                frame.epoch,
                frame.keyframe,
                frame.quality,
                frame.captured_ns,
                frame.lag_ns,
                result.timing.age_ns,
                now_ns,
            )
        )

    def changed(self, camera: Camera) -> None:
        """Note a change of state."""
        self.changes.append((camera.name, Change(time.monotonic_ns(), camera.status)))


def _reading(result: Result) -> Reading:
    """What the oracle read; where another detector looked, it is read here."""
    if WATERMARK not in result.detections.labels:
        return read(result.frame.picture.bgr())
    texts = result.detections.extra.get("text")
    if texts is None or not len(texts):
        return Reading(None, None)
    marks = [Mark.parse(text) for text in str(texts[0]).split(" ")]
    return Reading(marks[0], marks[-1])
