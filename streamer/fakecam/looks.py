"""Pictures as a camera sees them that is in the dark, out of focus, covered or turned away."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.fakecam.faults import Look
from streamer.opencv import cv2

BLACK, NEUTRAL = 16, 128  # luma and chroma of black, ITU-R BT.601

Planes = NDArray[np.uint8]  # (H * 3 / 2, W): luma, below it the two planes of colour; H and W even


def degraded(look: Look, planes: Planes, chance: np.random.Generator) -> Planes:
    """The same picture with this fault: new planes of the same shape. Any thread."""
    if look is Look.REPEAT:
        return planes.copy()
    if look is Look.BLACK:
        return _filled(planes, BLACK)
    if look is Look.DARK:
        return _dark(planes, chance)
    if look is Look.DEFOCUS:
        return _each_plane(planes, _blurred)
    if look is Look.COVER:
        return _covered(planes, chance)
    return _each_plane(planes, _elsewhere)


def _filled(planes: Planes, luma: int) -> Planes:
    filled = np.full_like(planes, NEUTRAL)
    filled[: _height(planes)] = luma
    return filled


def _dark(planes: Planes, chance: np.random.Generator) -> Planes:
    # A tenth of the light is left, nearly no colour, and the amplifier's noise on all of it.
    height = _height(planes)
    dark = np.empty(planes.shape, np.float32)
    dark[:height] = BLACK + (planes[:height].astype(np.float32) - BLACK) * 0.1
    dark[height:] = NEUTRAL + (planes[height:].astype(np.float32) - NEUTRAL) * 0.2
    dark += chance.standard_normal(planes.shape, np.float32) * 3
    return _clipped(dark)


def _covered(planes: Planes, chance: np.random.Generator) -> Planes:
    # Little light comes round a hand or a leaf, a bit more at one side, and a bit of noise.
    height, width = _height(planes), planes.shape[1]
    covered = np.full(planes.shape, NEUTRAL, np.float32)
    covered[:height] = np.linspace(36, 48, width, dtype=np.float32)
    covered += chance.standard_normal(planes.shape, np.float32) * 2
    return _clipped(covered)


def _blurred(plane: Planes) -> Planes:
    sigma = max(1.0, plane.shape[1] / 90)  # of each plane its own: colour has half the width
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.uint8)


def _elsewhere(plane: Planes) -> Planes:
    # The lower right corner of the scene, as large as the picture.
    height, width = plane.shape
    part = np.ascontiguousarray(plane[height * 2 // 5 :, width * 2 // 5 :])
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _each_plane(planes: Planes, change: Callable[[Planes], Planes]) -> Planes:
    height, width = _height(planes), planes.shape[1]
    changed = np.empty_like(planes)
    changed[:height] = change(planes[:height])
    # The planes of colour have half the width and lie one after the other.
    colour = planes[height:].reshape(2, height // 2, width // 2)
    changed[height:] = np.stack([change(plane) for plane in colour]).reshape(height // 2, width)
    return changed


def _height(planes: Planes) -> int:
    height: int = planes.shape[0] * 2 // 3
    return height


def _clipped(planes: NDArray[np.float32]) -> Planes:
    return np.clip(np.rint(planes), 0, 255).astype(np.uint8)
