"""H.264 in RTP (RFC 6184, single NAL units and FU-A) with RTCP sender reports (RFC 3550)."""

import secrets
import struct
from collections.abc import Sequence

from streamer.fakecam.clip import CLOCK_HZ
from streamer.fakecam.stamping import Stamping

PAYLOAD_TYPE = 96
LARGEST_PAYLOAD_BYTES = 1400  # with RTP, UDP and IP headers below Ethernet's 1500
FU_A = 28
NTP_TO_UNIX_S = 2_208_988_800  # NTP counts from 1900, RFC 3550 section 4


def payloads(nal: bytes) -> list[bytes]:
    """Cut one NAL unit (not empty) into payloads of at most LARGEST_PAYLOAD_BYTES, in order."""
    if len(nal) <= LARGEST_PAYLOAD_BYTES:
        return [nal]
    indicator = nal[0] & 0xE0 | FU_A
    step = LARGEST_PAYLOAD_BYTES - 2
    parts = []
    for start in range(1, len(nal), step):
        begin, end = start == 1, start + step >= len(nal)
        header = begin << 7 | end << 6 | nal[0] & 0x1F
        parts.append(bytes((indicator, header)) + nal[start : start + step])
    return parts


class RtpStream:
    """The sender's side of one stream: numbers packets and counts what it made. One thread only."""

    def __init__(self, name: str) -> None:
        self.ssrc = secrets.randbits(32)
        self.stamping = Stamping()
        self._name = name.encode()
        self._packets = 0
        self._octets = 0

    @property
    def sequence(self) -> int:
        """Of the next packet."""
        return self.stamping.sequence

    def timestamp(self, ticks: int) -> int:
        """The RTP timestamp of a time on the camera's timeline."""
        return self.stamping.timestamp(ticks)

    def packets(self, nals: Sequence[bytes], ticks: int) -> list[bytes]:
        """RTP packets of one picture; the last one has the marker."""
        bodies = [part for nal in nals for part in payloads(nal)]
        timestamp = self.timestamp(ticks)
        made = []
        for number, body in enumerate(bodies, 1):
            marker = (number == len(bodies)) << 7
            head = struct.pack("!BBHII", 0x80, marker | PAYLOAD_TYPE, self.sequence, timestamp, self.ssrc)
            made.append(head + body)
            self.stamping.sequence = self.sequence + 1 & 0xFFFF
            self._octets += len(body)
        self._packets += len(bodies)
        return made

    def report(self, ticks: int, unix_ns: int) -> bytes:
        """A sender report with the CNAME: `unix_ns` is the wall clock at `ticks` of the timeline."""
        seconds, rest_ns = divmod(unix_ns, 1_000_000_000)
        sender = struct.pack(
            "!BBHIIIIII",
            0x80,
            200,
            6,
            self.ssrc,
            seconds + NTP_TO_UNIX_S & 0xFFFFFFFF,
            (rest_ns << 32) // 1_000_000_000,
            self.timestamp(ticks),
            self._packets & 0xFFFFFFFF,
            self._octets & 0xFFFFFFFF,
        )
        chunk = struct.pack("!IBB", self.ssrc, 1, len(self._name)) + self._name + b"\0"
        chunk += b"\0" * (-len(chunk) % 4)
        return sender + struct.pack("!BBH", 0x81, 202, len(chunk) // 4) + chunk


def ticks_of(seconds: float) -> int:
    """Seconds in units of the RTP clock."""
    return round(seconds * CLOCK_HZ)
