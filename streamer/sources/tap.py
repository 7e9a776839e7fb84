"""Somebody who looks at what comes from the network, before it is decoded."""

from typing import Protocol

from av.packet import Packet
from av.video.stream import VideoStream

from streamer.rtsp.playing import Playing
from streamer.rtsp.timing import Arrival


class Tap(Protocol):
    """Put into a source's `tap` before it is entered; called in the source's thread, and does not block."""

    def arrived(self, playing: Playing, arrival: Arrival) -> None:
        """An access unit of a camera whose RTSP we read ourselves."""

    def demuxed(self, stream: VideoStream, packet: "Packet[VideoStream]", captured_ns: int) -> None:
        """A packet of what FFmpeg reads, and when it came (monotonic)."""

    def picture(self, codec: str, size_bytes: int, captured_ns: int) -> None:
        """A picture that stands alone (Motion JPEG), read by ourselves, and when it came (monotonic)."""
