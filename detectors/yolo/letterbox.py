"""How a picture lies in a network's input: scaled, centred, with grey borders; and the way back for boxes.

Scaling and rounding are those of ultralytics 8.4's `LetterBox` and `scale_boxes`, so that the network
sees the same pixels as under `predict`: linear interpolation, grey 114, the odd border pixel below and
to the right. (One deviation: `scale_boxes` works the scale out again from the padded shape, which can
round differently by a pixel; here it is the one that was used.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.opencv import cv2

GREY = 114


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a picture of one size lies in an input of one shape, in pixels."""

    size: tuple[int, int]  # width, height of the picture
    shape: tuple[int, int]  # height, width of the input
    inner: tuple[int, int]  # width, height of the scaled picture in it
    left: int
    top: int

    def to_picture(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (N, 4) in pixels of the input → in pixels of the picture, cut at its edges."""
        (width, height), (inner_width, inner_height) = self.size, self.inner
        offset = np.array((self.left, self.top) * 2, np.float32)
        scale = np.array((width / inner_width, height / inner_height) * 2, np.float32)
        edges = np.array((width, height) * 2, np.float32)
        placed: NDArray[np.float32] = np.clip((xyxy - offset) * scale, np.float32(0), edges)
        return placed


def fit(size: tuple[int, int], imgsz: int, stride: int) -> Fit:
    """The picture's longer side becomes `imgsz`, the shorter one is padded to a multiple of `stride`."""
    inner = _scaled(size, imgsz, imgsz)
    width, height = (side + (imgsz - side) % stride for side in inner)
    return _centred(size, (height, width), inner)


def usual_shape(imgsz: int, stride: int) -> tuple[int, int]:
    """The input of most cameras' pictures, which are 16 to 9: height, width."""
    return fit((1920, 1080), imgsz, stride).shape


def fit_fixed(size: tuple[int, int], shape: tuple[int, int]) -> Fit:
    """The picture fills an input of one given shape (height, width) as far as it can."""
    return _centred(size, shape, _scaled(size, shape[1], shape[0]))


def _scaled(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    if min(size) < 1:
        raise ValueError(f"a picture has at least 1 × 1 pixel, not {size[0]} × {size[1]}")
    ratio = min(width / size[0], height / size[1])
    return max(round(size[0] * ratio), 1), max(round(size[1] * ratio), 1)


def _centred(size: tuple[int, int], shape: tuple[int, int], inner: tuple[int, int]) -> Fit:
    # 0.1 sends the odd pixel to the right and below whatever way .5 is rounded.
    left = round((shape[1] - inner[0]) / 2 - 0.1)
    top = round((shape[0] - inner[1]) / 2 - 0.1)
    return Fit(size, shape, inner, left, top)


def draw(pixels: NDArray[np.uint8], where: Fit, canvas: NDArray[np.uint8]) -> None:
    """Draw a picture, (H, W, 3) uint8, scaled into `canvas`, (*where.shape, 3) uint8, borders included."""
    right, bottom = where.left + where.inner[0], where.top + where.inner[1]
    canvas[: where.top] = GREY
    canvas[bottom:] = GREY
    canvas[:, : where.left] = GREY
    canvas[:, right:] = GREY
    inside = canvas[where.top : bottom, where.left : right]
    if where.inner == where.size:
        inside[...] = pixels
    else:
        cv2.resize(pixels, where.inner, dst=inside, interpolation=cv2.INTER_LINEAR)
