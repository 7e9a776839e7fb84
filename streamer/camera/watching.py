"""When a reader that waits for a picture is silent, and when it hangs: the limits, without a thread."""

from enum import Enum, auto

from streamer.silence import LEAST_NS

# A source gives up by itself, after 5 s without data, 20 s in segments: one that is still in there
# after twice that hangs in native code, where its own time limits are not looked at.
STUCK_NS = 10_000_000_000
STUCK_TIMES_SILENT = 3
# Connecting takes longer where all is well but slow: a name that is looked up with two dead name servers
# takes 20 s (resolv.conf: 5 s a server, tried twice), and a patient try at the handshake 10 s.
STUCK_OPENING_NS = 30_000_000_000
# Looking at a picture takes milliseconds; on a machine that swaps it may take a second or two.
LOOKING_NS = 2_000_000_000
# Between connecting and the first picture a source waits for a keyframe, up to 30 s, and then says so.
STUCK_JOINING_NS = 40_000_000_000
# Nothing is usual before the second picture. Few cameras send less than one in five seconds.
UNKNOWN_NS = 5_000_000_000
# Threads wake some milliseconds late on a busy machine. Who wakes later than this was kept from running,
# and then so were the others, the reader among them.
STARVED_NS = 50_000_000
MOST_GRANTS = 3  # in one wait


class Phase(Enum):
    """What a reader is at."""

    OPENING = auto()  # the connection
    JOINING = auto()  # its first picture
    STREAMING = auto()  # the next one
    LOOKING = auto()  # it has one, and makes a frame of it


class Sign(Enum):
    """What can be said of a reader."""

    FINE = auto()
    SILENT = auto()
    STUCK = auto()


class Watching:
    """Looks at one reader now and then: `due_ns` (monotonic) says when to do it next. Used in one thread.

    Who looks late was starved, and maybe the reader with it. The time by which it was late does not
    count, and the same time is granted again, for what has come meanwhile to be taken; a few times only,
    so that a machine that is always late still notices.
    """

    def __init__(self) -> None:
        self.due_ns: int | None = None
        self._since_ns: int | None = None
        self._granted_ns = 0
        self._grants = 0

    def look(self, now_ns: int, since_ns: int | None, phase: Phase, limit_ns: int | None) -> Sign:
        """`since_ns`: since when it is at it, None while it waits for one of us. `limit_ns`: Silence's."""
        silent_ns, stuck_ns = _limits(phase, limit_ns)
        first_ns = stuck_ns if silent_ns is None else silent_ns
        late_ns = 0 if self.due_ns is None else now_ns - self.due_ns
        if since_ns != self._since_ns:
            self._since_ns, self._granted_ns, self._grants = since_ns, 0, 0
        if late_ns > STARVED_NS and self._grants < MOST_GRANTS:
            self._granted_ns += late_ns + min(late_ns, first_ns)
            self._grants += 1
        start_ns = now_ns if since_ns is None else since_ns + self._granted_ns
        waited_ns = now_ns - start_ns
        if waited_ns >= stuck_ns:
            self.due_ns = None
            return Sign.STUCK
        silent = silent_ns is not None and waited_ns >= silent_ns
        self.due_ns = start_ns + (stuck_ns if silent else first_ns)
        if silent_ns is not None and not silent:
            self.due_ns = min(self.due_ns, now_ns + LEAST_NS)  # the limit may shrink meanwhile
        return Sign.SILENT if silent else Sign.FINE


def _limits(phase: Phase, limit_ns: int | None) -> tuple[int | None, int]:
    """When it is silent, if ever, and when it hangs."""
    if phase is Phase.OPENING:
        return None, STUCK_OPENING_NS
    if phase is Phase.JOINING:
        return None, STUCK_JOINING_NS
    limit_ns = UNKNOWN_NS if limit_ns is None else limit_ns
    if phase is Phase.LOOKING:
        return max(limit_ns, LOOKING_NS), max(STUCK_NS, limit_ns)
    return limit_ns, max(STUCK_NS, STUCK_TIMES_SILENT * limit_ns)
