"""What leaves the process: messages of one versioned schema, as JSON or msgpack.

The monotonic clock becomes Unix time here and nowhere else.
"""

import secrets
import time
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from streamer.errors import FreshframeError
from streamer.health import Health
from streamer.result import Result
from streamer.sources.redaction import redact

SCHEMA: Literal["freshframe.detections/1"] = "freshframe.detections/1"
HEALTH_SCHEMA: Literal["freshframe.health/1"] = "freshframe.health/1"
Encoding = Literal["json", "msgpack"]

# One for each start of the process: a track is known by session, camera, epoch and number.
SESSION = secrets.token_hex(4)


Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]


class MessageError(FreshframeError, ValueError):
    """Bytes that are no message of ours."""


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


class _Headed(msgspec.Struct):
    schema: str


class WallClock:
    """Monotonic to Unix time.

    Anchored at each use: where the system's clock is set, times follow it from then on, and within
    one message they agree to the microsecond.
    """

    def __init__(self) -> None:
        # Another thread may come between two readings; then their distance says so.
        for _ in range(3):
            before_ns, now_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
            if after_ns - before_ns < 100_000:
                break
        self._offset_ns = now_ns - (before_ns + after_ns) // 2

    def unix_s(self, monotonic_ns: int) -> float:
        """Unix seconds, to the microsecond."""
        return round((monotonic_ns + self._offset_ns) / 1e9, 6)


def message(result: Result, seq: int) -> DetectionsMessage:
    """A result as it leaves the process, the `seq`-th of its camera at this publisher."""
    frame, timing, clock = result.frame, result.timing, WallClock()
    width, height = frame.size
    return DetectionsMessage(
        session=SESSION,
        camera=frame.camera,
        epoch=frame.epoch,
        seq=seq,
        frame=frame.index,
        captured=clock.unix_s(frame.captured_ns),
        captured_mono_ns=frame.captured_ns,
        scene_time=clock.unix_s(frame.scene_ns) if frame.live else _seconds(frame.scene_ns),
        pts=None if frame.pts_ns is None else _seconds(frame.pts_ns),
        source_time=None if frame.source_ns is None else _seconds(frame.source_ns),
        published=clock.unix_s(timing.published_ns),
        width=width,
        height=height,
        model=Model(result.model.name, result.model.engine, result.model.imgsz, result.model.precision),
        latency_ms=Latency(
            queue=_ms(timing.taken_ns - timing.captured_ns),
            batch=_ms(timing.started_ns - timing.taken_ns),
            infer=_ms(timing.inferred_ns - timing.started_ns),
            total=_ms(timing.published_ns - timing.captured_ns),
        ),
        lag_ms=_ms(frame.lag_ns),
        batch=result.batch,
        dropped=dict(result.dropped),
        quality=frame.quality.words,
        detections=_things(result, width, height),
        schema=SCHEMA,
    )


def health_message(health: Health, seq: int) -> HealthMessage:
    """A camera's health as it leaves the process, the `seq`-th of its camera at this publisher."""
    clock, status = WallClock(), health.status
    return HealthMessage(
        schema=HEALTH_SCHEMA,
        session=SESSION,
        camera=health.camera,
        epoch=health.epoch,
        seq=seq,
        time=clock.unix_s(health.at_ns),
        state=status.state.value,
        since=clock.unix_s(status.since_ns),
        cause=None if status.cause is None else status.cause.value,
        why=redact(status.why),  # a source of somebody else's may say anything
        quality=health.quality.words,
        began=health.began.words,
        ended=health.ended.words,
        reconnects={cause.value: count for cause, count in health.reconnects.items() if count},
        given_up=health.given_up,
    )


def encode(item: DetectionsMessage | HealthMessage, encoding: Encoding = "json") -> bytes:
    """The message as bytes, without topic or line end."""
    payload: bytes = _ENCODERS[encoding].encode(item)
    return payload


def decode(payload: bytes) -> DetectionsMessage | HealthMessage:
    """The message in these bytes, JSON or msgpack; unknown keys are ignored. Raises MessageError."""
    # A JSON object begins with a brace, which is a number in msgpack: no message begins with one.
    head, decoders = _FROM_JSON if payload.lstrip()[:1] == b"{" else _FROM_MSGPACK
    what = " or ".join(decoders)
    try:
        schema = head.decode(payload).schema
        decoder = decoders.get(schema)
        if decoder is None:
            raise MessageError(f"not a {what} message, but {schema[:64]!r}")
        what = schema
        item: DetectionsMessage | HealthMessage = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MessageError(f"not a {what} message: {error}") from error
    return item


def topic(kind: Literal["det", "event", "health"], camera: str) -> bytes:
    """What a subscription matches. The zero byte ends it, so that cam1 never receives cam10."""
    return f"{kind}.{camera}\0".encode("ascii")


def split(packet: bytes) -> tuple[str, bytes]:
    """Topic and payload of one ZeroMQ frame. Raises MessageError."""
    head, zero, payload = packet.partition(b"\0")
    if not zero or not head.isascii():
        raise MessageError("a packet without a topic")
    return head.decode("ascii"), payload


def read_jsonl(path: str | PathLike[str]) -> Iterator[DetectionsMessage]:
    """The messages of a JSON-lines file, in order.

    A last line without its end is what a killed writer left: it is passed over. Raises MessageError
    with the number of any other line that is no message.
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                item = decode(line)
            except MessageError as error:
                raise MessageError(f"{path}, line {number}: {error}") from error
            if not isinstance(item, DetectionsMessage):
                raise MessageError(f"{path}, line {number}: not a {SCHEMA} message, but {item.schema!r}")
            yield item


def _things(result: Result, width: int, height: int) -> list[Thing]:
    seen = result.detections
    # Rounded to what is meant: a hundredth of a pixel, a ten-thousandth of certainty.
    boxes = np.round(seen.xyxy.astype(np.float64), 2)
    shares = np.round(boxes / (width, height, width, height), 5).tolist()
    scores = np.round(seen.score.astype(np.float64), 4).tolist()
    tracks = [None] * len(seen) if seen.track_id is None else seen.track_id.tolist()
    observed = [True] * len(seen) if seen.observed is None else seen.observed.tolist()
    texts = [None] * len(seen) if "text" not in seen.extra else list(map(_text, seen.extra["text"].tolist()))
    return [
        Thing(class_id, seen.labels[class_id], score, tuple(box), tuple(share), sure, track, text)
        for class_id, score, box, share, sure, track, text in zip(
            seen.class_id.tolist(), scores, boxes.tolist(), shares, observed, tracks, texts, strict=True
        )
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 6)


def _ms(ns: int) -> float:
    return round(ns / 1e6, 3)


_ENCODERS: Mapping[str, Any] = {"json": msgspec.json.Encoder(), "msgpack": msgspec.msgpack.Encoder()}
_FROM_JSON: tuple[Any, Mapping[str, Any]] = (
    msgspec.json.Decoder(_Headed),
    {
        SCHEMA: msgspec.json.Decoder(DetectionsMessage),
        HEALTH_SCHEMA: msgspec.json.Decoder(HealthMessage),
    },
)
_FROM_MSGPACK: tuple[Any, Mapping[str, Any]] = (
    msgspec.msgpack.Decoder(_Headed),
    {
        SCHEMA: msgspec.msgpack.Decoder(DetectionsMessage),
        HEALTH_SCHEMA: msgspec.msgpack.Decoder(HealthMessage),
    },
)
