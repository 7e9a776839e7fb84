"""A video file's packets, without decoding them."""

import time

import av

from streamer.doctor.gathered import Gathered
from streamer.doctor.header import of_stream
from streamer.doctor.listening import ticks_ns
from streamer.sources import demuxing
from streamer.sources.address import Address


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
                        pts_ns=ticks_ns(packet, packet.pts),
                        dts_ns=None,
                    )
                if time.monotonic() > until_s:
                    return
        except av.FFmpegError:
            gathered.note(damaged=max(gathered.report().damaged, 1))
