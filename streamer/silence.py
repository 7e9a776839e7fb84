"""How long a camera may say nothing before that is news."""

from collections import deque

# Networks hold pictures up by 200 ms every now and then (Wi-Fi more): half a second is no alarm yet.
LEAST_NS = 500_000_000
# Three pictures that should have come. The interval is counted over a span: an average of single gaps
# swings with every large keyframe.
MISSED = 3
SPAN = 64
# Cameras that save bandwidth change their rate: of the last few gaps the second largest tells what is
# usual now, for one alone may have been a stall.
RECENT = 8
SLACK = 2


class Silence:
    """The longest gap between two pictures that is still usual. Used in one thread.

    `limit_ns` is max(3 × frame interval, 0.5 s), more where the rate has just dropped; None until two
    pictures have come: what is usual is not known before.
    """

    def __init__(self) -> None:
        self._heard_ns: deque[int] = deque(maxlen=SPAN + 1)
        self._gaps_ns: deque[int] = deque(maxlen=RECENT)
        self.limit_ns: int | None = None

    def heard(self, now_ns: int) -> None:
        """A picture came, monotonic ns."""
        if self._heard_ns:
            self._gaps_ns.append(now_ns - self._heard_ns[-1])
        self._heard_ns.append(now_ns)
        if self._gaps_ns:
            usual_ns = (now_ns - self._heard_ns[0]) // (len(self._heard_ns) - 1)
            recent_ns = sorted(self._gaps_ns)[-2] if len(self._gaps_ns) > 1 else self._gaps_ns[0]
            self.limit_ns = max(LEAST_NS, MISSED * usual_ns, SLACK * recent_ns)
