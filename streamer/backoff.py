"""How long to wait before a live camera is tried again."""

import random
from dataclasses import dataclass

from streamer.errors import Cause


@dataclass(frozen=True, slots=True)
class Pace:
    """The first wait and the longest one, in seconds; each is twice the one before."""

    first_s: float
    cap_s: float


# A camera that comes back should be seen within half a second, however long it was away. One that
# refuses the password locks the account when it is asked too often.
FAST = Pace(0.1, 0.5)
SLOW = Pace(5.0, 60.0)


class Backoff:
    """Exponential, with jitter, so that cameras that fell together do not come back together.

    Used by one thread. A change between fast and slow causes starts anew.
    """

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._pace = FAST
        self._wait_s = FAST.first_s

    def next_s(self, cause: Cause) -> float:
        """The wait before the next try: between half of the nominal one and all of it."""
        pace = SLOW if cause.failed else FAST
        if pace is not self._pace:
            self._pace, self._wait_s = pace, pace.first_s
        wait_s = self._wait_s
        self._wait_s = min(2 * wait_s, pace.cap_s)
        return wait_s * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """A frame came: the next failure is a new one."""
        self._wait_s = self._pace.first_s
