"""How a view is divided into tiles. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A tile's place in the view, pixels."""

    x: int
    y: int
    width: int
    height: int


USUAL = 16 / 9  # of a camera that has shown nothing yet


def grid(size: tuple[int, int], ratios: Sequence[float | None], bar: int) -> list[Cell]:
    """A cell for each camera, in order, of one size, in the rows and columns that show the most.

    size: width and height of the view. ratios: width by height of each camera's pictures, None where it
    is not known. bar: the height of a cell that is not for the picture.
    """
    width, height = size
    count = max(1, len(ratios))

    def shown(columns: int) -> float:
        across, down = width // columns, height // -(-count // columns) - bar
        if across < 1 or down < 1:
            return 0.0
        fitted = (fit((ratio or USUAL, 1.0), (across, down)) for ratio in ratios)
        return sum(w * h for w, h in fitted)

    columns = max(range(1, count + 1), key=shown)
    rows = -(-count // columns)
    cells = []
    for number in range(len(ratios)):
        row, column = divmod(number, columns)
        # Edges from the whole: what does not divide evenly is shared out, and no line stays unpainted.
        left, right = width * column // columns, width * (column + 1) // columns
        top, bottom = height * row // rows, height * (row + 1) // rows
        cells.append(Cell(left, top, right - left, bottom - top))
    return cells


def fit(size: tuple[float, float], room: tuple[int, int]) -> tuple[int, int]:
    """The largest width and height of this shape that the room holds; at least one pixel each."""
    scale = min(room[0] / size[0], room[1] / size[1])
    return max(1, min(room[0], round(size[0] * scale))), max(1, min(room[1], round(size[1] * scale)))


def shared_out(sizes: Sequence[tuple[int, int]], most: int) -> tuple[tuple[int, int], ...]:
    """The same widths and heights, made smaller together where they come to more than `most` pixels."""
    pixels = sum(width * height for width, height in sizes)
    by = min(1.0, (most / pixels) ** 0.5) if pixels else 1.0
    return tuple((int(width * by), int(height * by)) for width, height in sizes)
