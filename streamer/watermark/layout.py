"""Where the cells lie: a band at the top and the same at the bottom, in whole macroblocks."""

from dataclasses import dataclass
from functools import lru_cache

from streamer.errors import ConfigError
from streamer.watermark.cells import BITS, FEWEST_KNOWN

CELL_PX = 16  # a macroblock of H.264 and MPEG-4: a cell shares its block with nothing that moves


@dataclass(frozen=True, slots=True)
class Layout:
    """The bands of pictures of one size; cells are read row by row."""

    columns: int
    rows: int  # of each band
    bottom: int  # where the lower band begins, pixels from the top

    @property
    def known(self) -> int:
        """How many cells are known beforehand: all that the mark leaves."""
        return self.columns * self.rows - BITS

    @property
    def width(self) -> int:
        """Pixels; the rest of the picture's width is left as it is."""
        return self.columns * CELL_PX

    @property
    def height(self) -> int:
        """Pixels, of each band; the upper one begins at 0."""
        return self.rows * CELL_PX

    @property
    def between(self) -> int:
        """How many rows of pixels the bands leave between them."""
        return self.bottom - self.height


@lru_cache(maxsize=64)
def layout_of(size: tuple[int, int]) -> Layout:
    """The bands for a width and height. Raises ConfigError where they have no room."""
    width, height = size
    columns, blocks = width // CELL_PX, height // CELL_PX
    rows = -(-(BITS + FEWEST_KNOWN) // columns) if columns else 0
    if not columns or 2 * rows > blocks:
        at_least = f"at this width {2 * rows * CELL_PX} rows" if columns else f"{CELL_PX} columns"
        raise ConfigError(
            f"{width}x{height} is too small for a watermark: it wants {at_least} (320x160 is enough)"
        )
    return Layout(columns, rows, (blocks - rows) * CELL_PX)
