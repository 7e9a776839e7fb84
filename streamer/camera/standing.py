"""How a camera stands, and that it is said: by its loop alone, in order, and now and then in any case."""

import logging
from collections.abc import Callable

from streamer.camera.pictures import Pictures
from streamer.camera.reader import TOO_SLOW
from streamer.camera.tally import Tally
from streamer.clock import Clock
from streamer.errors import Cause
from streamer.frame import Quality
from streamer.status import State, Status

_log = logging.getLogger("freshframe")

# Said at least so often, for those who came late.
HEARTBEAT_NS = 5_000_000_000


class Standing:
    """One camera's status and quality. Read by anybody, written by the camera's loop only.

    `listener` is called at each change, and every five seconds where there is none.
    """

    def __init__(self, camera: str, tally: Tally, pictures: Pictures, clock: Clock) -> None:
        self.status = Status(State.CONNECTING, clock.now_ns())
        self.quality = Quality.FINE
        self.listener: Callable[[], None] = _nobody
        self._camera = camera
        self._tally = tally
        self._pictures = pictures
        self._clock = clock
        self._told_ns = clock.now_ns()

    def rest(self, due_ns: int | None, happened: Callable[[], bool] = lambda: False) -> None:
        """Until then (monotonic), or until that, or until it is told to stop; meanwhile say what there is.

        `happened` is asked with the tally's lock held, whenever `changed` is notified.
        """
        tally, over = self._tally, False
        while not over:
            self.tell()
            with tally.changed:
                now_ns = self._clock.now_ns()
                over = tally.stopping or happened()
                if over or tally.news or tally.quality_changed:
                    continue
                over = due_ns is not None and now_ns >= due_ns
                times_ns = due_ns, self._pictures.due_ns(now_ns), self._told_ns + HEARTBEAT_NS
                wait_ns = min(time_ns for time_ns in times_ns if time_ns is not None) - now_ns
                if wait_ns > 0:
                    self._clock.wait(tally.changed, wait_ns / 1e9)
        self.tell()

    def tell(self) -> None:
        """Say what the reader left to be said, what quality has become, and that it is there."""
        tally = self._tally
        with tally.lock:
            now_ns = self._clock.now_ns()
            quality = self._pictures.holds(now_ns)
            news = list(tally.news)
            tally.news.clear()
            tally.quality_changed = False
        for late in news:
            self.become(State.LIVE, *((TOO_SLOW, Cause.LATE) if late else ()))
        if quality != self.quality or now_ns - self._told_ns >= HEARTBEAT_NS:
            self.quality = quality
            self._say()

    def become(self, state: State, why: str = "", cause: Cause | None = None) -> None:
        """Another state, or another reason for the same one."""
        same = state is self.status.state
        since_ns = self.status.since_ns if same else self._clock.now_ns()
        self.status = Status(state, since_ns, why, cause)
        self._say()

    def _say(self) -> None:
        self._told_ns = self._clock.now_ns()
        try:
            self.listener()
        except Exception:  # whoever listens must not be mistaken for the source
            _log.exception("camera %s: told of its state, somebody failed", self._camera)


def _nobody() -> None:
    """Listens before the loop runs."""
