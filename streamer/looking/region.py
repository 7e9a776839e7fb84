"""A region of interest: polygons in normalised coordinates, which survive a change of the picture's size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.looking.polygon import Point, check_polygon

MOST_POLYGONS = 20
# Shown beside the region, as a part of the picture: what stands at its edge is seen whole enough to be
# recognised, and where it stands is seen too.
MARGIN = 0.1
_ON_THE_EDGE = 1e-9  # of the picture's side: a rounding error of float64 and no more


@dataclass(frozen=True, slots=True)
class Region:
    """One or more simple polygons; a point of any of them, its edge included, is in the region.

    Points are x, y from 0 (left, top) to 1 (right, bottom), as parts of the picture's width and height.
    Raises ConfigError where they are no simple polygons; see `check_polygon`.
    """

    polygons: Sequence[Sequence[Point]]
    _edges: Sequence[NDArray[np.float64]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= len(self.polygons) <= MOST_POLYGONS:
            raise ConfigError(f"a region of {len(self.polygons)} polygons; allowed: 1 to {MOST_POLYGONS}")
        polygons = tuple(check_polygon(points) for points in self.polygons)
        object.__setattr__(self, "polygons", polygons)
        object.__setattr__(self, "_edges", tuple(_edges(points) for points in polygons))

    def holds(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """For points (N, 2), normalised: which are in the region, (N,)."""
        inside = np.zeros(len(points), np.bool_)
        for edges in self._edges:
            inside |= _in_polygon(points, edges)
        return inside

    def standing(self, xyxy: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
        """For boxes (N, 4) in a picture of width, height: which stand in the region, (N,).

        A thing stands where the middle of its box's lower edge is: its feet, its wheels.
        """
        points = np.empty((len(xyxy), 2), np.float64)
        points[:, 0] = (xyxy[:, 0].astype(np.float64) + xyxy[:, 2]) / 2 / size[0]
        points[:, 1] = xyxy[:, 3].astype(np.float64) / size[1]
        # A box that reaches out of the picture is cut there, and so is what can be said of it.
        return self.holds(points.clip(0, 1))

    def rectangle(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 in whole pixels of a picture of width, height: round the region, and a margin."""
        corners = np.array([point for points in self.polygons for point in points])
        (x1, y1), (x2, y2) = corners.min(0) - MARGIN, corners.max(0) + MARGIN
        width, height = size
        return (
            max(0, math.floor(x1 * width)),
            max(0, math.floor(y1 * height)),
            min(width, math.ceil(x2 * width)),
            min(height, math.ceil(y2 * height)),
        )


def _edges(points: Sequence[Point]) -> NDArray[np.float64]:
    """(7, E), of each edge: its begin, x and y; its end's y; its run, x and y; near its line; along it."""
    begin = np.array(points, np.float64).T
    end = np.roll(begin, -1, 1)
    run = end - begin
    near = _ON_THE_EDGE * np.hypot(*run)
    edges = np.stack((*begin, end[1], *run, near, (run * run).sum(0) + near))
    edges.flags.writeable = False
    return edges


def _in_polygon(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Even-odd rule: a ray to the left crosses the polygon's edges an odd number of times."""
    x1, y1, y2, run, rise, near, far = edges
    x, y = points[:, :1] - x1, points[:, 1:] - y1  # (N, E): from where the edge begins
    across = run * y - rise * x  # 0 on the line, its sign tells the side
    # By the corners themselves: to the edges on either side of one, a point is above it or is not.
    crossed = ((points[:, 1:] < y1) != (points[:, 1:] < y2)) & ((across > 0) == (rise < 0))
    along = run * x + rise * y
    on = (np.abs(across) <= near) & (along >= -near) & (along <= far)
    inside: NDArray[np.bool_] = np.bitwise_xor.reduce(crossed, 1) | on.any(1)
    return inside
