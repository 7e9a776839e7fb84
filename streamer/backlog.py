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
# In time for so long: the link carries its stream, what piles up from here on is a stall.
WELL_NS = 1_000_000_000
# Between two connections that were given up for lateness. A link may be too slow for good, and a camera
# whose time stamps run slow looks like one, however often it is connected anew.
FIRST_WAIT_NS, LONGEST_WAIT_NS = 5_000_000_000, 300_000_000_000
# So far behind, a new connection is worth the second that it takes before its time has come.
FAR_BEHIND_NS = 15_000_000_000
CALM_NS = LONGEST_WAIT_NS  # in time for so long: the next trouble is a new one


class Verdict(Enum):
    """What to do with a picture."""

    LIVE = auto()  # hand it on
    BEHIND = auto()  # leave it out: newer ones are about to come
    LATE = auto()  # hand it on and say that it is late: there is nothing newer to be had
    HOPELESS = auto()  # leave it out and connect anew


class Backlog:
    """Judges one live camera's pictures, over all its connections. Used by the camera's thread only.

    A pile that is worked off is skipped. One that is not costs the connection, at first at once, then
    after 5, 10, 20 … 300 s, or 15 s behind; until that time has come, late pictures are better than
    none, if they say so. `late` is True from the first of them until pictures were in time for a second.
    """

    def __init__(self) -> None:
        self.late = False
        self._since_ns: int | None = None  # when this second of being behind began
        self._lag_then_ns = 0
        self._trouble_ns: int | None = None  # when a picture was last behind
        self._too_slow = False
        self._may_reconnect_ns: int | None = None
        self._wait_ns = FIRST_WAIT_NS

    def connected(self) -> None:
        """A new connection: how the one before fared says nothing about this one's pile."""
        self._since_ns = None
        self.late = False

    def judge(self, lag_ns: int, captured_ns: int) -> Verdict:
        """The next picture, by its lag and its arrival (monotonic ns)."""
        if lag_ns <= LATE_NS:
            self._since_ns = None
            if self._trouble_ns is not None:
                self._recover(captured_ns - self._trouble_ns)
            return Verdict.LIVE
        self._trouble_ns = captured_ns
        if self._since_ns is None:
            self._since_ns, self._lag_then_ns = captured_ns, lag_ns
        elif captured_ns - self._since_ns >= CATCH_UP_NS:
            self._too_slow = 2 * lag_ns > self._lag_then_ns
            self._since_ns, self._lag_then_ns = captured_ns, lag_ns
            if self._too_slow and self._may_reconnect(lag_ns, captured_ns):
                return Verdict.HOPELESS
        if not self._too_slow:
            return Verdict.BEHIND
        self.late = True
        return Verdict.LATE

    def _recover(self, well_ns: int) -> None:
        if well_ns > WELL_NS:
            self._too_slow = self.late = False
        if well_ns > CALM_NS:
            self._may_reconnect_ns, self._wait_ns = None, FIRST_WAIT_NS

    def _may_reconnect(self, lag_ns: int, now_ns: int) -> bool:
        if self._may_reconnect_ns is not None:
            if now_ns < self._may_reconnect_ns and lag_ns < FAR_BEHIND_NS:
                return False
            self._wait_ns = min(2 * self._wait_ns, LONGEST_WAIT_NS)
        self._may_reconnect_ns = now_ns + self._wait_ns
        return True
