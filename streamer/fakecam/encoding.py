"""Encoding pictures as a camera would: H.264 without B-frames, a keyframe each second."""

import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import CLOCK_HZ, Coded


class Encoder:
    """Makes H.264 of pictures of one size, which is even: 4:2:0 has colour for each two pixels only."""

    def __init__(
        self,
        size: tuple[int, int],
        rate: Fraction,
        threads: int = 0,
        options: Mapping[str, str] | None = None,
    ) -> None:
        encoder = av.CodecContext.create("libx264", "w")
        assert isinstance(encoder, VideoCodecContext)
        encoder.width, encoder.height = size
        encoder.thread_count = threads  # 0: as many as there are cores
        encoder.pix_fmt = "yuv420p"
        encoder.time_base = Fraction(1, CLOCK_HZ)
        encoder.framerate = rate
        encoder.gop_size = max(1, round(rate))
        encoder.options = {"preset": "veryfast", "bf": "0", "crf": "23", **(options or {})}
        self._encoder = encoder

    def encode(self, picture: av.VideoFrame, seconds: Fraction) -> Iterator[Coded]:
        """Take one more picture, 4:2:0 of this size; what is ready comes out."""
        picture.pts, picture.time_base = round(seconds * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        picture.pict_type = 0  # the encoder decides, whatever the file had
        yield from map(_coded, self._encoder.encode(picture))

    def finish(self) -> Iterator[Coded]:
        """What was still on its way."""
        yield from map(_coded, self._encoder.encode(None))


def even(frame: av.VideoFrame) -> tuple[int, int]:
    """The size at which a frame is encoded."""
    return max(2, frame.width & ~1), max(2, frame.height & ~1)


def timed(
    container: InputContainer, stream: VideoStream, interval: Fraction
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Decode; times in seconds increase strictly, and come from the interval where a frame has none."""
    last = Fraction(-1)
    for frame in container.decode(stream):
        seconds = last + interval
        if frame.pts is not None and frame.time_base is not None:
            seconds = max(frame.pts * frame.time_base, last + Fraction(1, CLOCK_HZ))
        last = seconds
        yield seconds, frame


class Told:
    """How far it is, on a terminal's stderr."""

    def __init__(self, of: int) -> None:
        self._of = f" of about {of}" if of else ""
        self._done = 0
        self._shown = sys.stderr.isatty()

    def one_more(self) -> None:
        self._done += 1
        if self._shown and self._done % 25 == 0:
            sys.stderr.write(f"\rfakecam: {self._done}{self._of} pictures")

    def finish(self) -> None:
        if self._shown:
            sys.stderr.write(f"\rfakecam: {self._done} pictures encoded        \n")


def _coded(packet: "av.Packet[VideoStream]") -> Coded:
    if packet.pts is None:
        raise SourceError(Cause.DAMAGED, "the encoder gave a picture without a time")
    return Coded(Fraction(packet.pts, CLOCK_HZ), packet.is_keyframe, bytes(packet))
