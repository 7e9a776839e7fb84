"""Painting a mark into a picture."""

import numpy as np
from numpy.typing import NDArray

from streamer.watermark.cells import cells_of
from streamer.watermark.layout import CELL_PX, Layout, layout_of
from streamer.watermark.mark import Mark

# Black, white and no colour in video's usual range, ITU-R BT.601.
_LUMA = 16, 235
_NEUTRAL = 128


def paint(pixels: NDArray[np.uint8], mark: Mark) -> None:
    """Paint into a writable BGR picture, (H, W, 3) uint8. Raises ConfigError where it is too small."""
    layout = layout_of((pixels.shape[1], pixels.shape[0]))
    for row, levels in enumerate(_rows(mark, layout, 0, 255)):
        line = levels.repeat(3).reshape(-1, 3)
        for top in (0, layout.bottom):
            pixels[_cells_at(top, row), : layout.width] = line


def paint_yuv420(planes: NDArray[np.uint8], mark: Mark) -> None:
    """Paint into a writable 4:2:0 picture as PyAV hands it out: (H * 3 / 2, W) uint8, W and H even.

    Encoders take this form: nothing is rounded on the way. Raises ConfigError where it is too small.
    """
    width, height = planes.shape[1], planes.shape[0] * 2 // 3
    layout = layout_of((width, height))
    # Below the luma the two planes of half the size lie one after the other, without gaps.
    colour = planes[height:].reshape(2, height // 2, width // 2)
    for top in (0, layout.bottom):
        colour[:, top // 2 : (top + layout.height) // 2, : layout.width // 2] = _NEUTRAL
        for row, levels in enumerate(_rows(mark, layout, *_LUMA)):
            planes[_cells_at(top, row), : layout.width] = levels


def _rows(mark: Mark, layout: Layout, black: int, white: int) -> NDArray[np.uint8]:
    """One line of pixels for each row of cells, (rows, width) uint8."""
    cells = cells_of(mark, layout.known).reshape(layout.rows, layout.columns)
    return np.where(cells, np.uint8(white), np.uint8(black)).repeat(CELL_PX, axis=1)


def _cells_at(top: int, row: int) -> slice:
    return slice(top + row * CELL_PX, top + (row + 1) * CELL_PX)
