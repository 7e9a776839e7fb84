"""Reading a clip's file: H.264 that can be sent as it is stays untouched, the rest is encoded once."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import CLOCK_HZ, Clip, Coded, assemble

LONGEST_KEYFRAME_GAP_S = 2.5  # who joins waits for a keyframe; real cameras have one each second or two
USUAL_INTERVAL = Fraction(1, 25)  # where a file does not say


def load(path: Path) -> Clip:
    """Read a clip into memory; may take as long as encoding the whole clip, with progress on stderr.

    A clip is encoded anew where its codec is not H.264, where pictures are sent in another order
    than shown (B-frames), or where somebody who joins would wait too long for a keyframe.
    Raises SourceError where the file cannot be read, ConfigError where it is too large.
    """
    with _opened(path) as (container, stream):
        why = None if stream.codec_context.name == "h264" else f"its codec is {stream.codec_context.name}"
        if why is None:
            try:
                clip = assemble(path.name, _interval(stream), _stored(container, stream))
            except _ReorderedError:
                why = "it has B-frames"
            else:
                if clip.keyframe_gap_s <= LONGEST_KEYFRAME_GAP_S:
                    return clip
                why = f"its keyframes are up to {clip.keyframe_gap_s:.1f} s apart"
    with _opened(path) as (container, stream):
        sys.stderr.write(f"fakecam: {path.name} is encoded for sending, for {why}\n")
        return assemble(path.name, _interval(stream), _encoded(container, stream))


class _ReorderedError(Exception):
    """Pictures do not come in the order in which they are shown."""


def check(path: Path) -> None:
    """Raises SourceError where there is no file; quick."""
    if path.is_dir():
        raise SourceError(Cause.NOT_FOUND, f"{path}: this is a folder; a clip is a single file")
    if not path.is_file():
        raise SourceError(Cause.NOT_FOUND, f"{path}: there is no such file")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    check(path)
    try:
        # An absolute path and the whitelist keep a name or a playlist from reaching the network.
        with av.open(
            str(path.resolve()), options={"protocol_whitelist": "file"}, metadata_errors="replace"
        ) as container:
            if not container.streams.video:
                raise SourceError(Cause.CODEC, f"{path}: there is no video in it")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise SourceError(Cause.CODEC, f"{path}: its video has a codec that is not known here")
            stream.thread_type = "AUTO"
            yield container, stream
    except av.error.PermissionError as error:
        raise SourceError(Cause.NOT_FOUND, f"{path}: it may not be read by this user") from error
    except av.error.FFmpegError as error:
        raise SourceError(
            Cause.CODEC, f"{path}: it is not a video that can be read ({error.strerror})"
        ) from error


def _interval(stream: VideoStream) -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    return 1 / rate if rate else USUAL_INTERVAL


def _stored(container: InputContainer, stream: VideoStream) -> Iterator[Coded]:
    to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
    interval = _interval(stream)
    last: Fraction | None = None
    for demuxed in container.demux(stream):
        if not demuxed.size:
            continue
        for packet in to_annex_b.filter(demuxed):
            if packet.pts is not None:
                seconds = packet.pts * packet.time_base
            elif stream.codec_context.has_b_frames:
                raise _ReorderedError  # without times the order shown is unknown before decoding
            else:
                seconds = Fraction(0) if last is None else last + interval
            if last is not None and seconds <= last:
                raise _ReorderedError
            last = seconds
            yield Coded(seconds, packet.is_keyframe, bytes(packet))


def _encoded(container: InputContainer, stream: VideoStream) -> Iterator[Coded]:
    interval = _interval(stream)
    encoder: VideoCodecContext | None = None
    last = Fraction(-1)
    done = 0
    for frame in container.decode(stream):
        if encoder is None:
            encoder = _encoder(frame.width, frame.height, 1 / interval)
        seconds = last + interval
        if frame.pts is not None and frame.time_base is not None:
            seconds = max(frame.pts * frame.time_base, last + Fraction(1, CLOCK_HZ))
        last = seconds
        picture = frame.reformat(encoder.width, encoder.height, "yuv420p")
        picture.pts, picture.time_base = round(seconds * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        picture.pict_type = 0  # the encoder decides, whatever the file had
        yield from map(_coded, encoder.encode(picture))
        done += 1
        if sys.stderr.isatty() and done % 25 == 0:
            of = f" of about {stream.frames}" if stream.frames else ""
            sys.stderr.write(f"\rfakecam: {done}{of} pictures")
    if encoder is not None:
        yield from map(_coded, encoder.encode(None))
    if sys.stderr.isatty():
        sys.stderr.write(f"\rfakecam: {done} pictures encoded        \n")


def _encoder(width: int, height: int, rate: Fraction) -> VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)
    # 4:2:0 has colour for each two pixels only.
    encoder.width, encoder.height = max(2, width & ~1), max(2, height & ~1)
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, CLOCK_HZ)
    encoder.framerate = rate
    encoder.gop_size = max(1, round(rate))  # a keyframe each second
    encoder.options = {"preset": "veryfast", "bf": "0", "crf": "23"}
    return encoder


def _coded(packet: "av.Packet[VideoStream]") -> Coded:
    if packet.pts is None:
        raise SourceError(Cause.DAMAGED, "the encoder gave a picture without a time")
    return Coded(Fraction(packet.pts, CLOCK_HZ), packet.is_keyframe, bytes(packet))
