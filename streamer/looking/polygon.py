"""Is a list of points a polygon? Said of the decimal numbers that were written, without rounding."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from streamer.errors import ConfigError

Point = tuple[float, float]
Exact = tuple[Fraction, Fraction]

MOST_POINTS = 100
IN_ORDER = "give the points in order round the area"


def check_polygon(points: Sequence[Point]) -> tuple[Point, ...]:
    """The points of a simple polygon in a picture of 1 × 1; a last one that repeats the first is left out.

    Raises ConfigError: fewer than three points or too many, one outside of the picture, one that stands
    there twice, no area, edges that cross or touch.
    """
    kept = tuple((float(x), float(y)) for x, y in points)
    if len(kept) > 1 and kept[0] == kept[-1]:
        kept = kept[:-1]
    if not 3 <= len(kept) <= MOST_POINTS:
        raise ConfigError(f"a polygon of {len(kept)} points; allowed: 3 to {MOST_POINTS}")
    for point in kept:
        if not (0 <= point[0] <= 1 and 0 <= point[1] <= 1):
            pixels = "; pixels are not taken, for they change with the stream" if max(point) > 2 else ""
            raise ConfigError(
                f"the point {said(point)} is outside of the picture; allowed: x and y from 0 (left, top) "
                f"to 1 (right, bottom){pixels}"
            )
    exact = [(_as_written(x), _as_written(y)) for x, y in kept]
    for number, written in enumerate(exact):
        if written in exact[:number]:
            raise ConfigError(f"the point {said(kept[number])} stands there twice; {IN_ORDER}")
    if not any(_turn(exact[0], exact[1], other) for other in exact[2:]):
        raise ConfigError("the polygon has no area: its points lie on one line")
    for (a, b), (c, d), how in _meetings(exact):
        raise ConfigError(
            f"the polygon crosses itself: its edge from {said(kept[a])} to {said(kept[b])} {how} "
            f"the one from {said(kept[c])} to {said(kept[d])}; {IN_ORDER}"
        )
    return kept


def said(point: Point) -> str:
    """`(0.1, 0.25)`."""
    return f"({point[0]:g}, {point[1]:g})"


def _as_written(number: float) -> Fraction:
    return Fraction(repr(number))


def _meetings(points: Sequence[Exact]) -> Iterator[tuple[tuple[int, int], tuple[int, int], str]]:
    """Edges that meet where edges of a simple polygon do not: the numbers of their ends, and how."""
    edges = [(number, (number + 1) % len(points)) for number in range(len(points))]
    for number, (a, b) in enumerate(edges):
        for c, d in edges[number + 1 :]:
            if b == c or d == a:  # neighbours meet in a corner, and lie on each other where it turns back
                corner, one, other = (
                    (points[b], points[a], points[d]) if b == c else (points[a], points[b], points[c])
                )
                if not _turn(corner, one, other) and _ahead(corner, one, other):
                    yield (a, b), (c, d), "lies on"
            elif _apart(points[a], points[b], points[c], points[d]):
                continue
            else:
                sides = (
                    _turn(points[a], points[b], points[c]) * _turn(points[a], points[b], points[d]),
                    _turn(points[c], points[d], points[a]) * _turn(points[c], points[d], points[b]),
                )
                if sides[0] <= 0 and sides[1] <= 0:
                    yield (a, b), (c, d), "crosses" if sides[0] < 0 and sides[1] < 0 else "touches"


def _turn(a: Exact, b: Exact, c: Exact) -> int:
    """1 or -1, by the side to which the way from a over b to c turns; 0 where it is straight."""
    cross = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return (cross > 0) - (cross < 0)


def _ahead(corner: Exact, one: Exact, other: Exact) -> bool:
    """True where both lie in the same direction from the corner."""
    along = (one[0] - corner[0]) * (other[0] - corner[0]) + (one[1] - corner[1]) * (other[1] - corner[1])
    return along > 0


def _apart(a: Exact, b: Exact, c: Exact, d: Exact) -> bool:
    """True where the rectangles round two edges have no point in common: most edges, quickly."""
    return any(
        max(a[axis], b[axis]) < min(c[axis], d[axis]) or max(c[axis], d[axis]) < min(a[axis], b[axis])
        for axis in (0, 1)
    )
