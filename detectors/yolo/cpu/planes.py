"""Pictures as networks on the CPU take them: colour planes of numbers from 0 to 1, in memory used again."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from detectors.yolo.cpu.buffers import Buffers
from streamer.opencv import cv2


class Planes:
    """Makes them. Thread-safe."""

    def __init__(self, dtype: DTypeLike) -> None:
        self._dtype = dtype
        self._buffers = Buffers()

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Room for pictures, (count, height, width, 3) uint8, with arbitrary content."""
        return self._buffers.take((count, *shape, 3), np.uint8)

    def of(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        """(B, height, width, 3) BGR 0…255 → (B, 3, height, width) RGB 0…1. The canvas is given back."""
        count, height, width, _ = canvas.shape
        planes = self._buffers.take((count, 3, height, width), self._dtype)
        blue_green_red = self._buffers.take((3, height, width), np.uint8)
        for picture, rgb in zip(canvas, planes, strict=True):
            cv2.split(picture, list(blue_green_red))
            for plane, out in zip(blue_green_red, rgb[::-1], strict=True):
                np.divide(plane, np.float32(255), out=out, dtype=np.float32, casting="unsafe")
        self._buffers.give(blue_green_red)
        self._buffers.give(canvas)
        return planes

    def give(self, planes: NDArray[Any]) -> None:
        """Give back what `of` returned; it must not be used any more."""
        self._buffers.give(planes)
