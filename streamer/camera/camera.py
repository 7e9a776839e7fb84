"""A camera's own loop: it has its source read, again and again, and says how the camera is.

It never enters native code: a source that hangs there hangs a reader, and the loop notices.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from streamer.camera import arenas, strangers
from streamer.camera.backoff import Backoff
from streamer.camera.intake import PACE, Intake
from streamer.camera.pictures import Pictures, PictureWatch
from streamer.camera.reader import Outcome, Reader
from streamer.camera.standing import Standing
from streamer.camera.tally import Tally
from streamer.camera.watching import Phase, Sign, Watching
from streamer.clock import Clock, MonotonicClock
from streamer.contracts import Source
from streamer.errors import Cause, SourceError, text_of
from streamer.frame import Frame, Quality
from streamer.gate import Beat, Gate
from streamer.looking import EVERYTHING, Looking
from streamer.ring import Writer
from streamer.status import State, Status

_log = logging.getLogger("freshframe")

# A source that was told to stop mostly does: one that reads, but gets no picture, does not hang.
GRACE_NS = 500_000_000
LEAVE_NS = 300_000_000  # at the end, for it to close: nobody waits longer for that
# Threads that hang hold a decoder and a connection each; cameras serve few connections at a time.
MOST_HUNG = 3
_DOING = {Phase.OPENING: "connecting has taken", Phase.LOOKING: "looking at a picture has taken"}


class Camera:
    """One camera of a pipeline. `run` is its loop, for a thread of the pipeline's; the rest is thread-safe.

    `max_fps` leaves out frames (counted as "max_fps") so that no more than that many a second of
    scene time go any further. `gates` are asked in turn whether the detector is to look at what is
    left; `looking` says what of that is wanted. `pictures` says what is wrong with what the camera shows.
    `seed` is for tests: it fixes the jitter of the waits.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        max_fps: float | None = None,
        gates: Sequence[Gate] = (),
        looking: Looking = EVERYTHING,
        pictures: PictureWatch | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.name = name
        self.source = source  # the one that is read, or will be next
        self.looking = looking
        self.reconnects: Counter[Cause] = Counter()  # connections given up or lost, by cause
        self.given_up = 0  # threads that hung in native code and were left behind
        self.error: SourceError | None = None  # why it ended, where that was a failure
        self._clock = clock or MonotonicClock()
        self._tally = Tally()
        looked_after = Pictures(name, pictures)
        self._intake = Intake(name, [Beat(max_fps, PACE), *gates] if max_fps else gates, looked_after)
        self._standing = Standing(name, self._tally, looked_after, self._clock)
        self._backoff = Backoff(random.Random(seed))
        self._hung: list[Reader] = []
        self._viewers: Sequence[Callable[[Frame], object]] = ()
        self._bug = ""

    @property
    def status(self) -> Status:
        """Where it stands, and why."""
        return self._standing.status

    @property
    def quality(self) -> Quality:
        """What is wrong with its pictures now."""
        return self._standing.quality

    @property
    def captured(self) -> int:
        """Frames received, ever."""
        return self._tally.captured

    @property
    def epoch(self) -> int:
        """The stream's generation: +1 at each try to connect and change of size, -1 before the first."""
        return self._tally.epoch

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the pictures in this epoch; None before the first."""
        return self._tally.size

    def run(
        self,
        writer: Writer[Frame],
        on_change: Callable[["Camera"], None],
        viewers: Sequence[Callable[[Frame], object]] = (),
    ) -> None:
        """Read until the source ends for good, nobody takes frames any more, or `stop` is called.

        `on_change` is called in this thread: at each change of `status` or `quality`, and every five
        seconds besides. `viewers` get each frame that `max_fps` and the drop-to-live rule leave, looked at
        or not, in the reader's thread: they return at once.
        """
        self._viewers = viewers
        self._standing.listener = partial(on_change, self)
        reader: Reader | None = None
        try:
            while self._room():
                reader = self._start(writer)
                outcome = self._attend(reader)
                if outcome is None or outcome.unwanted or self.source.ends:
                    break
                if reader.delivered_ns is not None:
                    self.reconnects[outcome.cause] += 1
                    self._backoff.lasted(reader.delivered_ns)
                    arenas.trim(self._clock.now_ns())
                state = State.FAILED if outcome.cause.failed else State.RETRYING
                self._standing.become(state, outcome.why, outcome.cause)
                self._standing.rest(self._clock.now_ns() + round(self._backoff.next_s(outcome.cause) * 1e9))
        finally:
            self._dismiss(reader)
            writer.close()
            status, error = self.status, self.error
            why, cause = (text_of(error), error.cause) if error else (status.why, status.cause)
            self._standing.become(State.ENDED, why, cause)

    def stop(self) -> None:
        """Ask the loop to end; it does so within half a second, whatever its source does."""
        with self._tally.changed:
            self._tally.stopping = True
            self._tally.changed.notify_all()
        strangers.tell_to_stop(self.name, self.source)

    # ---- one connection

    def _start(self, writer: Writer[Frame]) -> Reader:
        tally = self._tally
        with tally.lock:
            tally.epoch += 1
            tally.size = None
        reader = Reader(self.source, tally, self._intake, writer, self._clock, viewers=self._viewers)
        # A daemon, for one that hangs in native code can never be joined.
        threading.Thread(target=reader.run, name=f"camera {self.name}", daemon=True).start()
        return reader

    def _attend(self, reader: Reader) -> Outcome | None:
        """Until its connection is over, or given up. None where the loop was told to stop."""
        watching = Watching()
        while not self._tally.stopping and reader.outcome is None:
            sign, since_ns, awaited = self._look(reader, watching)
            if sign is Sign.SILENT and self.status.state is not State.SILENT:
                # "Over": it stays true for as long as it is shown.
                why = f"{self._doing(reader)} over {self._seconds(since_ns)}"
                self._standing.become(State.SILENT, why, Cause.SILENCE)
            elif sign is Sign.STUCK and (given_up := self._give_up(reader, since_ns)) is not None:
                return given_up
            self._standing.rest(watching.due_ns, partial(_came_to_something, reader, awaited))
        self._standing.tell()  # also of what came and went at once
        outcome = reader.outcome
        if self._tally.stopping or outcome is None:
            return None
        if reader.let_go and outcome.cause is Cause.ENDED:  # as it was told to: that is no reason
            return Outcome(Cause.SILENCE, reader.let_go, unwanted=outcome.unwanted)
        self._note_failure(outcome)
        return outcome

    def _look(self, reader: Reader, watching: Watching) -> tuple[Sign, int | None, bool]:
        """How it is, since when it waits, and whether its next picture is news."""
        if not self.source.live or self.source.ends:
            return Sign.FINE, None, False
        with self._tally.lock:
            since_ns = reader.since_ns
            sign = watching.look(self._clock.now_ns(), since_ns, reader.phase, self._tally.silence.limit_ns)
            if sign is not Sign.FINE:
                reader.awaited = True
            return sign, since_ns, reader.awaited

    def _give_up(self, reader: Reader, since_ns: int | None) -> Outcome | None:
        """Leave it behind with its source. None where there is no other source, or it woke in time."""
        what = f"{self._doing(reader)} {self._seconds(since_ns)}"
        source = strangers.renewed(self.name, self.source, self._tally)
        if self._tally.stopping:
            return None
        if source is None:
            why = f"{what}: its thread hangs in native code, and a source of its kind cannot be replaced"
            self._standing.become(State.SILENT, why, Cause.SILENCE)
            return None
        self.source, reader.let_go = source, what
        strangers.tell_to_stop(self.name, reader.source)
        self._standing.rest(
            self._clock.now_ns() + GRACE_NS, lambda: reader.outcome is not None or reader.since_ns != since_ns
        )
        if self._tally.stopping:
            return None
        if reader.outcome is not None:
            return Outcome(Cause.SILENCE, what)
        with self._tally.lock:
            if reader.since_ns != since_ns:
                return None
            reader.revoked = True
        self._left_behind(what)
        self._hung.append(reader)
        return Outcome(Cause.SILENCE, f"{what}: its thread hangs in native code and was replaced")

    def _room(self) -> bool:
        """Wait until another reader may be started. False where the loop was told to stop."""

        def full() -> bool:
            return sum(reader.outcome is None for reader in self._hung) >= MOST_HUNG

        if full():
            why = f"{MOST_HUNG} threads hang in native code; it is tried again when one of them comes back"
            self._standing.become(State.SILENT, why, Cause.SILENCE)
            self._standing.rest(None, lambda: not full())
        self._hung = [reader for reader in self._hung if reader.outcome is None]
        return not self._tally.stopping

    def _dismiss(self, reader: Reader | None) -> None:
        """The end: it may close its source; where that takes long, it is left behind."""
        if reader is None or reader.revoked or reader.outcome is not None:
            return
        with self._tally.changed:
            reader.revoked = True
            deadline_ns = self._clock.now_ns() + LEAVE_NS
            while reader.outcome is None and (left_ns := deadline_ns - self._clock.now_ns()) > 0:
                self._clock.wait(self._tally.changed, left_ns / 1e9)
            if reader.outcome is not None:
                return
        self._left_behind(f"told to stop, it did not within {LEAVE_NS / 1e9:g} s")

    def _left_behind(self, what: str) -> None:
        self.given_up += 1
        _log.warning("camera %s: %s; its thread was left behind", self.name, what)

    def _note_failure(self, outcome: Outcome) -> None:
        error = outcome.error
        if error is None:
            return
        if not isinstance(error, SourceError):
            text = f"{type(error).__name__}: {text_of(error)}"
            if text != self._bug:  # once is enough, it is tried again for ever
                self._bug = text
                _log.error("camera %s: its source failed in a way of its own", self.name, exc_info=error)
            error = SourceError(Cause.DAMAGED, f"{self.name}: {type(error).__name__}")
        if self.source.ends:
            self.error = error

    def _doing(self, reader: Reader) -> str:
        return _DOING.get(reader.phase, "nothing came for")

    def _seconds(self, since_ns: int | None) -> str:
        waited_s = (self._clock.now_ns() - (since_ns or 0)) / 1e9
        return f"{waited_s:.1f} s" if waited_s < 9.5 else f"{waited_s:.0f} s"


def _came_to_something(reader: Reader, awaited: bool) -> bool:
    """Its connection is over, or the picture came that was waited for."""
    return reader.outcome is not None or (awaited and not reader.awaited)
