"""How long a camera may say nothing before that is news."""

from collections import deque

# Networks hold pictures up by 200 ms every now and then (Wi-Fi more). It is to be noticed within half a
# second, and whoever wakes up for it needs some of that.
LEAST_NS = 470_000_000
# Three pictures that should have come. The interval is counted over a span: an average of single gaps
# swings with every large keyframe.
MISSED = 3
SPAN = 64
# What is usual is not known from a few gaps: a connection begins with a burst, or haltingly.
EARLY_NS = 1_000_000_000
# Cameras that save bandwidth change their rate. A gap that was too long may have been a stall, or the
# first of many: the picture after it tells. Two of them among the last few are no stall any more.
RECENT = 8
SLACK = 2
# A server of segments says nothing while the next one is being recorded: 2 to 10 s, seldom more. Where
# only keyframes are decoded, pictures are as far apart; that the camera says nothing its source finds out.
SEGMENTED_NS = 20_000_000_000


class Silence:
    """The longest gap between two pictures that is still usual. Not thread-safe.

    `limit_ns` is max(3 × frame interval, 0.47 s), more where the rate has just dropped or only a few
    pictures have come, and 20 s where they come in segments, and at least that where they are sparse: only
    keyframes. None until two pictures have come: what is usual is not known before.
    """

    def __init__(self) -> None:
        self.segmented = False
        self._sparse = False
        self._heard_ns: int | None = None
        self._gaps_ns: deque[int] = deque(maxlen=SPAN)
        self._limit_ns: int | None = None
        self._known = True

    def connected(self, *, sparse: bool = False) -> None:
        """Another connection to the same camera: the time since the last picture was no gap."""
        self._heard_ns = None
        self.segmented, self._sparse = False, sparse

    def opened(self, *, sparse: bool) -> None:
        """The connection is there, and it is known what comes over it."""
        self._sparse = sparse

    def heard(self, now_ns: int) -> None:
        """A picture came, monotonic ns."""
        if self._heard_ns is not None:
            self._gaps_ns.append(now_ns - self._heard_ns)
            self._known = False
        self._heard_ns = now_ns

    @property
    def limit_ns(self) -> int | None:
        """How long from the last picture on nothing need come, ns; worked out when it is asked for."""
        if self.segmented:
            return SEGMENTED_NS
        if not self._known:
            self._limit_ns, self._known = _limit_ns(list(self._gaps_ns)), True
        return max(self._limit_ns or 0, SEGMENTED_NS) if self._sparse else self._limit_ns


def _limit_ns(gaps_ns: list[int]) -> int:
    least_ns, usual_ns = EARLY_NS, sum(gaps_ns) // len(gaps_ns)
    if len(gaps_ns) >= RECENT:
        # Without the longest: it may have been an outage, which says nothing of what is usual.
        least_ns, usual_ns = LEAST_NS, (sum(gaps_ns) - max(gaps_ns)) // (len(gaps_ns) - 1)
    limit_ns = max(least_ns, MISSED * usual_ns)
    if gaps_ns[-1] > limit_ns:
        return MISSED * gaps_ns[-1]
    second_ns = sorted(gaps_ns[-RECENT:])[-2] if len(gaps_ns) > 1 else 0
    return max(limit_ns, SLACK * second_ns) if second_ns > LEAST_NS else limit_ns
