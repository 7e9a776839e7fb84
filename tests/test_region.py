"""Regions of interest: what is a polygon, what stands in it, and the rectangle that is shown."""

import math
import random
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.errors import ConfigError
from streamer.looking import Region
from streamer.looking.polygon import MOST_POINTS, check_polygon
from streamer.looking.region import MARGIN, MOST_POLYGONS

Point = tuple[float, float]

TRIANGLE = ((0.1, 0.2), (0.9, 0.2), (0.5, 1.0))
U = ((0.1, 0.1), (0.3, 0.1), (0.3, 0.7), (0.7, 0.7), (0.7, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9))


def boxes(*xyxy: Sequence[float]) -> np.ndarray:
    return np.array(xyxy, np.float32).reshape(-1, 4)


# Is it a polygon?


def refusal(points: Sequence[Point]) -> str:
    with pytest.raises(ConfigError) as caught:
        check_polygon(points)
    return str(caught.value)


WRONG: dict[str, tuple[Sequence[Point], str]] = {
    "none": ((), "a polygon of 0 points; allowed: 3 to 100"),
    "two": (((0, 0), (1, 1)), "a polygon of 2 points; allowed: 3 to 100"),
    "two, and the first again": (((0, 0), (1, 1), (0, 0)), "a polygon of 2 points"),
    "too many": ([(i / 1000, 0) for i in range(MOST_POINTS + 1)], "a polygon of 101 points"),
    "pixels": (
        ((0, 0), (1280, 0), (1280, 720)),
        "the point (1280, 0) is outside of the picture; allowed: x and y from 0 (left, top) to 1 (right, "
        "bottom); pixels are not taken, for they change with the stream",
    ),
    "a little outside": (((0, 0), (1.01, 0), (1, 1)), "the point (1.01, 0) is outside of the picture"),
    "below nothing": (((0, -0.1), (1, 0), (1, 1)), "the point (0, -0.1) is outside of the picture"),
    "no number": (((0, 0), (1, math.nan), (1, 1)), "the point (1, nan) is outside of the picture"),
    "a point twice": (((0, 0), (1, 0), (1, 0), (1, 1)), "the point (1, 0) stands there twice; give"),
    "a point again later": (((0, 0), (1, 0), (0.5, 0.5), (1, 0), (1, 1)), "(1, 0) stands there twice"),
    "a line": (((0, 0), (0.5, 0.5), (1, 1)), "the polygon has no area: its points lie on one line"),
    "a line of decimals": (((0.1, 0.3), (0.2, 0.6), (0.3, 0.9)), "no area"),  # 3 * 0.1 is not 0.3 in binary
    "a bow tie": (
        ((0.1, 0.2), (0.9, 0.8), (0.9, 0.2), (0.1, 0.8)),
        "the polygon crosses itself: its edge from (0.1, 0.2) to (0.9, 0.8) crosses the one from (0.9, 0.2) "
        "to (0.1, 0.8); give the points in order round the area",
    ),
    "a corner on an edge": (
        ((0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)),
        "its edge from (0, 0) to (1, 0) touches the one from (1, 1) to (0.5, 0)",
    ),
    "a corner on a slanted edge": (  # by decimals, not by binary fractions
        ((0.1, 0.1), (0.7, 0.7), (0.7, 0.9), (0.3, 0.3), (0.1, 0.9)),
        "its edge from (0.1, 0.1) to (0.7, 0.7) touches the one from (0.7, 0.9) to (0.3, 0.3)",
    ),
    "a spike": (
        ((0, 0), (1, 0), (0.5, 0), (0.5, 1)),
        "its edge from (0, 0) to (1, 0) lies on the one from (1, 0) to (0.5, 0)",
    ),
    "a spike at the end": (
        ((0, 0), (0.5, 0), (0.5, 1), (0.2, 0.4), (0, 1), (0, 0.5), (0, 0.7)),
        "crosses itself",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("points", "said"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_polygon_is_said(points: Sequence[Point], said: str) -> None:
    assert said in refusal(points)


def test_a_polygon_may_go_either_way_round_and_be_closed() -> None:
    for points in (TRIANGLE, U):
        assert check_polygon(points) == points
        assert check_polygon(points[::-1]) == points[::-1]
        assert check_polygon((*points, points[0])) == points


def test_an_edge_may_go_on_straight() -> None:
    points = ((0.0, 0.0), (0.5, 0.0), (1.0, 0.0), (1.0, 1.0))
    assert check_polygon(points) == points


def crosses(points: Sequence[Point]) -> bool:
    """By another road: pairs of edges solved for where they meet, in exact fractions."""
    exact = [(Fraction(repr(x)), Fraction(repr(y))) for x, y in points]
    count = len(exact)
    for i in range(count):
        for j in range(i + 1, count):
            (ax, ay), (bx, by) = exact[i], exact[(i + 1) % count]
            (cx, cy), (dx, dy) = exact[j], exact[(j + 1) % count]
            ux, uy, vx, vy, wx, wy = bx - ax, by - ay, dx - cx, dy - cy, cx - ax, cy - ay
            det = ux * vy - uy * vx
            if det:
                s, t = (wx * vy - wy * vx) / det, (wx * uy - wy * ux) / det
                corner = (j == i + 1 and s == 1 and t == 0) or (
                    i == 0 and j == count - 1 and s == 0 and t == 1
                )
                if 0 <= s <= 1 and 0 <= t <= 1 and not corner:
                    return True
            elif wx * uy == wy * ux:  # on one line: how far along the first are the ends of the second?
                unit = ux * ux + uy * uy
                ends = sorted((ux * x + uy * y) / unit for x, y in ((wx, wy), (dx - ax, dy - ay)))
                if max(ends[0], Fraction(0)) < min(ends[1], Fraction(1)):
                    return True
    return False


GRID = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda point: (point[0] / 5, point[1] / 5))


@given(points=st.lists(GRID, min_size=3, max_size=7, unique=True))
def test_polygons_that_cross_themselves_are_found(points: list[Point]) -> None:
    """On a coarse grid, where corners lie on edges and edges on each other all the time."""
    try:
        check_polygon(points)
    except ConfigError as error:
        text = str(error)
        assert "crosses itself" in text or "no area" in text
        assert crosses(points)
    else:
        assert not crosses(points)


# What is in it?


def star(rng: random.Random, count: int) -> list[Point]:
    """A simple polygon: corners by their angle round a point inside."""
    angles = sorted(rng.uniform(0, math.tau) for _ in range(count))
    radii = [rng.uniform(0.1, 0.5) for _ in range(count)]
    return [(0.5 + r * math.cos(a), 0.5 + r * math.sin(a)) for a, r in zip(angles, radii, strict=True)]


@given(seed=st.integers(0, 10**6), count=st.integers(3, 12))
def test_points_are_inside_where_opencv_says_so(seed: int, count: int) -> None:
    rng = random.Random(seed)
    corners = star(rng, count)
    try:
        region = Region([corners])
    except ConfigError:
        assume(False)
    points = [(rng.random(), rng.random()) for _ in range(40)]
    contour = (np.array(corners) * 1e3).astype(np.float32)
    distances = [cv2.pointPolygonTest(contour, (x * 1e3, y * 1e3), True) for x, y in points]
    found = region.holds(np.array(points))
    # OpenCV computes in float32: nearer than a thousandth of a pixel it may be wrong.
    for inside, distance in zip(found, distances, strict=True):
        assert inside == (distance >= 0) or abs(distance) < 1e-3


@given(
    points=st.lists(GRID, min_size=3, max_size=7, unique=True), asked=st.lists(GRID, min_size=1, max_size=9)
)
def test_corners_and_edges_belong_to_it(points: list[Point], asked: list[Point]) -> None:
    try:
        region = Region([points])
    except ConfigError:
        assume(False)
    contour = (np.array(points) * 5).round().astype(np.int32)
    expected = [cv2.pointPolygonTest(contour, (round(x * 5), round(y * 5)), False) >= 0 for x, y in asked]
    assert region.holds(np.array(asked)).tolist() == expected


def test_no_points_are_none_in_it() -> None:
    assert Region([TRIANGLE]).holds(np.empty((0, 2))).shape == (0,)


def test_a_thing_stands_where_the_middle_of_its_lower_edge_is() -> None:
    left = Region([((0, 0), (0.5, 0), (0.5, 1), (0, 1))])
    upper = Region([((0, 0), (1, 0), (1, 0.5), (0, 0.5))])
    found = boxes((80, 10, 118, 40), (80, 10, 122, 40), (0, 0, 10, 49), (0, 0, 10, 51), (190, 0, 200, 50))
    assert left.standing(found, (200, 100)).tolist() == [True, False, True, True, False]
    assert upper.standing(found, (200, 100)).tolist() == [True, True, True, False, True]


def test_what_is_cut_by_the_pictures_edge_stands_on_it() -> None:
    """People who come near are cut by the lower edge: they must not vanish from a region that ends there."""
    region = Region([((0, 0.5), (1, 0.5), (1, 1), (0, 1))])
    for size in ((1920, 1080), (641, 359), (3, 3)):
        width, height = size
        found = boxes((0, 0, width, height), (width - 1, 0, width + 1, height), (0, 0, 2, height + 9))
        assert region.standing(found, size).all()


@given(width=st.integers(16, 5000), height=st.integers(16, 5000), seed=st.integers(0, 1000))
def test_a_region_survives_a_change_of_size(width: int, height: int, seed: int) -> None:
    rng = random.Random(seed)
    normalised = np.array([[rng.random(), rng.random(), rng.random(), rng.random()] for _ in range(20)])
    region = Region([TRIANGLE])
    one, other = (
        region.standing((normalised * [*size, *size]).astype(np.float32), size)
        for size in ((width, height), (1280, 720))
    )
    feet = np.stack(((normalised[:, 0] + normalised[:, 2]) / 2, normalised[:, 3]), 1)
    contour = np.array(TRIANGLE, np.float32)
    near = [abs(cv2.pointPolygonTest(contour, (x, y), True)) < 1e-5 for x, y in feet.tolist()]
    assert ((one == other) | near).all()


def test_of_several_polygons_any_will_do() -> None:
    region = Region([TRIANGLE, ((0, 0.8), (0.2, 0.8), (0.2, 1), (0, 1))])
    points = np.array([(0.5, 0.5), (0.1, 0.9), (0.9, 0.9), (0.1, 0.5)])
    assert region.holds(points).tolist() == [True, True, False, False]
    with pytest.raises(ConfigError, match="a region of 21 polygons; allowed: 1 to 20"):
        Region([TRIANGLE] * (MOST_POLYGONS + 1))
    with pytest.raises(ConfigError, match="a region of 0 polygons"):
        Region([])


def test_what_lies_in_a_bay_is_outside() -> None:
    assert Region([U]).holds(np.array([(0.5, 0.4), (0.2, 0.4), (0.5, 0.8)])).tolist() == [False, True, True]


# What is shown of it?


def test_the_rectangle_has_a_margin_and_ends_with_the_picture() -> None:
    assert MARGIN == 0.1
    region = Region([((0.255, 0.315), (0.5, 0.315), (0.495, 0.95), (0.255, 0.95))])
    assert region.rectangle((1000, 100)) == (155, 21, 600, 100)
    assert Region([TRIANGLE]).rectangle((1000, 105)) == (0, 10, 1000, 105)


@given(seed=st.integers(0, 10**6), width=st.integers(1, 4000), height=st.integers(1, 4000))
def test_whatever_stands_in_the_region_is_within_the_rectangle(seed: int, width: int, height: int) -> None:
    rng = random.Random(seed)
    try:
        region = Region([star(rng, 5)])
    except ConfigError:
        assume(False)
    x1, y1, x2, y2 = region.rectangle((width, height))
    assert 0 <= x1 < x2 <= width
    assert 0 <= y1 < y2 <= height
    points = np.array([(rng.random(), rng.random()) for _ in range(50)])
    inside = points[region.holds(points)] * (width, height)
    assert ((inside >= (x1, y1)) & (inside <= (x2, y2))).all()
