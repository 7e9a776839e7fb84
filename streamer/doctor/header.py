"""What a stream says of itself, before anything is measured."""

from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streamer.sources import limits

# A rate that a header claims and no camera has: the clock's own.
_FASTEST_FPS = 300.0
_UNKNOWN, _PROGRESSIVE = 0, 1  # AVFieldOrder


@dataclass(frozen=True, slots=True)
class Header:
    """Codec and what it says of its pictures."""

    codec: str
    profile: str | None = None
    fps: float | None = None
    interlaced: bool | None = None
    audio: tuple[str, ...] | None = None
    duration_s: float | None = None


def of_keyframe(codec: str, data: bytes, audio: tuple[str, ...] | None, fps: float | None) -> Header:
    """Read a keyframe's parameter sets; `fps` is what the session description says."""
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(limits.MAX_PIXELS)}
    try:
        decoder.decode(av.Packet(data))
        decoder.decode(None)
    except av.FFmpegError:
        return Header(codec, fps=fps, audio=audio)
    return Header(codec, decoder.profile, _believable(decoder.framerate) or fps, _interlaced(decoder), audio)


def of_stream(stream: VideoStream) -> Header:
    """What FFmpeg found when it opened it."""
    decoder, container = stream.codec_context, stream.container
    rate = _believable(stream.average_rate) or _believable(stream.guessed_rate)
    seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    if seconds is None and isinstance(container, InputContainer) and container.duration:
        seconds = container.duration / av.time_base
    return Header(
        codec=decoder.codec.canonical_name,
        profile=decoder.profile,
        fps=rate,
        interlaced=_interlaced(decoder),
        audio=tuple(one.codec_context.codec.canonical_name for one in container.streams.audio),
        duration_s=seconds,
    )


def _believable(rate: Fraction | None) -> float | None:
    return float(rate) if rate and 0 < rate <= _FASTEST_FPS else None


def _interlaced(decoder: VideoCodecContext) -> bool | None:
    order = int(decoder.field_order)
    return None if order == _UNKNOWN else order != _PROGRESSIVE
