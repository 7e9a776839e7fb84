"""How long a batch may wait for more cameras to join."""

from collections import deque
from collections.abc import Iterable

from streamer.frame import Frame

# The rule and its bounds are those of Roboflow inference's collection policy: wait what is left of
# the shortest frame period after the device's own time; never so short that nobody can join, never
# so long that people notice.
SHORTEST_S = 0.002
LONGEST_S = 0.100

# A period counted over a span: an average of single gaps swings with every burst after a keyframe.
SPAN_FRAMES = 64

# A camera that has been silent for so long no longer has a say.
FORGET_NS = 2_000_000_000


class Window:
    """Learns the cameras' frame periods from what is taken. Used by one thread."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[int, int]]] = {}  # camera → (index, captured_ns)

    def observe(self, frames: Iterable[Frame]) -> None:
        """Take note of live frames that went into a batch; indices count drops too, so those don't matter."""
        for frame in frames:
            if not frame.live:
                continue
            seen = self._seen.setdefault(frame.camera, deque(maxlen=SPAN_FRAMES))
            if seen and frame.captured_ns - seen[-1][1] > FORGET_NS:
                seen.clear()  # it was away: no period is that long
            seen.append((frame.index, frame.captured_ns))

    def seconds(self, now_ns: int, execution_s: float) -> float:
        """How long to wait after the first frame, given what a batch takes on the device."""
        periods = []
        for camera, seen in list(self._seen.items()):
            if now_ns - seen[-1][1] > FORGET_NS:
                del self._seen[camera]
            elif seen[-1][0] > seen[0][0]:
                periods.append((seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]) / 1e9)
        if not periods:
            return SHORTEST_S
        return min(max(min(periods) - execution_s, SHORTEST_S), LONGEST_S)
