"""Results and health as messages: here the monotonic clock becomes Unix time, and nowhere else."""

import secrets
import time

import numpy as np

from streamer.health import Health
from streamer.result import Result
from streamer.sources.redaction import redact
from streamer.wire.messages import (
    HEALTH_SCHEMA,
    SCHEMA,
    DetectionsMessage,
    HealthMessage,
    Latency,
    Model,
    Thing,
)

# One for each start of the process: a track is known by session, camera, epoch and number.
SESSION = secrets.token_hex(4)


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
