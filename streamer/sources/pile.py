"""What of a backlog need not be decoded: groups of pictures that end before the one that is live."""

from typing import Generic, TypeVar

from streamer.backlog import LATE_NS
from streamer.scene_time import SceneTime

P = TypeVar("P")

# A camera that sends late packets and never a keyframe must not fill the memory.
MOST_BYTES = 32_000_000


class Pile(Generic[P]):
    """Late packets that come in a burst wait here, undecoded, until it is known whether they are needed.

    A keyframe makes those before it useless. A packet that is in time needs those since the last
    keyframe, for its picture leans on theirs: they are decoded with it. Over a link that is too slow
    packets come one by one, and nothing waits. Used in one thread.
    """

    def __init__(self) -> None:
        self.skipped = 0  # packets that were thrown away, ever
        self._waiting: list[tuple[P, int]] = []
        self._bytes = 0
        self._times = SceneTime(live=True)
        self._before: tuple[int, int] | None = None

    def add(
        self, packet: P, captured_ns: int, *, dts_ns: int | None, size: int, keyframe: bool
    ) -> list[tuple[P, int]]:
        """The packets that are to be decoded now, in order, each with its arrival."""
        lag_ns = captured_ns - self._times.at(captured_ns, dts_ns)
        burst = self._in_a_burst(captured_ns, dts_ns)
        if keyframe:
            self.skipped += len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            return [(packet, captured_ns)]
        self._waiting.append((packet, captured_ns))
        self._bytes += size
        if lag_ns > LATE_NS and burst and self._bytes <= MOST_BYTES:
            return []
        due, self._waiting, self._bytes = self._waiting, [], 0
        return due

    def _in_a_burst(self, captured_ns: int, dts_ns: int | None) -> bool:
        """True where it came in less than half of the time that its picture lasts."""
        before, self._before = self._before, None if dts_ns is None else (captured_ns, dts_ns)
        return (
            before is not None and dts_ns is not None and 2 * (captured_ns - before[0]) < dts_ns - before[1]
        )
