"""NAL units: what they are, and how RTP packs them (RFC 6184 for H.264, RFC 7798 for H.265)."""

from dataclasses import dataclass
from typing import Protocol

from streamer.rtsp.failures import Unsupported


@dataclass(frozen=True, slots=True)
class Unit:
    """What a NAL unit means for the picture that it belongs to."""

    picture: bool = False  # it holds a part of the picture itself
    first: bool = False  # … its beginning
    key: bool = False  # … of one that needs no other
    sets: bool = False  # it is a parameter set
    recovery: int | None = None  # pictures to come until all is as it should be again


class Packing(Protocol):
    """How one codec's units lie in packets."""

    header_bytes: int  # of a unit
    single: int  # packets of a lower type are a unit themselves
    aggregate: int  # the type of packets with several units
    fragment: int  # … with a part of one

    def kind(self, first: int) -> int:
        """The type that a unit's first byte tells. Raises Unsupported for packets we cannot read."""

    def picture(self, first: int) -> bool:
        """True where a unit with this first byte holds a part of a picture."""

    def unit(self, nal: bytes | bytearray | memoryview, start: int, end: int) -> Unit:
        """What a whole unit, or the beginning of one, means."""

    def header(self, payload: bytes | memoryview) -> bytes:
        """The header of the unit that a packet holds a part of."""


_OTHER = Unit()
_SETS = Unit(sets=True)
_PART, _FIRST = Unit(picture=True), Unit(picture=True, first=True)
_KEY_PART, _KEY_FIRST = Unit(picture=True, key=True), Unit(picture=True, first=True, key=True)


class H264:
    """ITU-T H.264, table 7-1."""

    header_bytes = 1
    single = 24
    aggregate = 24  # STAP-A
    fragment = 28  # FU-A

    def kind(self, first: int) -> int:
        found = first & 31
        if found in (25, 26, 27, 29):
            raise Unsupported("H.264 in interleaved packets")
        return found

    def picture(self, first: int) -> bool:
        return 1 <= first & 31 <= 5

    def unit(self, nal: bytes | bytearray | memoryview, start: int, end: int) -> Unit:
        found = nal[start] & 31
        if 1 <= found <= 5:
            # first_mb_in_slice is 0 where its first bit is set (Exp-Golomb).
            first = end > start + 1 and nal[start + 1] > 127
            if found == 5:
                return _KEY_FIRST if first else _KEY_PART
            # Partitions B and C begin with something else.
            return _FIRST if first and found < 3 else _PART
        if found in (7, 8, 13, 15):
            return _SETS
        if found == 6:
            count = _recovery(bytes(nal[start + 1 : min(end, start + 2000)]))
            return _OTHER if count is None else Unit(recovery=count)
        return _OTHER

    def header(self, payload: bytes | memoryview) -> bytes:
        return bytes((payload[0] & 0xE0 | payload[1] & 0x1F,))


class H265:
    """ITU-T H.265, table 7-1."""

    header_bytes = 2
    single = 48
    aggregate = 48  # AP
    fragment = 49  # FU

    def kind(self, first: int) -> int:
        found = first >> 1 & 63
        if found == 50:
            raise Unsupported("H.265 in PACI packets")
        return found

    def picture(self, first: int) -> bool:
        return first >> 1 & 63 < 32

    def unit(self, nal: bytes | bytearray | memoryview, start: int, end: int) -> Unit:
        found = nal[start] >> 1 & 63
        if found < 32:
            first = end > start + 2 and nal[start + 2] > 127  # first_slice_segment_in_pic_flag
            if 16 <= found <= 23:  # IRAP
                return _KEY_FIRST if first else _KEY_PART
            return _FIRST if first else _PART
        return _SETS if found in (32, 33, 34) else _OTHER

    def header(self, payload: bytes | memoryview) -> bytes:
        return bytes((payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]))


PACKINGS: dict[str, Packing] = {"h264": H264(), "hevc": H265()}


def _recovery(message: bytes) -> int | None:
    """recovery_frame_cnt of a recovery point message (ITU-T H.264, D.1.8), None where there is none."""
    message = message.replace(b"\0\0\3", b"\0\0")
    at = 0
    while at + 2 < len(message):
        kind, at = _value(message, at)
        size, at = _value(message, at)
        if kind == 6 and size > 0 and at + size <= len(message):
            return _exp_golomb(message[at : at + size])
        at += size
    return None


def _value(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(message) and message[at] == 255:
        value, at = value + 255, at + 1
    return (value + message[at], at + 1) if at < len(message) else (value, at)


def _exp_golomb(data: bytes) -> int | None:
    bits = "".join(f"{byte:08b}" for byte in data[:8])
    zeros = bits.find("1")
    # MaxFrameNum is 65536 at most.
    return int(bits[zeros : 2 * zeros + 1], 2) - 1 if 0 <= zeros <= 16 and len(bits) > 2 * zeros else None
