"""Reading the mark of a picture. It never guesses: what is not certain to the last cell is not read."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from streamer.watermark.cells import BITS, known_cells, mark_of
from streamer.watermark.layout import CELL_PX, layout_of
from streamer.watermark.mark import Mark

# A cell is looked at in its middle: compression, scaling and what moves beside it blur its edges.
_WITHIN_CELL = np.array([5, 7, 9, 11])
_LEAST_CONTRAST = 64  # levels between black and white
_SURE = 0.35  # of the contrast: how far a cell may be from black or white

_Where = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the two bands of one picture say; None where a band cannot be read."""

    top: Mark | None
    bottom: Mark | None

    @property
    def mark(self) -> Mark | None:
        """What both say; None unless they agree."""
        return self.top if self.top == self.bottom else None

    @property
    def torn(self) -> bool:
        """The picture is made of two: each band is right, and they differ."""
        return None not in (self.top, self.bottom) and self.top != self.bottom


def read(pixels: NDArray[np.uint8], size: tuple[int, int] | None = None) -> Reading:
    """Read a BGR picture, (H, W, 3) uint8. Any thread.

    A picture that was scaled as a whole is read with `size`, the width and height that it was painted
    at. Pictures that are too small for a watermark have none.
    """
    height, width = pixels.shape[:2]
    places = _places((width, height), size or (width, height))
    if places is None:
        return Reading(None, None)
    xs, tops, bottoms = places
    return Reading(_band(pixels, tops, xs), _band(pixels, bottoms, xs))


@lru_cache(maxsize=64)
def _places(shown: tuple[int, int], painted: tuple[int, int]) -> tuple[_Where, _Where, _Where] | None:
    """The columns and, for each band, the rows of the pixels that are looked at."""
    try:
        layout = layout_of(painted)
    except ValueError:
        return None
    xs = _middles(layout.columns, 0, shown[0] / painted[0])
    tops, bottoms = (_middles(layout.rows, top, shown[1] / painted[1]) for top in (0, layout.bottom))
    return xs, tops, bottoms


def _middles(count: int, start: int, scale: float) -> _Where:
    pixels = (start + CELL_PX * np.arange(count)[:, None] + _WITHIN_CELL).reshape(-1)
    return np.asarray((pixels + 0.5) * scale, np.intp)


def _band(pixels: NDArray[np.uint8], ys: _Where, xs: _Where) -> Mark | None:
    # Cells have no colour, and green is most of the luma.
    looked_at = pixels[ys[:, None], xs, 1].astype(np.float32)
    each = len(_WITHIN_CELL)
    levels = looked_at.reshape(len(ys) // each, each, len(xs) // each, each).mean(axis=(1, 3)).reshape(-1)
    known = known_cells(len(levels) - BITS)
    black, white = levels[: len(known)][~known].mean(), levels[: len(known)][known].mean()
    if white - black < _LEAST_CONTRAST:
        return None
    shares = (levels - black) / (white - black)
    cells = shares > 0.5
    if (np.abs(shares - cells) > _SURE).any():
        return None
    return mark_of(cells)
