"""Clips made on the spot, and what a source makes of an address."""

import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream

from streamer.clock import ManualClock
from streamer.contracts import Captured, Source
from streamer.errors import SourceError
from streamer.sources import open_source, parse_address

SIZE = 160, 120


def make_clip(
    path: Path, count: int = 60, codec: str = "libx264", pixels: str = "yuv420p", **options: str
) -> Path:
    """A clip of `count` pictures at 30 fps whose brightness says which one it is."""
    return make_sized(path, SIZE, count, codec, pixels, options)


def make_sized(
    path: Path, size: tuple[int, int], count: int, codec: str, pixels: str, options: dict[str, str]
) -> Path:
    """The same, of any size."""
    mux = {"movflags": options.pop("movflags")} if "movflags" in options else {}
    with av.open(str(path), "w", options=mux) as container:
        stream = container.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        noise = np.random.default_rng(1).integers(0, 40, (size[1], size[0], 3), np.uint8)
        for index in range(count):
            picture = np.roll(noise, 7 * index, axis=0) + np.uint8(index * 2)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def read(text: str | Path) -> list[Captured]:
    with open_source(parse_address(str(text))) as source:
        return list(source)


def in_real_time(source: Source, clock: ManualClock) -> list[Captured]:
    """All that comes of a paced source, and none of it before its time."""
    captured: list[Captured] = []

    def play() -> None:
        with source:
            captured.extend(source)

    player = threading.Thread(target=play, daemon=True)
    player.start()
    while player.is_alive():
        if clock.wait_for_sleepers(1, 0.01):
            assert captured[-1].captured_ns <= clock.now_ns()
            clock.advance(0.001)
    return captured


def failure(text: str | Path) -> tuple[SourceError, int]:
    """The error, and how many pictures came before it."""
    count, found = 0, None
    try:
        with open_source(parse_address(str(text))) as source:
            for _ in source:
                count += 1
    except SourceError as error:
        found = error
    assert found is not None, f"{text} gave {count} pictures and no error"
    # FFmpeg's own errors hold the address with its password.
    assert not isinstance(found.__cause__ or found.__context__, av.FFmpegError)
    return found, count


def read_while(text: str | Path, change: Callable[[], None]) -> tuple[int, SourceError]:
    """How many pictures come where something changes after the first one, and what is said at the end."""
    count, found = 0, None
    try:
        with open_source(parse_address(str(text))) as source:
            for _ in source:
                count += 1
                if count == 1:
                    change()
    except SourceError as error:
        found = error
    assert found is not None
    return count, found
