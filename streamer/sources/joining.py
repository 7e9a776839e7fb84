"""From a camera's access units to pictures: from a keyframe on, without the late ones, damage marked."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import av
from av.codec.context import Flags, ThreadType
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from streamer.contracts import Captured
from streamer.rtsp.timing import Arrival
from streamer.sources import limits
from streamer.sources.address import Address
from streamer.sources.decoding import Decoding, Known
from streamer.sources.pile import Pile


class Joining:
    """Decodes one camera's stream, over all its connections. Used in one thread. Raises SourceError.

    `keys_only`: nothing but keyframes, and of those only such as need no others.
    """

    def __init__(self, address: Address, *, keys_only: bool = False) -> None:
        self._address = address
        self._keys_only = keys_only
        self._undecoded = 0  # since the last keyframe that was
        self._pile: Pile[Arrival] = Pile()
        self._told = 0  # of what the pile has skipped
        self._decoding: Decoding | None = None
        self._joined = False

    @property
    def damaged(self) -> int:
        """Access units of this connection that could not be decoded."""
        return self._decoding.damaged if self._decoding else 0

    def connected(self, codec: str) -> None:
        """A new connection, with video in this codec (FFmpeg's name)."""
        self._decoding = Decoding(new_decoder(codec), self._address)
        self._pile.connected()
        self._joined = False

    def pictures(self, arrival: Arrival) -> Iterator[Captured]:
        """The pictures that the next access unit completes."""
        assert self._decoding is not None
        if self._keys_only:
            yield from self._keyframe(self._decoding, arrival)
            return
        unit, pile, decoding = arrival.unit, self._pile, self._decoding
        self._joined = self._joined or unit.keyframe
        before = pile.skipped
        due = pile.add(
            arrival, unit.arrived_ns, dts_ns=arrival.dts_ns, size=len(unit.data), keyframe=unit.keyframe
        )
        if pile.skipped > before:
            # What leans on pictures before the keyframe (open groups) must not come out as a smear.
            decoding.forget()
        for one, _ in due if self._joined else ():
            known = _known(decoding, one)
            for frame in decoding.decode_known(_packet(one), known) if one.unit.data else ():
                captured = decoding.captured(frame, decoding.known(frame).pts_ns)
                skipped, self._told = pile.skipped - self._told, pile.skipped
                yield replace(captured, skipped=skipped) if skipped else captured

    def _keyframe(self, decoding: Decoding, arrival: Arrival) -> Iterator[Captured]:
        """The picture of this access unit, if it is one that stands alone."""
        unit, known = arrival.unit, _known(decoding, arrival)
        if not unit.data:
            return
        if not unit.keyframe or unit.recovery:
            self._undecoded += self._joined
            return
        self._joined = True
        for frame in decoding.decode_alone_known(_packet(arrival), known):
            undecoded, self._undecoded = self._undecoded, 0
            yield decoding.captured(frame, decoding.known(frame).pts_ns, undecoded=undecoded)


def _known(decoding: Decoding, arrival: Arrival) -> Known:
    unit = arrival.unit
    damaged = decoding.damage.judge(
        arrival.ticks,
        keyframe=unit.keyframe,
        whole=unit.whole,
        lost_before=unit.lost_before,
        recovery=unit.recovery,
    )
    return Known(unit.arrived_ns, unit.keyframe, arrival.source_ns, damaged, arrival.pts_ns)


def _packet(arrival: Arrival) -> "Packet[Any]":
    return av.Packet(bytes(arrival.unit.data))


def new_decoder(codec: str) -> VideoCodecContext:
    """A decoder for pictures that come without a container, by FFmpeg's name of the codec."""
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
