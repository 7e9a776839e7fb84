"""Pictures as a camera sends them. They are decoded or converted when somebody looks at them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from streamer.frame import ArrayPicture, LazyPicture, Picture
from streamer.opencv import cv2
from streamer.sources import limits
from streamer.sources.decoded import DecodedPicture, bgr_of, luma_of
from streamer.sources.usb.jpeg import Jpeg, read_jpeg

JPEGS = frozenset({"MJPG", "JPEG"})
_Shape = Callable[[int, int], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """How an uncompressed picture lies in memory, and what OpenCV calls its way to BGR."""

    shape: _Shape
    to_bgr: int
    luma: Callable[[NDArray[np.uint8], int], NDArray[np.uint8]]


def _pairs(width: int, height: int) -> tuple[int, ...]:
    return height, width, 2


def _planes(width: int, height: int) -> tuple[int, ...]:
    return height * 3 // 2, width


def _upper(raw: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    return raw[:height]


_LAYOUTS = {
    "YUYV": _Layout(_pairs, cv2.COLOR_YUV2BGR_YUYV, lambda raw, _: raw[..., 0]),
    "UYVY": _Layout(_pairs, cv2.COLOR_YUV2BGR_UYVY, lambda raw, _: raw[..., 1]),
    "NV12": _Layout(_planes, cv2.COLOR_YUV2BGR_NV12, _upper),
    "NV21": _Layout(_planes, cv2.COLOR_YUV2BGR_NV21, _upper),
    "YU12": _Layout(_planes, cv2.COLOR_YUV2BGR_I420, _upper),
    "YV12": _Layout(_planes, cv2.COLOR_YUV2BGR_YV12, _upper),
}
# What OpenCV is asked not to convert.
UNDERSTOOD = JPEGS | _LAYOUTS.keys()


class JpegPicture(DecodedPicture):
    """A camera's JPEG, decoded when somebody looks at it; what fails then is av.FFmpegError or ValueError."""

    __slots__ = ("_content",)

    def __init__(self, jpeg: Jpeg) -> None:
        self._content = _Content(jpeg)
        LazyPicture.__init__(self, jpeg.size, self._content.bgr, self._content.luma)

    def decoded(self) -> tuple[VideoFrame, int] | None:
        """FFmpeg's frame, and no turns; None once `bgr` has been called. Thread-safe."""
        with self._lock:
            return (self._content.frame(), 0) if self._convert is not None else None


class _Content:
    """The JPEG until it is decoded, the frame until it is converted. The picture asks for one at a time."""

    def __init__(self, jpeg: Jpeg) -> None:
        self._held: Jpeg | VideoFrame | None = jpeg

    def frame(self) -> VideoFrame:
        if isinstance(self._held, Jpeg):
            self._held = _decoded(self._held)
        assert self._held is not None, "nobody asks for a frame after its pixels"
        return self._held

    def luma(self) -> NDArray[np.uint8]:
        return luma_of(self.frame(), 0)

    def bgr(self) -> NDArray[np.uint8]:
        frame, self._held = self.frame(), None
        return bgr_of(frame, 0)


def picture_of(raw: NDArray[np.uint8], codec: str, size: tuple[int, int]) -> tuple[Picture, bool] | None:
    """A picture out of what OpenCV gave, and whether it is damaged; None where there is nothing to be seen.

    `raw` is uint8: (1, bytes) of a JPEG, what `codec` says of others, (H, W, 3) BGR where OpenCV converted
    it. `size`, in pixels, was granted; a JPEG says its own.
    """
    if raw.dtype != np.uint8:
        return None
    if raw.ndim == 3 and raw.shape[2] == 3:  # whatever it was asked
        return ArrayPicture(raw), False
    if codec in JPEGS:
        return _from_jpeg(raw.tobytes())
    layout = _LAYOUTS.get(codec)
    if layout is None or raw.shape != layout.shape(*size):
        return None
    raw.flags.writeable = False
    luma = partial(layout.luma, raw, size[1])
    return LazyPicture(size, partial(_converted, raw, layout.to_bgr), luma), False


def _from_jpeg(data: bytes) -> tuple[Picture, bool] | None:
    try:
        jpeg = read_jpeg(data)
    except ValueError:
        return None
    if limits.too_large(jpeg.size):
        return None
    picture = JpegPicture(jpeg)
    if not jpeg.whole:
        try:  # now: what is missing may be too much, and nobody is to be handed what shows nothing
            picture.decoded()
        except (av.FFmpegError, ValueError):
            return None
    return picture, not jpeg.whole


def _decoded(jpeg: Jpeg) -> VideoFrame:
    """One decoder for each: what one picture says of its tables is not for the next."""
    decoder = VideoCodecContext.create("mjpeg", "r")
    decoder.thread_type, decoder.thread_count = "SLICE", 1
    frames = decoder.decode(av.Packet(jpeg.data))
    if not frames or (frames[0].width, frames[0].height) != jpeg.size:
        raise ValueError("the camera's JPEG shows nothing")
    return frames[0]


def _converted(raw: NDArray[np.uint8], to_bgr: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(raw, to_bgr), np.uint8)
