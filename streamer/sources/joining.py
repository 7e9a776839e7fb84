"""From a camera's access units to pictures: from a keyframe on, without the late ones, damage marked."""

from collections.abc import Iterator
from dataclasses import replace

import av
from av.codec.context import Flags, ThreadType
from av.video.codeccontext import VideoCodecContext

from streamer.contracts import Captured
from streamer.rtsp.timing import Arrival
from streamer.sources import limits
from streamer.sources.address import Address
from streamer.sources.decoding import Decoding, Known
from streamer.sources.pile import Pile


class Joining:
    """Decodes one camera's stream, over all its connections. Used in one thread. Raises SourceError."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._pile: Pile[Arrival] = Pile()
        self._told = 0  # of what the pile has skipped
        self._decoder: VideoCodecContext | None = None
        self._decoding: Decoding | None = None
        self._joined = False

    @property
    def damaged(self) -> int:
        """Access units of this connection that could not be decoded."""
        return self._decoding.damaged if self._decoding else 0

    def connected(self, codec: str) -> None:
        """A new connection, with video in this codec (FFmpeg's name)."""
        self._decoder = _decoder(codec)
        self._decoding = Decoding(self._decoder, self._address)
        self._pile.connected()
        self._joined = False

    def pictures(self, arrival: Arrival) -> Iterator[Captured]:
        """The pictures that the next access unit completes."""
        assert self._decoder is not None
        assert self._decoding is not None
        unit, pile, decoding = arrival.unit, self._pile, self._decoding
        self._joined = self._joined or unit.keyframe
        before = pile.skipped
        due = pile.add(
            arrival, unit.arrived_ns, dts_ns=arrival.dts_ns, size=len(unit.data), keyframe=unit.keyframe
        )
        if pile.skipped > before:
            # What leans on pictures before the keyframe (open groups) must not come out as a smear.
            self._decoder.flush_buffers()
            decoding.damage.lost()
        for one, _ in due if self._joined else ():
            for frame in self._decode(decoding, one):
                captured = decoding.captured(frame, decoding.known(frame).pts_ns)
                skipped, self._told = pile.skipped - self._told, pile.skipped
                yield replace(captured, skipped=skipped) if skipped else captured

    def _decode(self, decoding: Decoding, arrival: Arrival) -> list[av.VideoFrame]:
        unit = arrival.unit
        damaged = decoding.damage.judge(
            arrival.ticks,
            keyframe=unit.keyframe,
            whole=unit.whole,
            lost_before=unit.lost_before,
            recovery=unit.recovery,
        )
        if not unit.data:
            return []
        known = Known(unit.arrived_ns, unit.keyframe, arrival.source_ns, damaged, arrival.pts_ns)
        return decoding.decode_known(av.Packet(bytes(unit.data)), known)


def _decoder(codec: str) -> VideoCodecContext:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    # Frame threads would hold back a picture for each thread.
    decoder.thread_type, decoder.thread_count = ThreadType.SLICE, 1
    decoder.options = {"max_pixels": str(limits.MAX_PIXELS)}
    decoder.copy_opaque = True
    if codec == "hevc":
        # Else FFmpeg withholds all that leans on a loss; we mark it. For H.264 it hands it out by itself.
        decoder.flags |= Flags.output_corrupt
    return decoder
