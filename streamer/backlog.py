"""The drop-to-live rule: pictures that lie too far behind live are left out, not replayed as live.

After a stall TCP delivers everything that piled up, and over a link that is too slow for its stream
the pile never ends. Arrival cannot tell: each picture has just come. What tells is the lag, how far
behind the stream's own best a picture came (`Frame.lag_ns`).
"""

from enum import Enum, auto

# Networks jitter by 200 ms, B-frames and large keyframes add to that; half of it is still live.
LATE_NS = 500_000_000
# A pile that is not half as high a second later is not being worked off: a new connection is faster.
CATCH_UP_NS = 1_000_000_000
# Between two connections that were given up for lateness: a link may be too slow for good.
FIRST_WAIT_NS, LONGEST_WAIT_NS = 5_000_000_000, 20_000_000_000
CALM_NS = 60_000_000_000  # in time for so long: the next trouble is a new one


class Verdict(Enum):
    """What to do with a picture."""

    LIVE = auto()  # hand it on
    BEHIND = auto()  # leave it out: newer ones are about to come
    LATE = auto()  # hand it on and say that it is late: there is nothing newer to be had
    HOPELESS = auto()  # leave it out and connect anew


class Backlog:
    """Judges one live camera's pictures, over all its connections. Used by the camera's thread only.

    A pile that is worked off is skipped. One that is not costs the connection, at first at once, then
    after 5, 10 and 20 s; until that time has come, late pictures are better than none, if they say so.
    """

    def __init__(self) -> None:
        self._since_ns: int | None = None  # when this second of being behind began
        self._lag_then_ns = 0
        self._trouble_ns: int | None = None  # when a picture was last behind
        self._forget()

    def _forget(self) -> None:
        self._too_slow = False
        self._may_reconnect_ns: int | None = None
        self._wait_ns = FIRST_WAIT_NS

    def connected(self) -> None:
        """A new connection: how the one before fared says nothing about this one's pile."""
        self._since_ns = None

    def judge(self, lag_ns: int, captured_ns: int) -> Verdict:
        """The next picture, by its lag and its arrival (monotonic ns)."""
        if lag_ns <= LATE_NS:
            self._since_ns = None
            if self._trouble_ns is not None and captured_ns - self._trouble_ns > CALM_NS:
                self._forget()
            return Verdict.LIVE
        self._trouble_ns = captured_ns
        if self._since_ns is None:
            self._since_ns, self._lag_then_ns = captured_ns, lag_ns
        elif captured_ns - self._since_ns >= CATCH_UP_NS:
            self._too_slow = 2 * lag_ns > self._lag_then_ns
            self._since_ns, self._lag_then_ns = captured_ns, lag_ns
            if self._too_slow and self._may_reconnect(captured_ns):
                return Verdict.HOPELESS
        return Verdict.LATE if self._too_slow else Verdict.BEHIND

    def _may_reconnect(self, now_ns: int) -> bool:
        if self._may_reconnect_ns is not None:
            if now_ns < self._may_reconnect_ns:
                return False
            self._wait_ns = min(2 * self._wait_ns, LONGEST_WAIT_NS)
        self._may_reconnect_ns = now_ns + self._wait_ns
        return True
