"""A picture into a slot as the decoder left it, and out of it with the same pixels as if it had stayed.

What depends on more than the planes and two colour tags is converted where it was decoded: of deep, odd-sized
or interlaced pictures FFmpeg 8 scales the colours by properties that cannot be carried over.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from streamer.frame import LazyPicture, Picture
from streamer.isolation.messages import Form
from streamer.isolation.segment import Reading
from streamer.sources import limits
from streamer.sources.decoded import DecodedPicture, bgr_of, has_luma, luma_of, shown_size

_BGR = "bgr24"

# For each plane: half bytes across for each pixel of the width, half lines down for each of the height.
_WHOLE, _QUARTER, _LEFT_HALF = (2, 2), (1, 1), (1, 2)
_PLANES = {
    "gray": (_WHOLE,),
    "yuv420p": (_WHOLE, _QUARTER, _QUARTER),
    "yuvj420p": (_WHOLE, _QUARTER, _QUARTER),
    "nv12": (_WHOLE, (2, 1)),
    "yuv422p": (_WHOLE, _LEFT_HALF, _LEFT_HALF),
    "yuvj422p": (_WHOLE, _LEFT_HALF, _LEFT_HALF),
    "yuv444p": (_WHOLE, _WHOLE, _WHOLE),
    "yuvj444p": (_WHOLE, _WHOLE, _WHOLE),
    _BGR: ((6, 2),),
}

Planes = Sequence[NDArray[np.uint8]]


def taken_apart(picture: Picture) -> tuple[Form, Planes]:
    """A picture's form, and its planes, each (lines, the bytes of a line or more). Raises what `bgr` does."""
    decoded = picture.decoded() if isinstance(picture, DecodedPicture) else None
    if decoded is not None:
        frame, turns = decoded
        if _carries_over(frame):
            tags = frame.colorspace, frame.color_range
            form = Form(frame.format.name, frame.width, frame.height, turns, *map(int, tags))
            return form, _planes_of(frame)
    pixels = picture.bgr()
    height, width = pixels.shape[:2]
    return Form(_BGR, width, height), [pixels.reshape(height, 3 * width)]


def _carries_over(frame: VideoFrame) -> bool:
    even = frame.width % 2 == frame.height % 2 == 0
    return has_luma(frame) and frame.format.name in _PLANES and even and not frame.interlaced_frame


def _planes_of(frame: VideoFrame) -> Planes:
    return [np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]


def bytes_of(form: Form) -> int:
    """How large it is in a slot. Raises ValueError for a form that there is not."""
    if form.pixels not in _PLANES or limits.too_large((form.width, form.height)):
        raise ValueError(f"no picture is {form.pixels[:16]!r} of {form.width}x{form.height}")
    return sum(lines * across for lines, across in _shapes(form))


def write(planes: Planes, form: Form, slot: NDArray[np.uint8]) -> None:
    """Put planes into a slot, one behind the other without gaps."""
    for plane, place in zip(planes, _places(form, slot), strict=True):
        lines, across = place.shape
        place[...] = plane[:lines, :across]


def shared_picture(slots: Reading, number: int, form: Form) -> LazyPicture:
    """The picture that lies in a slot; it is copied when it is first looked at, or Stale is raised then."""
    copy = _Copy(slots, number, form)
    luma = None if form.pixels == _BGR else copy.luma
    return LazyPicture(shown_size(form.width, form.height, form.turns), copy.bgr, luma)


class _Copy:
    """A picture out of its slot. LazyPicture asks for one thing at a time, from any thread."""

    def __init__(self, slots: Reading, number: int, form: Form) -> None:
        self._read: Callable[[], VideoFrame] = partial(slots.read, number, partial(_frame, form))
        self._turns = form.turns
        self._frame: VideoFrame | None = None

    def bgr(self) -> NDArray[np.uint8]:
        return bgr_of(self._taken(), self._turns)

    def luma(self) -> NDArray[np.uint8]:
        return luma_of(self._taken(), self._turns)

    def _taken(self) -> VideoFrame:
        if self._frame is None:
            self._frame = self._read()
        return self._frame


def _frame(form: Form, slot: NDArray[np.uint8]) -> VideoFrame:
    frame = VideoFrame(form.width, form.height, form.pixels)
    frame.colorspace, frame.color_range = form.colorspace, form.color_range
    for plane, place in zip(_planes_of(frame), _places(form, slot), strict=True):
        lines, across = place.shape
        plane[:lines, :across] = place
    return frame


def _places(form: Form, slot: NDArray[np.uint8]) -> Planes:
    places, start = [], 0
    for lines, across in _shapes(form):
        places.append(slot[start : start + lines * across].reshape(lines, across))
        start += lines * across
    return places


def _shapes(form: Form) -> list[tuple[int, int]]:
    """Lines of each plane, and bytes of a line."""
    return [(form.height * down // 2, form.width * across // 2) for across, down in _PLANES[form.pixels]]
