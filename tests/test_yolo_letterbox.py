"""Pictures into inputs and boxes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.yolo.cpu.buffers import Buffers
from detectors.yolo.letterbox import GREY, Fit, draw, fit, fit_fixed

sides = st.one_of(st.integers(1, 64), st.integers(1, 10_000))
sizes = st.tuples(sides, sides)
strides = st.sampled_from((32, 64))
imgszs = st.integers(1, 20).map(lambda n: 64 * n)


def to_input(where: Fit, xyxy: np.ndarray) -> np.ndarray:
    scale = np.array((where.inner[0] / where.size[0], where.inner[1] / where.size[1]) * 2)
    return (xyxy * scale + np.array((where.left, where.top) * 2)).astype(np.float32)


@given(sizes, imgszs, strides)
def test_the_input_is_the_smallest_that_holds_the_picture(
    size: tuple[int, int], imgsz: int, stride: int
) -> None:
    where = fit(size, imgsz, stride)
    height, width = where.shape
    assert width % stride == height % stride == 0
    assert max(where.inner) == max(where.shape) == imgsz
    for side, inner, before in ((width, where.inner[0], where.left), (height, where.inner[1], where.top)):
        assert 1 <= inner <= side < inner + stride
        after = side - inner - before
        assert 0 <= before <= after <= before + 1


@given(sizes, imgszs, st.data())
def test_boxes_come_back(size: tuple[int, int], imgsz: int, data: st.DataObject) -> None:
    where = data.draw(st.sampled_from((fit(size, imgsz, 32), fit_fixed(size, (imgsz, 320)))))
    fraction = st.floats(0, 1)
    (x1, x2), (y1, y2) = (sorted((data.draw(fraction) * side, data.draw(fraction) * side)) for side in size)
    box = np.array([[x1, y1, x2, y2]])
    back = where.to_picture(to_input(where, box))
    assert back.dtype == np.float32
    assert np.abs(back - box).max() < 1


@given(sizes, st.lists(st.floats(-1e4, 1e4, width=32), min_size=4, max_size=4))
def test_boxes_are_cut_at_the_edges(size: tuple[int, int], box: list[float]) -> None:
    back = fit(size, 640, 32).to_picture(np.array([box], np.float32))[0]
    assert (back >= 0).all()
    assert (back <= np.array(size * 2, np.float32)).all()


@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.booleans(), st.integers(0, 99))
def test_a_used_canvas_is_drawn_over_whole(size: tuple[int, int], fixed: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    picture = random.integers(0, 256, (size[1], size[0], 3), np.uint8)
    where = fit_fixed(size, (96, 64)) if fixed else fit(size, 64, 32)
    clean = np.full((*where.shape, 3), GREY, np.uint8)
    used = random.integers(0, 256, clean.shape, np.uint8)
    draw(picture, where, clean)
    draw(picture, where, used)
    assert (clean == used).all()


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    canvas = np.empty((64, 96, 3), np.uint8)
    draw(picture, fit((96, 64), 96, 32), canvas)
    assert (canvas == picture).all()


@pytest.mark.parametrize("size", [(1, 1), (10_000, 1), (1, 10_000)])
def test_extreme_pictures_keep_at_least_a_pixel(size: tuple[int, int]) -> None:
    where = fit(size, 640, 32)
    assert min(where.inner) >= 1
    draw(np.zeros((size[1], size[0], 3), np.uint8), where, np.empty((*where.shape, 3), np.uint8))


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="0 × 5"):
        fit((0, 5), 640, 32)


def test_a_buffer_has_one_owner_and_is_used_again() -> None:
    buffers = Buffers()
    first = buffers.take((2, 3), np.float32)
    second = buffers.take((2, 3), np.float32)
    assert not np.shares_memory(first, second)
    buffers.give(first)
    third = buffers.take((4,), np.uint8)
    assert np.shares_memory(first, third)
    assert not np.shares_memory(second, third)


def test_only_a_few_of_the_largest_buffers_are_kept() -> None:
    buffers = Buffers(keep=2)
    arrays = [buffers.take((count,), np.uint8) for count in (10, 30, 20)]
    for array in arrays:
        buffers.give(array)
    again = [buffers.take((5,), np.uint8) for _ in range(3)]
    shared = [any(np.shares_memory(old, new) for new in again) for old in arrays]
    assert shared == [False, True, True]
