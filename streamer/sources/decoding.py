"""From packets to pictures, each with what is known of the packet that it came in."""

from fractions import Fraction
from functools import partial
from typing import cast

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.frame import LazyPicture
from streamer.sources import causes, limits
from streamer.sources.address import Address

# Of a packet: captured_ns, keyframe, source_ns.
_Known = tuple[int, bool, int | None]

# Pixel formats whose first plane is 8-bit brightness.
_WITH_LUMA = {
    *("gray", "nv12", "nv21", "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"),
    *("yuv410p", "yuv411p", "yuvj411p", "yuv440p", "yuvj440p"),
}

_PRFT_UNIT_NS = 1000  # AVProducerReferenceTime.wallclock: microseconds since 1970


class Decoding:
    """Decodes one video stream. Used in one thread.

    `damaged` counts the packets that could not be decoded. A decoder reorders pictures, so what is
    known of a packet travels through it with the packet.
    """

    def __init__(self, stream: VideoStream, address: Address) -> None:
        self.damaged = 0
        self._address = address
        self._first_ts: int | None = None
        self._tried: set[str] = set()
        self._newest: _Known = (0, False, None)
        base = stream.time_base or Fraction(1, av.time_base)
        self._ns_per_tick = base.numerator * 1_000_000_000, base.denominator

    def decode(self, packet: "Packet[VideoStream]", captured_ns: int) -> list[VideoFrame]:
        """The pictures that this packet completes, none if it is damaged. An empty packet flushes."""
        if packet.size:
            self._newest = captured_ns, packet.is_keyframe, _camera_clock_ns(packet)
            packet.opaque = self._newest
        try:
            return packet.decode()
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            self.damaged += 1
            return []

    def since_start_ns(self, ts: int | None) -> int | None:
        """A time stamp in ns since the first one that was asked for."""
        if self._first_ts is None:
            self._first_ts = ts
        return None if ts is None or self._first_ts is None else self.ns(ts - self._first_ts)

    def ns(self, ts: int | None) -> int | None:
        """Ticks of the stream in ns."""
        numerator, denominator = self._ns_per_tick
        return None if ts is None else ts * numerator // denominator

    def captured(self, frame: VideoFrame, pts_ns: int | None) -> Captured:
        """Raises SourceError for a picture that is too large or in a form that can't be converted."""
        size = frame.width, frame.height
        if limits.too_large(size):
            raise causes.too_large(self._address, size, limits.ALLOWED)
        turns = round(frame.rotation / 90) % 4
        shown = size if turns % 2 == 0 else size[::-1]
        pixels = frame.format.name
        self._try(LazyPicture(shown, partial(_bgr, frame, turns)), pixels)
        # Raw video may be stored from the last line up; then its lines have a negative size.
        upright = frame.planes[0].line_size > 0
        luma = partial(_luma, frame, turns) if upright and pixels in _WITH_LUMA else None
        picture = LazyPicture(shown, partial(_bgr, frame, turns), luma)
        captured_ns, keyframe, source_ns = cast(_Known, frame.opaque) or self._newest
        return Captured(picture, captured_ns, pts_ns, source_ns, keyframe)

    def _try(self, picture: LazyPicture, pixels: str) -> None:
        """Convert the first picture of each form here: a form without conversion is the source's error."""
        if pixels in self._tried:
            return
        self._tried.add(pixels)
        try:
            picture.bgr()
            return
        except (av.FFmpegError, ValueError):
            text = f"{self._address.redacted}: pixels in the form {pixels} cannot be converted"
        raise SourceError(Cause.CODEC, text)


def _camera_clock_ns(packet: "Packet[VideoStream]") -> int | None:
    """The camera's wall clock for this packet, Unix ns, once a sender report has come (RFC 3550, 6.4.1)."""
    if not packet.has_sidedata("prft"):
        return None
    return int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], "little", signed=True) * _PRFT_UNIT_NS


def _luma(frame: VideoFrame, turns: int) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    # A line is longer in memory than it is shown.
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    pixels: NDArray[np.uint8] = np.rot90(lines[: frame.height, : frame.width], turns)
    pixels.flags.writeable = False
    return pixels


def _bgr(frame: VideoFrame, turns: int) -> NDArray[np.uint8]:
    # One thread: by default swscale wakes one for each core, for two to three times the CPU.
    pixels = frame.to_ndarray(format="bgr24", threads=1)
    return np.ascontiguousarray(np.rot90(pixels, turns), np.uint8)
