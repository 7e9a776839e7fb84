"""A camera's own loop: a source in, frames out, opened again when it fails.

Retrying is a state machine around the source; nothing downstream knows of it but by the epoch.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from streamer.backlog import LATE_NS, Backlog, Verdict
from streamer.backoff import Backoff
from streamer.clock import Clock, MonotonicClock
from streamer.contracts import Captured, Source
from streamer.errors import Cause, SourceError
from streamer.frame import Frame, Quality
from streamer.gate import Beat, Gate
from streamer.ring import Writer
from streamer.scene_time import SceneTime
from streamer.status import State, Status

_log = logging.getLogger("freshframe")

TOO_SLOW = (
    f"pictures come more than {LATE_NS / 1e9:g} s late and do not catch up; the link or this computer is too "
    "slow for the stream, a substream or a lower bit rate would help"
)


class Camera:
    """One camera of a pipeline. `run` is its loop, for a thread of the pipeline's; the rest is thread-safe.

    `max_fps` leaves out frames (counted as "max_fps") so that no more than that many a second of
    scene time go any further. `gates` are asked in turn whether the detector is to look at what is
    left. `seed` is for tests: it fixes the jitter of the waits.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        max_fps: float | None = None,
        gates: Sequence[Gate] = (),
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.name = name
        self.source = source
        self.captured = 0  # frames received, ever; written by the camera's thread only
        self.epoch = -1
        self.reconnects: Counter[Cause] = Counter()  # connections given up or lost, by cause
        self._gates = [Beat(max_fps, "max_fps"), *gates] if max_fps else list(gates)
        self._backlog = Backlog()
        self._gate_failed = False
        self._clock = clock or MonotonicClock()
        self._backoff = Backoff(random.Random(seed))
        self._wake = threading.Condition()
        self._stopping = False
        self.size: tuple[int, int] | None = None  # of the pictures in this epoch
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
                if self.status.state is State.LIVE:
                    self.reconnects[cause] += 1
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
        times = SceneTime(live=self.source.live)
        self._backlog.connected()
        try:
            with self.source as source:
                for captured in source:
                    if self.status.state is not State.LIVE:
                        self._backoff.reset()
                        self.size = captured.picture.size
                        self._become(State.LIVE, on_change)
                    if not self._hand_over(captured, times, writer, on_change):
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

    def _hand_over(
        self,
        captured: Captured,
        times: SceneTime,
        writer: Writer[Frame],
        on_change: Callable[["Camera"], None],
    ) -> bool:
        if self.size is None:
            self.size = captured.picture.size
        elif captured.picture.size != self.size:
            self.size = captured.picture.size
            self.epoch += 1  # the size is constant within an epoch
        if captured.skipped:
            self.captured += captured.skipped
            writer.drop("backlog", captured.skipped)
        frame = Frame(
            camera=self.name,
            epoch=self.epoch,
            index=self.captured,
            captured_ns=captured.captured_ns,
            scene_ns=times.of(captured),
            pts_ns=captured.pts_ns,
            source_ns=captured.source_ns,
            keyframe=captured.keyframe,
            quality=Quality.FINE,
            picture=captured.picture,
            live=self.source.live,
        )
        verdict = self._judge(frame, segmented=captured.segmented)
        self.captured += 1  # from here on it is accounted for
        if verdict in (Verdict.BEHIND, Verdict.HOPELESS):
            writer.drop("backlog")
            if verdict is Verdict.HOPELESS:
                raise SourceError(Cause.LATE, TOO_SLOW)
            return True
        late = self._backlog.late
        if late is not (self.status.cause is Cause.LATE):
            self._become(State.LIVE, on_change, *((TOO_SLOW, Cause.LATE) if late else ()))
        reason = self._kept_back_by(frame)
        if reason is not None:
            writer.drop(reason)
            return True
        return writer.put(replace(frame, quality=Quality.LATE) if verdict is Verdict.LATE else frame)

    def _judge(self, frame: Frame, *, segmented: bool) -> Verdict:
        if self.source.ends:
            return Verdict.LIVE
        if segmented:  # newer ones come with the next segment, and a new connection brings them no sooner
            return Verdict.LATE if frame.lag_ns > LATE_NS else Verdict.LIVE
        return self._backlog.judge(frame.lag_ns, frame.captured_ns)

    def _kept_back_by(self, frame: Frame) -> str | None:
        """The reason of the gate that is shut; None where the frame is to be looked at."""
        try:
            return next((gate.reason for gate in self._gates if not gate.admits(frame)), None)
        except Exception:  # a picture that cannot be read: it is the detector's to fail on, and counted there
            if not self._gate_failed:
                self._gate_failed = True
                _log.exception("camera %s: a gate failed, the frame is looked at", self.name)
            return None

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
