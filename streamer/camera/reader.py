"""One connection of a camera, in a thread of its own, where native code may take as long as it likes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from streamer.backlog import LATE_NS, Verdict
from streamer.camera.intake import PACE, Intake
from streamer.camera.tally import Tally
from streamer.camera.watching import Phase
from streamer.clock import Clock
from streamer.contracts import Captured, Source
from streamer.errors import Cause, SourceError, text_of
from streamer.frame import Frame
from streamer.ring import Writer

TOO_SLOW = (
    f"pictures come more than {LATE_NS / 1e9:g} s late and do not catch up; the link or this computer is too "
    "slow for the stream, a substream or a lower bit rate would help"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a connection ended."""

    cause: Cause
    why: str
    error: Exception | None = None
    unwanted: bool = False  # nobody takes frames any more


class Reader:
    """Enters the source, hands its pictures over, and closes it: `run`, once, in a thread.

    The camera's loop looks at `since_ns` (when it entered its source, or began to look at a picture,
    monotonic; None while it waits for the frame to be taken) and `phase`. With the tally's lock held, it
    may set `awaited` (the next picture is news) and `revoked`: then it counts nothing, says nothing and
    changes nothing any more, whenever it wakes, but closes its source. `let_go` is for the loop alone: why
    it had the source told to stop.
    """

    def __init__(
        self,
        source: Source,
        tally: Tally,
        intake: Intake,
        writer: Writer[Frame],
        clock: Clock,
        *,
        viewers: Sequence[Callable[[Frame], object]] = (),
    ) -> None:
        self.source = source
        self.since_ns: int | None = None
        self.phase = Phase.OPENING
        self.awaited = True
        self.revoked = False
        self.let_go = ""
        self.delivered_ns: int | None = None  # from the first picture to the last one
        self.outcome: Outcome | None = None
        self._tally = tally
        self._intake = intake
        self._writer = writer
        self._clock = clock
        self._viewers = viewers
        self._first_ns = 0
        self._late = False

    def run(self) -> None:
        """Read to the end of the connection; `outcome` says how it ended."""
        outcome = Outcome(Cause.DAMAGED, "its reader failed in a way of its own")
        try:
            outcome = self._read()
        except SourceError as error:
            # A new one: its traceback would hold on to this reader, its pictures and the decoder.
            cause, text = _cause_of(error), text_of(error)
            outcome = Outcome(cause, text, SourceError(cause, text))
        except BaseException as error:  # somebody else's source: its bug must not reach the other cameras
            outcome = Outcome(Cause.DAMAGED, f"unexpected {type(error).__name__} in its source", _kept(error))
        finally:
            with self._tally.changed:
                self.outcome, self.since_ns = outcome, None
                self._tally.changed.notify_all()

    def _read(self) -> Outcome:
        self._tally.silence.connected(sparse=_sparse(self.source))
        self._intake.connected(live=self.source.live, ends=self.source.ends)
        self._wait(Phase.OPENING)
        wanted = True
        with self.source as source:
            with self._tally.lock:
                if not self.revoked:  # else it is its successor's
                    self._tally.silence.opened(sparse=_sparse(source))
            try:
                self._wait(Phase.JOINING)
                for captured in source:
                    wanted = self._hand_over(captured)
                    if not wanted:
                        break
                    self.since_ns = self._clock.now_ns()
            finally:  # closing may hang as well
                self._wait(Phase.OPENING if self.delivered_ns is None else Phase.STREAMING)
        return Outcome(Cause.ENDED, "the stream ended", unwanted=not wanted)

    def _wait(self, phase: Phase) -> None:
        self.phase = phase
        self.since_ns = self._clock.now_ns()

    def _hand_over(self, captured: Captured) -> bool:
        """False: nobody wants it, or nobody wants to hear of this reader."""
        tally, intake, clock = self._tally, self._intake, self._clock
        now_ns = clock.now_ns()
        with tally.lock:
            if self.revoked:
                return False
            self.since_ns, self.phase = now_ns, Phase.LOOKING
            tally.silence.heard(now_ns)
            tally.silence.segmented = captured.segmented
        epoch, size, skipped = tally.epoch, captured.picture.size, captured.skipped
        if size != tally.size and tally.size is not None:
            epoch += 1  # the size is constant within an epoch
        index = tally.captured + skipped + captured.undecoded
        frame, verdict, shows = intake.judge(captured, epoch, index)
        if self.revoked:  # the gates are its successor's
            return False
        handed_on = verdict is Verdict.LIVE or verdict is Verdict.LATE
        reason = intake.kept_back_by(frame) if handed_on else "backlog"
        with tally.lock:
            if self.revoked:
                return False
            tally.captured, tally.epoch, tally.size = index + 1, epoch, size
            # Whoever waits now waits for whoever is to take the frame: that is no sign of anything.
            self.since_ns, self.phase = None, Phase.STREAMING
            late = verdict is Verdict.LATE
            quality_changed = intake.pictures.came(shows, captured.damaged, late, clock.now_ns())
            if self.awaited or quality_changed or intake.late is not self._late:
                self._report(quality_changed)
        # From here on it is accounted for.
        if self.delivered_ns is None:
            self._first_ns = now_ns
        self.delivered_ns = now_ns - self._first_ns
        if skipped:
            self._writer.drop("backlog", skipped)
        if captured.undecoded:
            self._writer.drop("decode", captured.undecoded)
        if handed_on and reason != PACE:
            for show in self._viewers:
                show(frame)
        if reason is None:
            return self._writer.put(frame)
        self._writer.drop(reason)
        if verdict is Verdict.HOPELESS:
            raise SourceError(Cause.LATE, TOO_SLOW)
        return True

    def _report(self, quality_changed: bool) -> None:
        late = self._intake.late
        if self.awaited or late is not self._late:
            self.awaited, self._late = False, late
            self._tally.news.append(late)
        self._tally.quality_changed |= quality_changed
        self._tally.changed.notify_all()


def _sparse(source: Source) -> bool:
    return bool(getattr(source, "sparse", False))


def _cause_of(error: SourceError) -> Cause:
    """Its cause; somebody else's may be anything."""
    try:
        return Cause(error.cause)
    except Exception:
        return Cause.DAMAGED


def _kept(error: BaseException) -> Exception:
    """SystemExit and its like end a thread, not the program: here they are an error as any other."""
    return error if isinstance(error, Exception) else RuntimeError(type(error).__name__)
