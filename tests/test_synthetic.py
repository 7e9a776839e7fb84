"""The synthetic camera: known boxes, real time, and a recording of it."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.clock import ManualClock
from streamer.errors import ConfigError
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.pattern import Pattern
from streamer.sources.synthetic import _COLOURS, Scene, SyntheticCamera, SyntheticRecording
from streamer.watermark import Mark, layout_of, read


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(64, 700), st.integers(64, 500)), st.integers(0, 2**32 - 1), st.integers(0, 10**6)
)
def test_boxes_lie_in_the_picture_and_depend_on_nothing_else(
    size: tuple[int, int], seed: int, index: int
) -> None:
    boxes = Scene(size, seed).boxes(index)
    assert boxes == Scene(size, seed).boxes(index)
    assert {label for label, *_ in boxes} == {"disc", "rectangle"}
    for _, x1, y1, x2, y2 in boxes:
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 5000))
def test_painted_shapes_fill_their_boxes_exactly(seed: int, index: int) -> None:
    scene = Scene((320, 240), seed)
    pixels = scene.paint(index, index / 30)
    boxes = scene.boxes(index)
    for number, (_, x1, y1, x2, y2) in enumerate(boxes):
        ys, xs = np.nonzero((pixels == _COLOURS[number]).all(axis=2))
        if len(xs):
            assert x1 <= xs.min() <= xs.max() < x2
            assert y1 <= ys.min() <= ys.max() < y2
    # Nothing covers the last one.
    assert (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) == boxes[-1][1:]


def test_shapes_move_and_the_time_is_painted() -> None:
    scene = Scene((640, 360), 1)
    assert scene.boxes(0) != scene.boxes(5)
    strip = slice(48, 48 + (304 - 48) // 12)  # below the watermark
    first, later = scene.paint(0, 0.0)[strip], scene.paint(7, 0.233)[strip]
    assert first.max() > 200
    assert not np.array_equal(first, later)


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (320, 240), (333, 251)])
@pytest.mark.parametrize("index", [0, 1, 12345, 2**24 + 7])
def test_pictures_that_are_large_enough_carry_a_watermark(size: tuple[int, int], index: int) -> None:
    scene = Scene(size, 256 + 7)
    assert scene.watermarked
    assert read(scene.paint(index, index / 30)).mark == Mark(7, index % 2**24)
    assert read(scene.paint(index, index / 30, 12_345_678)).mark == Mark(7, index % 2**24, 12_300_000)


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(320, 900), st.integers(230, 700)), st.integers(0, 500), st.integers(0, 10**6))
def test_shapes_keep_off_the_watermark(size: tuple[int, int], seed: int, index: int) -> None:
    scene, layout = Scene(size, seed), layout_of(size)
    assert scene.watermarked
    assert all(layout.height < y1 < y2 <= layout.bottom for _, _, y1, _, y2 in scene.boxes(index))


@pytest.mark.parametrize("size", [(64, 64), (320, 180), (160, 120)])
def test_small_pictures_carry_none(size: tuple[int, int]) -> None:
    assert not Scene(size, 1).watermarked
    assert read(Scene(size, 1).paint(5, 0.2)).mark is None


def test_live_pictures_say_when_they_were_due() -> None:
    clock = ManualClock(77_000_050_000)
    camera = SyntheticCamera(Pattern((320, 240), 10.0, 5), clock)
    with camera:
        pictures = iter(camera)
        for index in range(3):
            captured = next(pictures)
            due_ns = 77_000_000_000 + index * 100_000_000  # to a tenth of a millisecond
            assert read(captured.picture.bgr()).mark == Mark(5, index, due_ns)
            clock.advance(0.1)
        camera.stop()


def test_a_recording_has_as_many_pictures_as_asked_for() -> None:
    source = open_source(parse_address("synthetic:?size=64x64&fps=25&seed=3&count=10"))
    assert (source.live, source.ends) == (False, True)
    with source:
        captured = list(source)
    assert [one.pts_ns for one in captured] == [index * 40_000_000 for index in range(10)]
    assert isinstance(source, SyntheticRecording)
    with source:
        again = list(source)
    assert np.array_equal(again[4].picture.bgr(), source.scene.paint(4, 0.16))
    assert not again[4].picture.bgr().flags.writeable


@pytest.mark.timeout(20)
def test_live_is_never_ahead_and_leaves_out_what_nobody_asked_for() -> None:
    clock = ManualClock(1_000)
    camera = SyntheticCamera(Pattern((64, 64), 10.0, 1), clock)
    with camera:
        pictures = iter(camera)
        first = next(pictures)
        assert (first.pts_ns, first.captured_ns) == (0, 1_000)
        clock.advance(0.55)
        late = next(pictures)
        # It was busy for half a second: pictures 1 to 4 are left out, 5 was due 50 ms ago.
        assert (late.pts_ns, late.captured_ns) == (500_000_000, 500_001_000)
        clock.advance(0.05)
        assert next(pictures).pts_ns == 600_000_000
        camera.stop()
        assert list(pictures) == []


@pytest.mark.timeout(20)
def test_live_keeps_real_time() -> None:
    source = open_source(parse_address("synthetic:?size=64x64&fps=100"))
    assert (source.live, source.ends) == (True, False)
    started = time.monotonic()
    with source:
        for number, one in enumerate(source):
            assert one.captured_ns <= time.monotonic_ns()
            if number == 20:
                break
    assert time.monotonic() - started >= 0.2


def test_a_synthetic_camera_cannot_wait() -> None:
    with pytest.raises(ConfigError, match="live"):
        open_source(parse_address("synthetic:"), SourceOptions(live=False))
