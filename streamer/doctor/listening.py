"""Looks at compressed pictures: what a network source gets, and what lies in a file."""

import time

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.clock import Clock
from streamer.doctor.gathered import Gathered
from streamer.doctor.header import of_keyframe, of_stream
from streamer.rtsp.playing import Playing
from streamer.rtsp.timing import Arrival
from streamer.sources import demuxing
from streamer.sources.address import Address

_S = 1_000_000_000


class Listening:
    """A source's `tap`. In the source's thread."""

    def __init__(self, gathered: Gathered, clock: Clock) -> None:
        self._gathered = gathered
        self._clock = clock

    def arrived(self, playing: Playing, arrival: Arrival) -> None:
        gathered, unit, track = self._gathered, arrival.unit, playing.track
        if not gathered.header:
            transport = "udp" if playing.session.ports else "tcp"
            gathered.note(read_by="freshframe", transport=transport, codec=track.codec)
            gathered.note(audio=track.audio, announced_fps=track.fps)
        if unit.keyframe and not self._gathered.report().keyframes:
            gathered.describe(of_keyframe(track.codec, bytes(unit.data), track.audio, track.fps))
        gathered.packet(
            len(unit.data),
            keyframe=unit.keyframe,
            arrived_ns=unit.arrived_ns,
            pts_ns=arrival.pts_ns,
            dts_ns=arrival.dts_ns,
        )
        if arrival.source_ns is not None:
            arrived_unix_ns = time.time_ns() - (self._clock.now_ns() - unit.arrived_ns)
            gathered.clock_offset(arrival.source_ns - arrived_unix_ns)
        gathered.note(lost=playing.lost)

    def demuxed(self, stream: VideoStream, packet: "Packet[VideoStream]", captured_ns: int) -> None:
        gathered = self._gathered
        if not packet.size:
            return
        if not gathered.report().packets:
            gathered.note(read_by="ffmpeg")
            gathered.describe(of_stream(stream))
            if isinstance(stream.container, InputContainer) and demuxing.segmented(stream.container):
                gathered.segmented()
        gathered.packet(
            packet.size,
            keyframe=packet.is_keyframe,
            arrived_ns=captured_ns,
            pts_ns=_ticks_ns(packet, packet.pts),
            dts_ns=_ticks_ns(packet, packet.dts),
        )

    def picture(self, codec: str, size_bytes: int, captured_ns: int) -> None:
        gathered = self._gathered
        if not gathered.report().packets:
            gathered.note(read_by="freshframe", codec=codec)
        gathered.packet(size_bytes, keyframe=True, arrived_ns=captured_ns, pts_ns=None, dts_ns=None)


def read_film(address: Address, gathered: Gathered, seconds: float) -> None:
    """Note what its header says and what its packets are, as many as that time allows."""
    until_s = time.monotonic() + seconds
    try:
        container, stream = demuxing.open_recording(address)
    except av.FFmpegError:  # it was opened a moment ago, and is not what it was
        return
    with container:
        gathered.describe(of_stream(stream))
        try:
            for packet in container.demux(stream):
                if packet.size:
                    gathered.packet(
                        packet.size,
                        keyframe=packet.is_keyframe,
                        arrived_ns=time.monotonic_ns(),
                        pts_ns=_ticks_ns(packet, packet.pts),
                        dts_ns=None,
                    )
                if time.monotonic() > until_s:
                    return
        except av.FFmpegError:
            return  # what is wrong with it was seen when its pictures were read


def _ticks_ns(packet: "Packet[VideoStream]", ticks: int | None) -> int | None:
    """A packet's time stamp in ns."""
    base = packet.time_base
    return None if ticks is None or not base else int(ticks * base * _S)
