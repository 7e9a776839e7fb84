"""Reading a clip's file: H.264 that can be sent as it is stays untouched, the rest is encoded once."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.video.stream import VideoStream

from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import Clip, Coded, assemble
from streamer.fakecam.encoding import Encoder, Told, even, timed
from streamer.sources.redaction import nearly_an_address

LONGEST_KEYFRAME_GAP_S = 2.5  # who joins waits for a keyframe; real cameras have one each second or two
USUAL_INTERVAL = Fraction(1, 25)  # where a file does not say


def load(path: Path) -> Clip:
    """Read a clip into memory; may take as long as encoding the whole clip, with progress on stderr.

    A clip is encoded anew where its codec is not H.264, where pictures are sent in another order
    than shown (B-frames), or where somebody who joins would wait too long for a keyframe.
    Raises SourceError where the file cannot be read, ConfigError where it is too large.
    """
    with opened(path) as (container, stream):
        why = None if stream.codec_context.name == "h264" else f"its codec is {stream.codec_context.name}"
        if why is None:
            try:
                clip = assemble(path.name, interval_of(stream), _stored(container, stream))
            except _ReorderedError:
                why = "it has B-frames"
            else:
                if clip.keyframe_gap_s <= LONGEST_KEYFRAME_GAP_S:
                    return clip
                why = f"its keyframes are up to {clip.keyframe_gap_s:.1f} s apart"
    with opened(path) as (container, stream):
        sys.stderr.write(f"fakecam: {path.name} is encoded for sending, for {why}\n")
        return assemble(path.name, interval_of(stream), _encoded(container, stream))


def load_all(paths: Sequence[Path]) -> list[Clip]:
    """The clip of each path, where several cameras play the same one as well: it is read once."""
    clips = {path: load(path) for path in dict.fromkeys(paths)}
    return [clips[path] for path in paths]


class _ReorderedError(Exception):
    """Pictures do not come in the order in which they are shown."""


def check(path: Path) -> None:
    """Raises SourceError where there is no file; quick."""
    if path.is_dir():
        raise SourceError(Cause.NOT_FOUND, f"{path}: this is a folder; a clip is a single file")
    if not path.is_file():
        raise SourceError(Cause.NOT_FOUND, f"{nearly_an_address(str(path))}: there is no such file")


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """A clip's file and the first video in it. Raises SourceError."""
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


def interval_of(stream: VideoStream) -> Fraction:
    """Seconds between pictures, on average."""
    rate = stream.average_rate or stream.guessed_rate
    return 1 / rate if rate else USUAL_INTERVAL


def _stored(container: InputContainer, stream: VideoStream) -> Iterator[Coded]:
    to_annex_b = BitStreamFilterContext("h264_mp4toannexb", stream)
    interval = interval_of(stream)
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
    encoder: Encoder | None = None
    told = Told(stream.frames)
    size = 0, 0
    for seconds, frame in timed(container, stream, interval_of(stream)):
        if encoder is None:
            size = even(frame)
            encoder = Encoder(size, 1 / interval_of(stream))
        yield from encoder.encode(frame.reformat(*size, "yuv420p"), seconds)
        told.one_more()
    if encoder is not None:
        yield from encoder.finish()
    told.finish()
