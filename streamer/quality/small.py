"""A picture's brightness: as the decoder left it, and reduced to one small size for all cameras."""

import numpy as np
from numpy.typing import NDArray

from streamer.frame import LazyPicture, Picture
from streamer.opencv import cv2

WIDTH, HEIGHT = 320, 192
# What converts a picture for this alone takes fewer pixels of it: only reading them costs then.
_ENOUGH = 2 * WIDTH


def brightness(picture: Picture) -> NDArray[np.uint8]:
    """(H, W) uint8, read-only. The decoder's own where it has one, else converted and maybe thinned out.

    Raises what reading the picture raises.
    """
    grey = picture.luma() if isinstance(picture, LazyPicture) else _own(picture)
    if grey is None:
        pixels = picture.bgr()
        step = max(1, min(pixels.shape[1] // _ENOUGH, pixels.shape[0] // HEIGHT))
        grey = np.asarray(cv2.cvtColor(pixels[::step, ::step], cv2.COLOR_BGR2GRAY), np.uint8)
    return grey


def _own(picture: Picture) -> NDArray[np.uint8] | None:
    luma = getattr(picture, "luma", None)
    return None if luma is None else luma()


def reduced(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(HEIGHT, WIDTH) uint8, whatever the shape was."""
    # OpenCV has vector code for halving: four times as fast as one step of any other size.
    while grey.shape[1] > 2 * WIDTH and grey.shape[0] > 2 * HEIGHT:
        half = grey.shape[1] // 2, grey.shape[0] // 2
        grey = np.asarray(cv2.resize(grey, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(grey, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)
