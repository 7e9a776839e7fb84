"""A camera's own loop: a source in, frames out, opened again when it fails.

Retrying is a state machine around the source; nothing downstream knows of it but by the epoch.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from streamer.backoff import Backoff
from streamer.clock import Clock, MonotonicClock
from streamer.contracts import Captured, Source
from streamer.errors import Cause, SourceError
from streamer.frame import Frame, Quality
from streamer.ring import Writer
from streamer.scene_time import SceneTime

_log = logging.getLogger("freshframe")


class State(StrEnum):
    """Where a camera stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    RETRYING = "retrying"  # will be tried again soon
    FAILED = "failed"  # somebody has to change something first; tried again slowly
    ENDED = "ended"  # for good


@dataclass(frozen=True, slots=True)
class Status:
    """A camera's state, since when (monotonic ns), and why, in one sentence."""

    state: State
    since_ns: int
    why: str = ""
    cause: Cause | None = None


class Camera:
    """One camera of a pipeline. `run` is its loop, for a thread of the pipeline's; the rest is thread-safe.

    `max_fps` leaves out frames (counted as "max_fps") so that no more than that many a second of
    scene time are looked at. `seed` is for tests: it fixes the jitter of the waits.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        max_fps: float | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.captured = 0  # frames decoded, ever; written by the camera's thread only
        self.epoch = -1
        self._interval_ns = round(1e9 / max_fps) if max_fps else 0
        self._clock = clock or MonotonicClock()
        self._backoff = Backoff(random.Random(seed))
        self._wake = threading.Condition()
        self._stopping = False
        self.size: tuple[int, int] | None = None  # of the pictures in this epoch
        self._due_ns: int | None = None
        self._bug = ""
        self.status = Status(State.CONNECTING, self._clock.now_ns())
        self.error: SourceError | None = None  # why it ended, where that was a failure

    def run(self, writer: Writer[Frame], on_change: Callable[["Camera"], None]) -> None:
        """Read until the source ends for good, nobody takes frames any more, or `stop` is called."""
        try:
            while not self._stopping:
                cause, why = self._one_epoch(writer, on_change)
                if self._stopping or self.source.ends:
                    break
                self._become(State.FAILED if cause.failed else State.RETRYING, on_change, why, cause)
                self._sleep(self._backoff.next_s(cause))
        finally:
            writer.close()
            why = str(self.error) if self.error else self.status.why
            self._become(State.ENDED, on_change, why)

    def stop(self) -> None:
        """Ask the loop to end; it does so at the next frame, or at once where it waits for a retry."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        stop = getattr(self.source, "stop", None)
        if stop is not None:
            try:
                stop()
            except Exception:  # somebody else's source: the other cameras must be stopped all the same
                _log.exception("camera %s: its source failed to stop", self.name)

    def _one_epoch(self, writer: Writer[Frame], on_change: Callable[["Camera"], None]) -> tuple[Cause, str]:
        """Connect once and read to the end. Returns why it ended."""
        self.epoch += 1
        self.size = None
        self._due_ns = None
        times = SceneTime(live=self.source.live)
        try:
            with self.source as source:
                for captured in source:
                    if self.status.state is not State.LIVE:
                        self._backoff.reset()
                        self.size = captured.picture.size
                        self._become(State.LIVE, on_change)
                    if not self._hand_over(captured, times, writer):
                        self._stopping = True
                    if self._stopping:
                        break
        except SourceError as error:
            if self.source.ends:
                self.error = error
            return error.cause, str(error)
        except Exception as error:  # somebody else's source: its bug must not reach the other cameras
            text = f"{type(error).__name__}: {error}"
            if text != self._bug:  # once is enough, it is tried again for ever
                self._bug = text
                _log.exception("camera %s: its source failed in a way of its own", self.name)
            if self.source.ends:
                self.error = SourceError(Cause.DAMAGED, f"{self.name}: {type(error).__name__}")
            return Cause.DAMAGED, f"unexpected {type(error).__name__} in its source"
        return Cause.ENDED, "the stream ended"

    def _hand_over(self, captured: Captured, times: SceneTime, writer: Writer[Frame]) -> bool:
        if self.size is None:
            self.size = captured.picture.size
        elif captured.picture.size != self.size:
            self.size = captured.picture.size
            self.epoch += 1  # the size is constant within an epoch
        scene_ns = times.of(captured)
        index = self.captured
        self.captured += 1  # from here on it is accounted for
        if self._interval_ns and not self._wanted(scene_ns):
            writer.drop("max_fps")
            return True
        return writer.put(
            Frame(
                camera=self.name,
                epoch=self.epoch,
                index=index,
                captured_ns=captured.captured_ns,
                scene_ns=scene_ns,
                pts_ns=captured.pts_ns,
                source_ns=captured.source_ns,
                keyframe=captured.keyframe,
                quality=Quality.FINE,
                picture=captured.picture,
                live=self.source.live,
            )
        )

    def _wanted(self, scene_ns: int) -> bool:
        """Keep a steady beat: the next due time counts from the last one, unless the camera was away."""
        if self._due_ns is not None and scene_ns < self._due_ns:
            return False
        late = self._due_ns is None or scene_ns - self._due_ns > self._interval_ns
        self._due_ns = (scene_ns if late or self._due_ns is None else self._due_ns) + self._interval_ns
        return True

    def _sleep(self, seconds: float) -> None:
        deadline_ns = self._clock.now_ns() + round(seconds * 1e9)
        with self._wake:
            while not self._stopping:
                left_s = (deadline_ns - self._clock.now_ns()) / 1e9
                if left_s <= 0:
                    break
                self._clock.wait(self._wake, left_s)

    def _become(
        self,
        state: State,
        on_change: Callable[["Camera"], None],
        why: str = "",
        cause: Cause | None = None,
    ) -> None:
        same = state is self.status.state
        since_ns = self.status.since_ns if same else self._clock.now_ns()
        self.status = Status(state, since_ns, why, cause)
        try:
            on_change(self)
        except Exception:  # whoever listens must not be mistaken for the source
            _log.exception("camera %s: told of its state, somebody failed", self.name)
