"""Clips with a watermark: each camera's own, with its number and the picture's in every picture."""

import math
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.fakecam.clip import Assembly, Clip
from streamer.fakecam.encoding import Encoder, Told, even, timed
from streamer.fakecam.recording import interval_of, opened
from streamer.watermark import Mark, layout_of, paint_yuv420
from streamer.watermark.mark import CAMERAS

# Numbers begin again with each round: who looks must know within this time which round it is.
SHORTEST_ROUND_S = 20


def load_watermarked(paths: Sequence[Path]) -> list[Clip]:
    """The clips of camera 0, 1…, encoded anew; a short one is repeated. May take minutes.

    A clip that several cameras play is decoded once. Raises SourceError where a file cannot be read,
    ConfigError where its pictures are too small, or it becomes too large.
    """
    if len(paths) > CAMERAS:
        raise ConfigError(f"a watermark can tell {CAMERAS} cameras from each other, not {len(paths)}")
    for path in dict.fromkeys(paths):
        with opened(path) as (_, stream):
            _check_size(path, (stream.codec_context.width & ~1, stream.codec_context.height & ~1))
    clips: dict[int, Clip] = {}
    for path in dict.fromkeys(paths):
        cameras = [camera for camera, other in enumerate(paths) if other == path]
        clips |= _load(path, cameras)
    return [clips[camera] for camera in range(len(paths))]


def _load(path: Path, cameras: Sequence[int]) -> dict[int, Clip]:
    for_whom = ", ".join(f"cam{camera}" for camera in cameras)
    sys.stderr.write(f"fakecam: {path.name} is encoded with a watermark for {for_whom}\n")
    with opened(path) as (_, stream):
        interval, frames = interval_of(stream), stream.frames
    assemblies = {camera: Assembly(path.name, interval) for camera in cameras}
    encoders: dict[int, Encoder] = {}
    size = 0, 0
    told = Told(frames * math.ceil(SHORTEST_ROUND_S / (frames * interval)) if frames else 0)
    for number, (seconds, frame) in enumerate(rounds(path, interval, SHORTEST_ROUND_S)):
        if not encoders:
            size = even(frame)
            _check_size(path, size)
            encoders = {camera: Encoder(size, 1 / interval) for camera in cameras}
        shown = frame.reformat(*size, "yuv420p")
        pixels = np.array(shown.to_ndarray(), np.uint8)  # the decoder still needs its own
        for camera, encoder in encoders.items():
            picture = painted(pixels, Mark(camera, number), shown)
            for coded in encoder.encode(picture, seconds):
                assemblies[camera].add(coded)
        told.one_more()
    for camera, encoder in encoders.items():
        for coded in encoder.finish():
            assemblies[camera].add(coded)
    told.finish()
    return {camera: assembly.clip() for camera, assembly in assemblies.items()}


def painted(pixels: NDArray[np.uint8], mark: Mark | None, like: av.VideoFrame) -> av.VideoFrame:
    """Paint a mark into a 4:2:0 picture's planes, where there is one, and make a frame of them."""
    if mark is not None:
        paint_yuv420(pixels, mark)
    picture = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
    picture.colorspace, picture.color_range = like.colorspace, like.color_range
    return picture


def _check_size(path: Path, size: tuple[int, int]) -> None:
    try:
        layout_of(size)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def rounds(path: Path, interval: Fraction, shortest_s: float) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """A file's pictures with their times, round after round until there are enough. Raises SourceError."""
    end = Fraction(0)
    while end < shortest_s:
        start, first = end, None
        with opened(path) as (container, stream):
            for seconds, frame in timed(container, stream, interval):
                first = seconds if first is None else first
                yield start + seconds - first, frame
                end = start + seconds - first + interval
        if first is None:
            return  # nothing in it can be decoded, which the assembly will say
