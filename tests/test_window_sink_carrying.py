"""Boxes that are carried on: still things stay, moving ones are hit, none leaves the picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sinks.window.carrying import (
    FARTHEST_NS,
    HORIZON_NS,
    LATELY_NS,
    SHOWN_NS,
    Motion,
    Seen,
    _nearness,
    carried,
    matches,
    overlap,
    speeds,
)
from streamer import Detections

SIZE = (640, 480)
LABELS = ("person", "car", "dog")
MS = 1_000_000


def detections(
    boxes: NDArray[np.float64], classes: NDArray[np.int32] | None = None, tracks: list[int] | None = None
) -> Detections:
    count = len(boxes)
    kinds = np.zeros(count, np.int32) if classes is None else classes
    ids = None if tracks is None else np.array(tracks)
    return Detections(LABELS, boxes.astype(np.float32), np.full(count, 0.5, np.float32), kinds, ids)


def seen(
    index: int,
    at_ms: float,
    boxes: NDArray[np.float64],
    classes: NDArray[np.int32] | None = None,
    tracks: list[int] | None = None,
    *,
    epoch: int = 0,
) -> Seen:
    return Seen(epoch, index, round(at_ms * MS), SIZE, detections(boxes, classes, tracks))


@st.composite
def some_boxes(draw: st.DrawFn, most: int = 8) -> NDArray[np.float64]:
    """Boxes in whole pixels, two at least across and down, inside the picture."""
    edges = st.tuples(st.integers(0, SIZE[0] - 2), st.integers(0, SIZE[1] - 2))
    corners = draw(
        st.lists(st.tuples(edges, st.tuples(st.integers(2, 400), st.integers(2, 400))), max_size=most)
    )
    boxes = [(x, y, min(x + across, SIZE[0]), min(y + down, SIZE[1])) for (x, y), (across, down) in corners]
    return np.array(boxes, np.float64).reshape(-1, 4)


times = st.floats(0, 3000)


def speeds_of(before: Seen, after: Seen) -> NDArray[np.float64]:
    return speeds(before, None, after).velocity


@given(some_boxes(), times)
def test_what_stands_still_stays(boxes: NDArray[np.float64], later_ms: float) -> None:
    motion = Motion()
    motion.add(seen(0, 0, boxes))
    motion.add(seen(1, 100, boxes))
    now = motion.at(0, 2, round((100 + later_ms) * MS))
    if later_ms * MS > SHOWN_NS:
        assert now is None
        return
    assert now is not None
    assert (now.observed is None) is (round(later_ms * MS) <= LATELY_NS), "marked where it was seen long ago"
    assert now.observed is None or not now.observed.any()
    assert (now.xyxy == boxes.astype(np.float32)).all()


@given(
    st.floats(50, 300),
    st.floats(50, 300),
    st.floats(10, 60),
    st.floats(-200, 200),
    st.floats(-200, 200),
    st.floats(20, 200),
    st.floats(0, 500),
)
def test_what_moves_evenly_is_hit(
    x: float, y: float, side: float, right: float, down: float, gap_ms: float, later_ms: float
) -> None:
    def where(at_ms: float) -> NDArray[np.float64]:
        left, top = x + right * at_ms / 1000, y + down * at_ms / 1000
        return np.array([[left, top, left + side, top + side]])

    step = np.hypot(right, down) * gap_ms / 1000
    if step > side:
        return  # too far for one thing to be known again
    now = carried(
        after := seen(1, gap_ms, where(gap_ms)),
        speeds_of(seen(0, 0, where(0)), after),
        round((gap_ms + later_ms) * MS),
    )
    expected = np.clip(where(gap_ms + later_ms), 0, [*SIZE, *SIZE])
    if (expected[0, 2:] - expected[0, :2]).min() < 1.5:
        return  # it leaves the picture
    assert now.xyxy == pytest.approx(expected, abs=0.02)


@given(some_boxes(), some_boxes(), st.floats(1, 2000), times)
def test_no_box_leaves_the_picture_and_each_is_one_that_was_seen(
    before: NDArray[np.float64], after: NDArray[np.float64], gap_ms: float, later_ms: float
) -> None:
    motion = Motion()
    motion.add(seen(0, 0, before))
    motion.add(seen(1, gap_ms, after))
    now = motion.at(0, 2, round((gap_ms + later_ms) * MS))
    assert (now is None) == (round((gap_ms + later_ms) * MS) - round(gap_ms * MS) > SHOWN_NS)
    if now is None:
        return
    assert len(now) <= len(after)
    assert (now.xyxy >= 0).all()
    assert (now.xyxy <= np.array(SIZE * 2)).all()
    assert (now.xyxy[:, 2:] >= now.xyxy[:, :2]).all()


@given(some_boxes(), some_boxes(), st.integers(0, 2**32))
def test_what_is_matched_does_not_hang_on_the_order(
    before: NDArray[np.float64], after: NDArray[np.float64], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    kinds = np.arange(len(before), dtype=np.int32) % 3, np.arange(len(after), dtype=np.int32) % 3
    one, other = detections(before, kinds[0]), detections(after, kinds[1])
    pairs = list(matches(one, other))
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs), "one to one"
    assert all(kinds[0][i] == kinds[1][j] for i, j in pairs), "of one class"
    if _ties(one, other):
        return
    shuffle, mix = rng.permutation(len(before)), rng.permutation(len(after))
    again = {(int(shuffle[i]), int(mix[j])) for i, j in matches(one[shuffle], other[mix])}
    assert again == set(pairs)


def _ties(one: Detections, other: Detections) -> bool:
    """Whether two pairs are worth the same: then it is arbitrary which comes first."""
    boxes = one.xyxy.astype(np.float64), other.xyxy.astype(np.float64)
    for worth in (overlap(*boxes), _nearness(*boxes)):
        values = np.sort(worth[worth > 0])
        if len(values) and (np.diff(values) < 1e-9).any():
            return True
    return False


def test_unmatched_ones_stay_where_they_are() -> None:
    before = np.array([[10.0, 10, 50, 50]])
    after = np.array([[20.0, 10, 60, 50], [400, 300, 440, 340]])
    now = carried(last := seen(1, 100, after), speeds_of(seen(0, 0, before), last), 200 * MS)
    assert now.xyxy == pytest.approx(np.array([[30.0, 10, 70, 50], [400, 300, 440, 340]]), abs=0.01)


def test_another_class_is_another_thing() -> None:
    box = np.array([[10.0, 10, 50, 50]])
    moved = box + np.array([10, 0, 10, 0])
    kinds = np.array([0], np.int32), np.array([1], np.int32)
    assert not speeds_of(seen(0, 0, box, kinds[0]), seen(1, 100, moved, kinds[1])).any()


def test_a_track_is_known_wherever_it_is() -> None:
    before = np.array([[0.0, 0, 20, 20], [600, 400, 620, 420]])
    swapped = before[::-1].copy()
    speeds = speeds_of(seen(0, 0, before, None, [7, 8]), seen(1, 100, swapped, None, [7, 8]))
    assert speeds[0] == pytest.approx([6000, 4000, 6000, 4000])


def test_two_that_cross_keep_their_ways() -> None:
    motion = Motion()
    for step in range(2):
        left = np.array([100.0 + 8 * step, 100, 140 + 8 * step, 140])
        right = np.array([160.0 - 8 * step, 110, 200 - 8 * step, 150])
        motion.add(seen(step, 50 * step, np.array([left, right])))
    now = motion.at(0, 9, 150 * MS)
    assert now is not None
    assert now.xyxy[:, 0] == pytest.approx([124, 136])


def test_it_goes_on_for_a_while_then_stands_then_is_gone() -> None:
    motion = Motion()
    for step in range(2):
        left = 10.0 * step
        motion.add(seen(step, 100 * step, np.array([[left, 100, left + 50, 150]])))
    lefts = []
    for later_ns in (0, HORIZON_NS // 2, HORIZON_NS, HORIZON_NS + 1, SHOWN_NS):
        now = motion.at(0, 5, 100 * MS + later_ns)
        assert now is not None
        lefts.append(float(now.xyxy[0, 0]))
    assert lefts == pytest.approx([10, 35, 60, 60, 60], abs=0.01)
    assert motion.at(0, 5, 100 * MS + SHOWN_NS + 1) is None
    assert motion.at(0, 5, 99 * MS) is None, "not before it was seen"


def test_boxes_of_one_epoch_are_not_drawn_in_another() -> None:
    motion, box = Motion(), np.array([[10.0, 10, 50, 50]])
    motion.add(seen(0, 0, box))
    motion.add(seen(1, 100, box + 5, epoch=1))
    assert motion.at(0, 2, 100 * MS) is None
    now = motion.at(1, 2, 150 * MS)
    assert now is not None
    assert now.xyxy == pytest.approx(box + 5), "nor do they tell a motion"


def test_the_very_frame_has_what_was_seen_in_it() -> None:
    motion, box = Motion(), np.array([[10.0, 10, 50, 50]])
    motion.add(seen(4, 100, box))
    own = motion.at(0, 4, 100 * MS)
    assert own is not None
    assert own.observed is None
    for later_ms, lately in ((50, True), (150, True), (151, False)):
        stays = motion.at(0, 5, (100 + later_ms) * MS, moved=False)
        assert stays is not None
        assert (stays.observed is None) is lately
        assert lately or (stays.observed is not None and not stays.observed.any())
        assert (stays.xyxy == own.xyxy).all()


@given(st.integers(0, 3))
def test_a_result_that_comes_late_changes_nothing(late: int) -> None:
    def step(number: int) -> Seen:
        left = 10.0 * number
        return seen(number, 100 * number, np.array([[left, 100, left + 50, 150]]))

    motion = Motion()
    for number in (*range(5), late):
        motion.add(step(number))
    now = motion.at(0, 9, 450 * MS)
    assert now is not None
    assert now.xyxy[0, 0] == pytest.approx(45)


def test_jitter_settles() -> None:
    rng, motion = np.random.default_rng(7), Motion()
    first: list[float] = []
    for step in range(200):
        noise = rng.normal(0, 1, 4)
        motion.add(seen(step, 33 * step, np.array([[100.0, 100, 200, 200]]) + noise))
        now = motion.at(0, 999, (33 * step + 100) * MS)
        assert now is not None
        first.append(float(np.abs(now.xyxy[0] - [100, 100, 200, 200]).max()))
    # Carried on by the last step alone it would be off by 6 in the mean.
    assert np.mean(first[20:]) < 3


def test_results_that_are_far_apart_tell_no_motion() -> None:
    ones = [seen(0, 0, np.array([[10.0, 10, 50, 50]])), seen(1, 0, np.array([[20.0, 10, 60, 50]]))]
    for gap_ns, moves in ((1 * MS, False), (50 * MS, True), (FARTHEST_NS, True), (FARTHEST_NS + 1, False)):
        later = Seen(0, 1, gap_ns, SIZE, ones[1].detections)
        assert speeds_of(ones[0], later).any() == moves


def test_each_of_many_is_known_again() -> None:
    rng = np.random.default_rng(3)
    places = rng.uniform(0, 400, (300, 2))
    boxes = np.hstack((places, places + rng.uniform(5, 60, (300, 2))))
    pairs = list(matches(detections(boxes), detections(boxes + 1)))
    assert len(pairs) == 300
