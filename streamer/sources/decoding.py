"""From packets to pictures, each with what is known of the packet that it came in."""

from fractions import Fraction
from typing import Any, NamedTuple

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources import causes, limits
from streamer.sources.address import Address
from streamer.sources.damage import Damage
from streamer.sources.decoded import DecodedPicture

_PRFT_UNIT_NS = 1000  # AVProducerReferenceTime.wallclock: microseconds since 1970


class Known(NamedTuple):
    """What is known of a packet, and so of the picture that comes of it."""

    captured_ns: int
    keyframe: bool
    source_ns: int | None = None
    damaged: bool = False
    pts_ns: int | None = None  # where it is not the packet's own


class Decoding:
    """Decodes one video stream. Used in one thread.

    `damaged` counts the packets that could not be decoded. A decoder reorders pictures, so what is
    known of a packet travels through it with the packet.
    """

    def __init__(self, decoder: VideoStream | VideoCodecContext, address: Address) -> None:
        self.damaged = 0
        self.damage = Damage()
        self._decoder = decoder
        self._address = address
        self._first_ts: int | None = None
        self._tried: set[str] = set()
        self._newest = Known(0, False)
        # Such a decoder says of all that leans on a loss that it is corrupt. Where the loss is known that is
        # no news, and of a picture that is shown late it says nothing of the next group, which may be whole.
        self._hands_out_all = isinstance(decoder, VideoCodecContext) and bool(
            decoder.flags & Flags.output_corrupt
        )
        # Where there is no stream, times are the caller's.
        base = (isinstance(decoder, VideoStream) and decoder.time_base) or Fraction(1, av.time_base)
        self._ns_per_tick = base.numerator * 1_000_000_000, base.denominator

    def decode(self, packet: "Packet[Any]", captured_ns: int) -> list[VideoFrame]:
        """The pictures that this packet completes, none if it is damaged. An empty packet flushes."""
        if not packet.size:
            return self._decode(packet)
        damaged = self.damage.judge(packet.pts, keyframe=packet.is_keyframe, whole=not packet.is_corrupt)
        return self.decode_known(
            packet, Known(captured_ns, packet.is_keyframe, _camera_clock_ns(packet), damaged)
        )

    def decode_known(self, packet: "Packet[Any]", known: Known) -> list[VideoFrame]:
        """The same, where somebody else knows what there is to know of the packet."""
        packet.opaque = self._newest = known
        return self._decode(packet)

    def _decode(self, packet: "Packet[Any]") -> list[VideoFrame]:
        try:
            return self._decoder.decode(packet)
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            self.damaged += 1
            self.damage.lost()
            return []

    def decode_alone(self, packet: "Packet[Any]", captured_ns: int) -> list[VideoFrame]:
        """The picture of a keyframe, at once, however many the decoder would hold back to put in order."""
        return self.decode(packet, captured_ns) + self._rest()

    def decode_alone_known(self, packet: "Packet[Any]", known: Known) -> list[VideoFrame]:
        """The same, where somebody else knows what there is to know of the packet."""
        return self.decode_known(packet, known) + self._rest()

    def _rest(self) -> list[VideoFrame]:
        """What the decoder holds back; the next packet is its first one."""
        try:
            return self._decoder.decode(None)
        except av.error.MemoryError:
            raise
        except av.FFmpegError:
            self.damage.lost()
            return []
        finally:
            self._flush()

    def forget(self) -> None:
        """Begin anew with the next packet, a keyframe: what lay between was left out."""
        self._flush()
        self.damage.lost()

    def _flush(self) -> None:
        decoder = self._decoder
        (decoder.codec_context if isinstance(decoder, VideoStream) else decoder).flush_buffers()

    def move_to(self, stream: VideoStream) -> None:
        """Read another part of the same recording: nothing is known of damage in it. Times go on."""
        self.damaged, self.damage = 0, Damage()
        self._decoder = stream

    def known(self, frame: VideoFrame) -> Known:
        """What is known of the packet that a picture came in."""
        return frame.opaque if isinstance(frame.opaque, Known) else self._newest

    def since_start_ns(self, ts: int | None) -> int | None:
        """A time stamp in ns since the first one that was asked for."""
        if self._first_ts is None:
            self._first_ts = ts
        return None if ts is None or self._first_ts is None else self.ns(ts - self._first_ts)

    def ns(self, ts: int | None) -> int | None:
        """Ticks of the stream in ns."""
        numerator, denominator = self._ns_per_tick
        return None if ts is None else ts * numerator // denominator

    def ticks(self, since_start_ns: int) -> int:
        """The stream's time stamp for a time since the first one."""
        numerator, denominator = self._ns_per_tick
        return (self._first_ts or 0) + since_start_ns * denominator // numerator

    def captured(self, frame: VideoFrame, pts_ns: int | None, *, undecoded: int = 0) -> Captured:
        """Raises SourceError for a picture that is too large or in a form that can't be converted."""
        size = frame.width, frame.height
        if limits.too_large(size):
            raise causes.too_large(self._address, size, limits.ALLOWED)
        turns = round(frame.rotation / 90) % 4
        self._try(DecodedPicture(frame, turns), frame.format.name)
        picture = DecodedPicture(frame, turns)
        known = self.known(frame)
        # The decoder made something up, and what comes next leans on it.
        if frame.is_corrupt and not (known.damaged and self._hands_out_all):
            self.damage.lost()
        damaged = known.damaged or frame.is_corrupt
        return Captured(
            picture,
            known.captured_ns,
            pts_ns,
            known.source_ns,
            known.keyframe,
            damaged=damaged,
            undecoded=undecoded,
        )

    def _try(self, picture: DecodedPicture, pixels: str) -> None:
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


def _camera_clock_ns(packet: "Packet[Any]") -> int | None:
    """The camera's wall clock for this packet, Unix ns, once a sender report has come (RFC 3550, 6.4.1)."""
    if not packet.has_sidedata("prft"):
        return None
    return int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], "little", signed=True) * _PRFT_UNIT_NS
