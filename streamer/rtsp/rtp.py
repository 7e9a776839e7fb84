"""RTP packets and their time stamps (RFC 3550, section 5.1)."""

import struct
from typing import NamedTuple

HEADER = struct.Struct("!BBHII")
HEADER_BYTES = 12
_WORD = struct.Struct("!HH")


class Packet(NamedTuple):
    """One packet; `payload` is good as long as the buffer that it lies in."""

    payload: memoryview | bytes
    marker: bool
    payload_type: int
    sequence: int
    stamp: int
    ssrc: int


def read_packet(data: memoryview) -> Packet | None:
    """Take a packet apart; None for what is none."""
    size = len(data)
    if size < HEADER_BYTES:
        return None
    first, second, sequence, stamp, ssrc = HEADER.unpack_from(data)
    start, end = HEADER_BYTES, size
    if first != 0x80:
        if first >> 6 != 2:
            return None
        start += 4 * (first & 15)
        if first & 0x10:  # a header extension
            if start + 4 > size:
                return None
            start += 4 + 4 * _WORD.unpack_from(data, start)[1]
        if first & 0x20:  # padding; its last byte says how much, in some cameras that there is none
            end -= data[-1]
        if start > end:
            return None
    return Packet(data[start:end], second > 127, second & 127, sequence, stamp, ssrc)


class Stamps:
    """Time stamps of 32 bits as ticks since the first one, over their wrap. Used in one thread.

    Those of another sender begin anywhere: they go on from where the old ones were, by the time that
    passed meanwhile.
    """

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._last: int | None = None
        self._last_ns = 0
        self._ticks = 0

    def unwrap(self, stamp: int, now_ns: int) -> int:
        """Ticks of the next picture's stamp."""
        if self._last is not None:
            self._ticks += self._since_last(stamp)
        self._last, self._last_ns = stamp, now_ns
        return self._ticks

    def near(self, stamp: int) -> int | None:
        """Ticks of a stamp that is not a picture's; None before the first picture."""
        return None if self._last is None else self._ticks + self._since_last(stamp)

    def begin_anew(self, stamp: int, now_ns: int) -> None:
        """Another sender's stamps follow, this is the first of them."""
        if self._last is not None:
            self._ticks += (now_ns - self._last_ns) * self._clock_hz // 1_000_000_000
            self._last, self._last_ns = stamp, now_ns

    def _since_last(self, stamp: int) -> int:
        assert self._last is not None
        ahead = stamp - self._last & 0xFFFFFFFF
        return ahead if ahead < 0x80000000 else ahead - 0x100000000


class DecodeTimes:
    """When pictures are decoded, from when they are shown: RTP tells only the latter. Used in one thread.

    Pictures that are shown later than they come are found as they come; from then on so many wait here
    that what comes out only grows.
    """

    MOST = 16  # of reordered pictures, ITU-T H.264 and H.265 (max_num_reorder)

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: list[int] = []
        self._newest: int | None = None

    def after(self, ticks: int) -> int:
        """The decoding time of the next picture, in ticks."""
        if self._newest is not None and ticks < self._newest:
            later = sum(one > ticks for one in self._waiting)
            self._depth = min(max(self._depth, later, 1), self.MOST)
        self._newest = ticks if self._newest is None else max(self._newest, ticks)
        self._waiting.append(ticks)
        self._waiting.sort()
        del self._waiting[: max(0, len(self._waiting) - self._depth - 1)]
        return self._waiting[0]
