"""A sink that does not work for the time being: when to try again, and what people hear of it."""

import logging
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from streamer.clock import Clock
from streamer.errors import FreshframeError

_log = logging.getLogger("freshframe")

# What has room again should be written to within a second.
FIRST_S = 0.1
LONGEST_S = 0.5
QUIET_NS = 10_000_000_000  # one that comes and goes says so once in this time


@dataclass(slots=True)
class Outage:
    """Since when, and whether people have been told."""

    since_ns: int
    error: FreshframeError
    said: bool = False


class Outages:
    """What of one sink fails: all of it (None), or what it does for one camera. Used in the sink's thread.

    `count`, `error` and `latest` may be read by anybody.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self.count = 0  # outages that began
        self.error: FreshframeError | None = None  # why it does not work now, or not for some camera
        self.latest: FreshframeError | None = None  # the last failure ever
        self._name = name
        self._clock = clock
        self._open: dict[str | None, Outage] = {}
        self._said_ns: dict[str | None, int] = {}
        self._lost: Counter[str] = Counter()  # results by camera, since it last worked
        self._pause_s = FIRST_S

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def whole(self) -> FreshframeError | None:
        """Why all of it does not work now."""
        outage = self._open.get(None)
        return outage.error if outage else None

    def lost(self, camera: str) -> None:
        """One more result that was not written."""
        self._lost[camera] += 1

    def failed(
        self, camera: str | None, error: FreshframeError, say: Callable[[FreshframeError], None]
    ) -> None:
        """A try failed. `say` is called once for an outage, and not too often for one that comes and goes."""
        now_ns = self._clock.now_ns()
        outage = self._open.get(camera)
        if outage is None:
            self.count += 1
            outage = self._open[camera] = Outage(now_ns, error)
        outage.error = self.error = self.latest = error
        said_ns = self._said_ns.get(camera)
        if not outage.said and (said_ns is None or now_ns - said_ns >= QUIET_NS):
            outage.said = True
            self._said_ns[camera] = now_ns
            say(error)

    def works(self, camera: str | None) -> None:
        """Something has been written; a camera is named where that shows that its results can be."""
        whole, part = self._open.pop(None, None), self._open.pop(camera, None)
        if whole is not None:
            self._back(whole, self._name, sum(self._lost.values()))
            self._lost.clear()
        if camera is not None and part is not None:
            self._back(part, f"{self._name}, camera {camera}", self._lost.pop(camera, 0))
        self.error = next((other.error for other in self._open.values()), None)
        self._pause_s = FIRST_S

    def pause_s(self) -> float:
        """How long to wait before the next try: between half of the nominal time and all of it."""
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, LONGEST_S)
        return pause_s * random.uniform(0.5, 1.0)

    def _back(self, outage: Outage, what: str, lost: int) -> None:
        if outage.said:
            took_s = (self._clock.now_ns() - outage.since_ns) / 1e9
            _log.warning("sink %s works again after %.1f s; results lost: %d", what, took_s, lost)
