"""The way of one direction of a TCP connection: everything arrives, in order, but late."""

from collections import deque

from streamer.impair.impairment import Impairment
from streamer.impair.luck import Fate, Luck

SEGMENT_BYTES = 1448  # what fits in an Ethernet frame beside IPv4, TCP and time stamps
RETRANSMISSION_S = 0.2  # Linux's shortest time-out for a lost segment
WINDOW_BYTES = 4 * 1024 * 1024  # on its way at the most; a real sender's window is bounded as well
OVERHEAD_BYTES = 128  # of keeping a piece, or single bytes would cost a hundred times their size


class StreamLine:
    """Bytes on their way, in segments of the stream: whoever reads it in other pieces changes no fate.

    Time is the caller's, in s, and never goes back. Lives in one thread.
    """

    def __init__(self, impairment: Impairment, seed: str) -> None:
        self._seed = seed
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._last_s = -1e18
        self._begin(impairment)

    def be(self, impairment: Impairment, now_s: float) -> None:
        """Go on like this. What is on its way comes no later than it might if it were sent now."""
        latest_s = now_s + impairment.longest_delay_s + (RETRANSMISSION_S if impairment.loss else 0.0)
        self._held = deque((min(due_s, latest_s), piece) for due_s, piece in self._held)
        self._last_s = min(self._last_s, latest_s)
        self._begin(impairment)

    def step(self, longest_bytes: int) -> int:
        """How long the next piece may be: no longer than that, and in one segment where it matters."""
        return longest_bytes if self._clean else min(longest_bytes, SEGMENT_BYTES - self._offset)

    def offer(self, piece: bytes, now_s: float) -> None:
        """Send a piece of at most `step` bytes."""
        due_s = now_s
        if not self._clean:
            fate = self._fate
            due_s += fate.delay_s + (RETRANSMISSION_S if fate.lost else 0.0)
            piece = self._flipped(piece)
            self._advance(len(piece))
        self._last_s = max(self._last_s, due_s)
        self._held.append((self._last_s, piece))
        self._held_bytes += len(piece) + OVERHEAD_BYTES

    def take(self, now_s: float, most_bytes: int) -> bytes:
        """What has arrived by now, or the beginning of it: about so much."""
        arrived, size_bytes = [], 0
        while self._held and self._held[0][0] <= now_s and size_bytes < most_bytes:
            piece = self._held.popleft()[1]
            arrived.append(piece)
            size_bytes += len(piece)
            self._held_bytes -= len(piece) + OVERHEAD_BYTES
        return b"".join(arrived)

    @property
    def next_s(self) -> float | None:
        """When more arrives, or None where nothing is on its way."""
        return self._held[0][0] if self._held else None

    @property
    def full(self) -> bool:
        """True where nothing more is to be offered until something arrives."""
        return self._held_bytes >= WINDOW_BYTES

    def _begin(self, impairment: Impairment) -> None:
        self._clean = impairment.clean
        self._luck = Luck(impairment, self._seed)
        self._fate: Fate = self._luck.next()
        self._offset = 0  # in the segment

    def _advance(self, size_bytes: int) -> None:
        self._offset += size_bytes
        if self._offset >= SEGMENT_BYTES:
            self._offset = 0
            self._fate = self._luck.next()

    def _flipped(self, piece: bytes) -> bytes:
        if self._fate.flip is None:
            return piece
        bit = int(self._fate.flip * SEGMENT_BYTES * 8) - self._offset * 8
        if not 0 <= bit < len(piece) * 8:
            return piece
        changed = bytearray(piece)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)
