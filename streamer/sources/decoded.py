"""A picture in the decoder's own memory, and what can be made of it."""

from functools import partial

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from streamer.frame import LazyPicture

# Pixel formats whose first plane is 8-bit brightness.
_WITH_LUMA = {
    *("gray", "nv12", "nv21", "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"),
    *("yuv410p", "yuv411p", "yuvj411p", "yuv440p", "yuvj440p"),
}


class DecodedPicture(LazyPicture):
    """A frame of FFmpeg's, shown after `turns` quarter turns to the left."""

    __slots__ = ()

    def __init__(self, frame: VideoFrame, turns: int) -> None:
        luma = partial(luma_of, frame, turns) if has_luma(frame) else None
        super().__init__(shown_size(frame.width, frame.height, turns), partial(bgr_of, frame, turns), luma)

    def decoded(self) -> tuple[VideoFrame, int] | None:
        """The frame and its turns; None once `bgr` has been called. Thread-safe."""
        with self._lock:
            convert = self._convert
        return convert.args if isinstance(convert, partial) else None


def shown_size(width: int, height: int, turns: int) -> tuple[int, int]:
    """Width and height after so many quarter turns."""
    return (width, height) if turns % 2 == 0 else (height, width)


def has_luma(frame: VideoFrame) -> bool:
    """Whether `luma_of` can be asked of it."""
    # Raw video may be stored from the last line up; then its lines have a negative size.
    return frame.format.name in _WITH_LUMA and frame.planes[0].line_size > 0


def luma_of(frame: VideoFrame, turns: int) -> NDArray[np.uint8]:
    """Its brightness, (H, W) uint8, read-only, in the frame's own memory."""
    plane = frame.planes[0]
    # A line is longer in memory than it is shown.
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    pixels: NDArray[np.uint8] = np.rot90(lines[: frame.height, : frame.width], turns)
    pixels.flags.writeable = False
    return pixels


def bgr_of(frame: VideoFrame, turns: int) -> NDArray[np.uint8]:
    """Its pixels, (H, W, 3) uint8. Raises av.FFmpegError, ValueError."""
    # One thread: by default swscale wakes one for each core, for two to three times the CPU.
    pixels = frame.to_ndarray(format="bgr24", threads=1)
    return np.ascontiguousarray(np.rot90(pixels, turns), np.uint8)
