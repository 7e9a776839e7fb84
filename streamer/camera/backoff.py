"""How long to wait before a live camera is tried again."""

import random
from dataclasses import dataclass

from streamer.errors import Cause


@dataclass(frozen=True, slots=True)
class Pace:
    """The first wait and the longest one, in seconds; each is twice the one before."""

    first_s: float
    cap_s: float


# A camera that comes back should be seen within half a second, however long it was away.
FAST = Pace(0.1, 0.5)
# Somebody has to change something. But a media server says "not found" of a camera that is away, too.
ABSENT = Pace(5.0, 15.0)
# Who is asked for a password too often locks the account.
REFUSED = Pace(5.0, 60.0)
_SLOW = {Cause.AUTH: REFUSED, Cause.NOT_FOUND: ABSENT, Cause.CODEC: ABSENT}

# A camera that sends a picture and dies again is not back: without this it would be asked ten times a
# second, by everybody who watches it, while it starts.
STEADY_NS = 5_000_000_000


class Backoff:
    """Exponential, with jitter, so that cameras that fell together do not come back together.

    Used by one thread. Each pace has a wait of its own: a network that fails in between does not make a
    refused password worth asking again sooner.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._waits_s: dict[Pace, float] = {}

    def next_s(self, cause: Cause) -> float:
        """The wait before the next try: between half of the nominal one and all of it."""
        pace = _SLOW.get(cause, FAST)
        wait_s = self._waits_s.get(pace, pace.first_s)
        self._waits_s[pace] = min(2 * wait_s, pace.cap_s)
        return wait_s * self._rng.uniform(0.5, 1.0)

    def lasted(self, delivered_ns: int) -> None:
        """A connection delivered pictures for so long. A steady one makes the next failure a new one."""
        if delivered_ns >= STEADY_NS:
            self._waits_s.clear()
