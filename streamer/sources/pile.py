"""What of a backlog need not be decoded: groups of pictures that end before the one that is live."""

from typing import Generic, TypeVar

from streamer.backlog import Backlog, Verdict
from streamer.scene_time import SceneTime

P = TypeVar("P")

# A camera that sends late packets and never a keyframe must not fill the memory.
MOST_BYTES = 32_000_000
# What a packet costs beside its payload.
PACKET_BYTES = 1000


class Pile(Generic[P]):
    """Late packets that come in a burst wait here, undecoded, until it is known whether they are needed.

    A keyframe makes those before it useless. A packet that is in time needs those since the last
    keyframe, for its picture leans on theirs: they are decoded with it. Over a link that is too slow
    nothing waits: what comes is the newest there is. Used in one thread, over all connections.
    """

    def __init__(self) -> None:
        self.skipped = 0  # packets that were thrown away, ever
        self._waiting: list[tuple[P, int]] = []
        self._bytes = 0
        self._backlog = Backlog()
        self._times = SceneTime(live=True)
        self._before: tuple[int, int] | None = None

    def connected(self) -> None:
        """A new connection: what still waits of the one before leads nowhere."""
        self._throw_away()
        self._backlog.connected()
        self._times = SceneTime(live=True)
        self._before = None

    def add(
        self, packet: P, captured_ns: int, *, dts_ns: int | None, size: int, keyframe: bool
    ) -> list[tuple[P, int]]:
        """The packets that are to be decoded now, in order, each with its arrival."""
        verdict = self._backlog.judge(captured_ns - self._times.at(captured_ns, dts_ns), captured_ns)
        burst = self._in_a_burst(captured_ns, dts_ns)
        if keyframe:
            self._throw_away()
            return [(packet, captured_ns)]
        self._waiting.append((packet, captured_ns))
        self._bytes += size + PACKET_BYTES
        if verdict is Verdict.BEHIND and burst and self._bytes <= MOST_BYTES:
            return []
        due, self._waiting, self._bytes = self._waiting, [], 0
        return due

    def _throw_away(self) -> None:
        self.skipped += len(self._waiting)
        self._waiting.clear()
        self._bytes = 0

    def _in_a_burst(self, captured_ns: int, dts_ns: int | None) -> bool:
        """True where it came in less than half of the time that its picture lasts."""
        before, self._before = self._before, None if dts_ns is None else (captured_ns, dts_ns)
        return (
            before is not None and dts_ns is not None and 2 * (captured_ns - before[0]) < dts_ns - before[1]
        )
