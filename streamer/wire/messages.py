"""What a message holds: one versioned schema for detections, one for health."""

from typing import Annotated, Literal

import msgspec

SCHEMA: Literal["freshframe.detections/1"] = "freshframe.detections/1"
HEALTH_SCHEMA: Literal["freshframe.health/1"] = "freshframe.health/1"

Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class Thing(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was seen."""

    class_id: Count
    label: str
    score: float
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels of the source frame, origin top left
    box_n: tuple[float, float, float, float]  # the same in 0…1
    observed: bool = msgspec.field(default_factory=lambda: True)  # False: the tracker predicts it
    track: int | None = None
    text: str | None = None  # what is written on it, where a detector reads it


class Model(msgspec.Struct, frozen=True):
    """Which network looked."""

    name: str
    engine: str
    imgsz: int | None
    precision: str | None


class Latency(msgspec.Struct, frozen=True):
    """Where a frame's time went, in ms."""

    queue: float  # captured → taken into a batch
    batch: float  # → the device began: prepared, and waited for the device
    infer: float  # → detections
    total: float  # captured → published


class DetectionsMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen in one frame of one camera. Times are Unix seconds; a file's are its own."""

    schema: Literal["freshframe.detections/1"]
    session: str
    camera: Name
    epoch: Count
    seq: Count  # per session and camera, gap-free at the publisher
    frame: Count  # as decoded: gaps are frames dropped anywhere before
    captured: float
    captured_mono_ns: int
    scene_time: float
    pts: float | None
    source_time: float | None
    published: float
    width: Count
    height: Count
    model: Model
    latency_ms: Latency
    lag_ms: float = 0.0  # how far behind live it arrived: beside `latency_ms.total`, the rest of its age
    batch: Count
    dropped: dict[str, Count]
    quality: list[str]
    detections: list[Thing]


class HealthMessage(msgspec.Struct, frozen=True, kw_only=True):
    """How one camera is: whole each time, so that the newest says it all. Times are Unix seconds."""

    schema: Literal["freshframe.health/1"]
    session: str
    camera: Name
    epoch: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]  # -1 before the first picture
    seq: Count  # of this camera's health messages
    time: float
    state: str  # of streamer.status.State
    since: float
    cause: str | None  # of streamer.errors.Cause
    why: str  # one sentence; empty where all is well
    quality: list[str]  # what is wrong with its pictures now
    began: list[str]  # of it, what was not at the message before
    ended: list[str]  # what was wrong then, and is no more
    reconnects: dict[str, Count]  # connections that were lost or given up, by cause
    given_up: Count  # threads that hung in native code and were left behind
