"""Reports between sender and receiver (RFC 3550, section 6)."""

import struct
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, DESCRIPTION, GOODBYE = 200, 201, 202, 203
NTP_TO_UNIX_S = 2_208_988_800  # NTP counts from 1900, RFC 3550 section 4
ERA_S = 1 << 32
_HEAD = struct.Struct("!BBH")
_SENDER = struct.Struct("!IIII")


@dataclass(frozen=True, slots=True)
class SenderReport:
    """The camera's wall clock at one of its time stamps."""

    ssrc: int
    unix_ns: int
    stamp: int
    ntp_middle: int  # to be given back in a receiver report


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The sender leaves."""

    ssrcs: tuple[int, ...]


def read_reports(data: memoryview) -> list[SenderReport | Goodbye]:
    """What is of use in a compound packet; what makes no sense ends it."""
    found: list[SenderReport | Goodbye] = []
    at = 0
    while at + 8 <= len(data):
        first, kind, words = _HEAD.unpack_from(data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or end > len(data):
            break
        if kind == SENDER_REPORT and words >= 6:
            ssrc, seconds, fraction, stamp = _SENDER.unpack_from(data, at + 4)
            if seconds:  # a camera without a clock sends 0
                found.append(_report(ssrc, seconds, fraction, stamp))
        elif kind == GOODBYE and words >= (first & 31):
            found.append(Goodbye(struct.unpack_from(f"!{first & 31}I", data, at + 4)))
        at = end
    return found


def _report(ssrc: int, seconds: int, fraction: int, stamp: int) -> SenderReport:
    # The era that began in 2036: RFC 4330, section 3.
    era_s = 0 if seconds & 0x80000000 else ERA_S
    unix_s = seconds + era_s - NTP_TO_UNIX_S
    unix_ns = unix_s * 1_000_000_000 + (fraction * 1_000_000_000 >> 32)
    return SenderReport(ssrc, unix_ns, stamp, (seconds & 0xFFFF) << 16 | fraction >> 16)


@dataclass(frozen=True, slots=True)
class Reception:
    """What a receiver report tells (RFC 3550, section 6.4.1)."""

    sender: int  # its SSRC
    fraction_lost: int  # since the last report, of 256
    lost: int  # ever
    highest: int  # sequence number, with the wraps above it
    jitter: int  # in ticks
    last_report: int  # the middle of its NTP time
    delay: int  # since then, 1/65536 s


def receiver_report(ssrc: int, name: bytes, seen: Reception | None) -> bytes:
    """A compound packet: what was received, and our name (at most 255 bytes)."""
    if seen is None:
        report = struct.pack("!BBHI", 0x80, RECEIVER_REPORT, 1, ssrc)
    else:
        lost = max(-0x800000, min(seen.lost, 0x7FFFFF)) & 0xFFFFFF
        report = struct.pack(
            "!BBHIIIIIII",
            0x81,
            RECEIVER_REPORT,
            7,
            ssrc,
            seen.sender,
            seen.fraction_lost << 24 | lost,
            seen.highest & 0xFFFFFFFF,
            seen.jitter & 0xFFFFFFFF,
            seen.last_report,
            min(seen.delay, 0xFFFFFFFF),
        )
    chunk = struct.pack("!IBB", ssrc, 1, len(name)) + name + b"\0"
    chunk += b"\0" * (-len(chunk) % 4)
    return report + struct.pack("!BBH", 0x81, DESCRIPTION, len(chunk) // 4) + chunk
