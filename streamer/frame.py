"""A decoded picture and its times: the value that everything else is about."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Quality(Flag):
    """What is wrong with a picture; no flag is set when it is fine."""

    FINE = 0
    DAMAGED = auto()  # it leans on data that was lost or could not be decoded
    FROZEN = auto()  # the camera sends the same picture again and again
    DARK = auto()  # too dark to see anything
    COVERED = auto()  # something is in front of the lens
    DEFOCUSED = auto()  # unsharp where it was sharp
    MOVED = auto()  # the camera looks somewhere else than it did
    LATE = auto()  # far behind live, and nothing newer could be had

    @property
    def words(self) -> list[str]:
        """The flags in lower case, as they stand in messages."""
        return [flag.name.lower() for flag in Quality if flag in self and flag.name]


class Picture(Protocol):
    """One decoded picture in whatever form the decoder left it."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; known without converting anything."""

    def bgr(self) -> NDArray[np.uint8]:
        """The pixels, (H, W, 3) uint8, read-only. Converted once, on first use, by whoever asks.

        Thread-safe. Raises Stale where the buffer has been overwritten meanwhile.
        """


class ArrayPicture:
    """A picture that is a BGR array already. The array is made read-only; don't keep a writable view."""

    __slots__ = ("_pixels",)

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise ValueError(f"a picture is (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
        pixels.flags.writeable = False
        self._pixels = pixels

    @property
    def size(self) -> tuple[int, int]:
        return self._pixels.shape[1], self._pixels.shape[0]

    def bgr(self) -> NDArray[np.uint8]:
        return self._pixels


class LazyPicture:
    """A picture that is converted when somebody looks at it, and only once.

    `convert` returns (H, W, 3) uint8 BGR; it is let go after its first use, and with it the
    decoder's buffer and `luma`. Where that fails, each look raises the same error.
    """

    __slots__ = ("_convert", "_error", "_lock", "_luma", "_pixels", "_size")

    def __init__(
        self,
        size: tuple[int, int],
        convert: Callable[[], NDArray[np.uint8]],
        luma: Callable[[], NDArray[np.uint8]] | None = None,
    ) -> None:
        self._size = size
        self._convert: Callable[[], NDArray[np.uint8]] | None = convert
        self._luma = luma
        self._pixels: NDArray[np.uint8] | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def luma(self) -> NDArray[np.uint8] | None:
        """The brightness as the decoder left it, (H, W) uint8, read-only, without any conversion.

        None where the decoder has none, and once `bgr` has been called. Thread-safe.
        """
        with self._lock:
            return self._luma() if self._luma is not None else None

    def bgr(self) -> NDArray[np.uint8]:
        with self._lock:
            if self._convert is not None:
                convert, self._convert, self._luma = self._convert, None, None
                try:
                    self._pixels = convert()
                    self._pixels.flags.writeable = False
                except Exception as error:
                    self._error = error
            if self._pixels is None:
                assert self._error is not None
                raise self._error
            return self._pixels


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera, with its place in the stream and its times."""

    camera: str  # unique within a pipeline
    epoch: int  # stream generation, +1 at each (re)connect; the size is constant within one
    index: int  # 0, 1, 2… as received, over all epochs; a gap downstream is a drop
    captured_ns: int  # monotonic, when the demuxer handed its packet over
    scene_ns: int  # time for analysis: live, presentation time anchored to arrival; else the file's own
    pts_ns: int | None  # the stream's presentation time
    source_ns: int | None  # the camera's own wall clock, Unix ns
    keyframe: bool
    quality: Quality
    picture: Picture
    live: bool = True  # scene_ns is on the monotonic clock; in a recording it counts from the file's start

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.picture.size

    @property
    def lag_ns(self) -> int:
        """How far behind live it arrived, at least: its delay beyond the least one of its connection, ns.

        0 in a recording and where the stream has no presentation times. Its true age is at least its age
        since `captured_ns` and this: not seen are what the best picture was delayed by (in HLS seconds)
        and a delay that stays or grows by less than 600 ppm.
        """
        return max(0, self.captured_ns - self.scene_ns) if self.live else 0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What a detector looks at: a frame, or a part of it (tiles, crops, cascades).

    `region` is x1, y1, x2, y2 in whole pixels of the frame, within it.
    """

    frame: Frame
    region: tuple[int, int, int, int] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels of what is looked at."""
        if self.region is None:
            return self.frame.size
        x1, y1, x2, y2 = self.region
        return x2 - x1, y2 - y1

    def bgr(self) -> NDArray[np.uint8]:
        """The pixels, (H, W, 3) uint8, read-only; a part shares the frame's memory."""
        pixels = self.frame.picture.bgr()
        if self.region is None:
            return pixels
        x1, y1, x2, y2 = self.region
        return pixels[y1:y2, x1:x2]
