"""What is measured in one small picture, block by block."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.opencv import cv2
from streamer.quality.small import HEIGHT, WIDTH

# Blocks of the part that is looked at: the middle two thirds of the height. Above and below stand clocks
# and names, which stay sharp and bright whatever happens to the lens.
ROWS, COLUMNS = 8, 16
_TOP, _BOTTOM = HEIGHT // 6, HEIGHT - HEIGHT // 6

Blocks = NDArray[np.float32]  # (ROWS, COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """One picture. Brightness in grey levels, detail in grey levels from one pixel to the next."""

    bright: Blocks
    brightest: Blocks
    fine: Blocks  # detail at 320 across
    coarse: Blocks  # detail at 80 across
    edges: NDArray[np.float32]  # (64, 160): how strong an edge is where, smoothed over three pixels
    rough: NDArray[np.float32]  # (16, 32): the picture without any detail


def measured(small: NDArray[np.uint8]) -> Measures:
    """Measure a picture of `small.reduced`."""
    inner = small[_TOP:_BOTTOM]
    half = cv2.resize(inner, (WIDTH // 2, inner.shape[0] // 2), interpolation=cv2.INTER_AREA)
    quarter = cv2.resize(half, (WIDTH // 4, inner.shape[0] // 4), interpolation=cv2.INTER_AREA)
    rough = cv2.resize(quarter, (32, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
    across = cv2.Sobel(half, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(half, cv2.CV_32F, 0, 1)
    edges = cv2.blur(cv2.magnitude(across, down), (3, 3))
    largest = quarter.reshape(ROWS, quarter.shape[0] // ROWS, COLUMNS, -1).max((1, 3))
    return Measures(
        _means(quarter),
        largest.astype(np.float32),
        _detail(inner),
        _detail(quarter),
        np.asarray(edges, np.float32),
        rough,
    )


def _means(values: NDArray[Any]) -> Blocks:
    rows, columns = values.shape[0] // ROWS, values.shape[1] // COLUMNS
    sums = np.add.reduceat(values.astype(np.float32), np.arange(ROWS) * rows, 0)
    means = np.add.reduceat(sums, np.arange(COLUMNS) * columns, 1) / np.float32(rows * columns)
    return np.asarray(means, np.float32)


def _detail(grey: NDArray[Any]) -> Blocks:
    change = np.zeros(grey.shape, np.float32)
    change[:, 1:] += cv2.absdiff(grey[:, 1:], grey[:, :-1])
    change[1:] += cv2.absdiff(grey[1:], grey[:-1])
    return _means(change)


def likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> Blocks:
    """Correlation of two edge maps in each block, -1 to 1; 0 where one of them is flat."""
    a, b = _centred(one), _centred(other)
    shared = (a * b).sum((1, 3))
    size = np.sqrt((a * a).sum((1, 3)) * (b * b).sum((1, 3)))
    return np.asarray(np.where(size > 1e-3, shared / np.maximum(size, 1e-3), 0), np.float32)


def _centred(edges: NDArray[np.float32]) -> NDArray[np.float32]:
    blocks = edges.reshape(ROWS, edges.shape[0] // ROWS, COLUMNS, edges.shape[1] // COLUMNS)
    return np.asarray(blocks - blocks.mean((1, 3), keepdims=True), np.float32)


def correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Of two arrays of the same shape, -1 to 1; 0 where one of them is flat."""
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 1e-3 else 0.0
