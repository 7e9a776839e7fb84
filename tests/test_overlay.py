"""The overlay: pure, readable, inside the picture, in stable colours."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.overlay import BLACK, Plates, colour, draw
from streamer import Detections

LABELS = ("person", "car", "Straße", "行人")


def seen(*boxes: tuple[float, float, float, float], track: list[int] | None = None) -> Detections:
    count = len(boxes)
    tracks = None if track is None else np.array(track)
    scores, classes = np.full(count, 0.87, np.float32), np.arange(count, dtype=np.int32) % len(LABELS)
    return Detections(LABELS, np.array(boxes, np.float32), scores, classes, tracks)


def test_it_is_pure() -> None:
    pixels = np.full((90, 160, 3), 80, np.uint8)
    pixels.flags.writeable = False
    first, second = (draw(pixels, seen((10, 30, 60, 80)), caption="gate") for _ in range(2))
    assert (first == second).all()
    assert (pixels == 80).all()
    assert (first != 80).any()


@pytest.mark.timeout(60)
def test_threads_do_not_get_each_others_letters() -> None:
    def pictures(seed: int) -> list[int]:
        sides = np.random.default_rng(seed).integers(300, 1300, 3000).tolist()
        drawn = []
        for side in sides:
            canvas = np.zeros((side // 25, 300, 3), np.uint8)
            Plates(canvas, letter=side // 34).add("person 0.87 é " * 4, (0, 0, 300, 9), BLACK)
            drawn.append(hash(canvas.tobytes()))
        return drawn

    alone = [pictures(seed) for seed in range(4)]
    together: dict[int, list[int]] = {}
    threads = [
        threading.Thread(target=lambda seed: together.update({seed: pictures(seed)}), args=(seed,))
        for seed in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(4)] == alone


def test_nothing_seen_and_no_caption_leaves_the_picture_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    assert (draw(pixels, Detections.none(LABELS)) == pixels).all()


sides = st.integers(1, 400)
coordinate = st.floats(-50, 450, width=32)


@given(
    size=st.tuples(sides, sides),
    boxes=st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), max_size=6),
    caption=st.none() | st.text(max_size=30),
    polygon=st.none() | st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_any_picture_any_box_any_text(
    size: tuple[int, int],
    boxes: list[tuple[float, float, float, float]],
    caption: str | None,
    polygon: list[tuple[float, float]] | None,
) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    things = seen(*boxes) if boxes else Detections.none(LABELS)
    region = [polygon] if polygon else []
    assert draw(pixels, things, caption=caption, region=region).shape == pixels.shape


@pytest.mark.parametrize("background", [0, 128, 255])
def test_a_region_is_a_thin_line_on_any_background(background: int) -> None:
    pixels = np.full((480, 640, 3), background, np.uint8)
    region = [[(0, 0.25), (1, 0.25), (1, 1), (0, 1)], [(0.25, 0.05), (0.75, 0.05), (0.5, 0.2)]]
    drawn = draw(pixels, Detections.none(LABELS), region=region)
    rows = np.nonzero((drawn[:, 320] != background).any(axis=1))[0]
    for edge in (0.05, 0.2, 0.25, 1):
        near = drawn[max(0, round(edge * 479) - 3) : round(edge * 479) + 4, 320]
        assert np.abs(near.astype(int) - background).max() > 100
    assert len(rows) <= 4 * 7, "with its dark edges, softened"
    assert (drawn[300, 100:540] == background).all(), "what is in it stays as it is"


def test_colours_are_stable_and_far_apart() -> None:
    colours = np.array([[colour(i) for i in range(24)]], np.float32) / 255
    lab = cv2.cvtColor(colours, cv2.COLOR_BGR2LAB)[0]  # CIELAB: 2.3 is just noticeable
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1000 * np.eye(24)
    assert apart[:12, :12].min() > 40
    assert apart.min() > 30
    assert colour(-1) == colour(23) == colour(2**40 * 24 - 1)


@pytest.mark.parametrize("height", [48, 180, 359, 720])
def test_a_predicted_box_is_dashed_at_any_size(height: int) -> None:
    pixels = np.full((height, height * 16 // 9, 3), 255, np.uint8)
    whole = seen((height * 0.2, height * 0.5, height * 0.9, height * 0.9))
    dashed = replace(whole, observed=np.array([False]))
    right = round(height * 0.9)
    of_colour = [
        (draw(pixels, one)[height // 2 : right, right] == colour(0)).all(axis=1) for one in (whole, dashed)
    ]
    assert of_colour[0].mean() > 0.6
    assert 0.25 < of_colour[1].mean() / of_colour[0].mean() < 0.85


@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("number", range(8))
def test_a_box_shows_on_any_background(background: int, number: int) -> None:
    pixels = np.full((240, 320, 3), background, np.uint8)
    drawn = draw(pixels, seen((100, 100, 200, 200), track=[number]))
    edge = drawn[195:206, 150].astype(int)
    contrast = np.abs(edge - background).sum(axis=1).max()
    assert contrast > 150


@pytest.mark.parametrize("height", [180, 360, 720, 2160])
def test_lines_and_letters_grow_with_the_picture(height: int) -> None:
    pixels = np.full((height, height * 16 // 9, 3), 128, np.uint8)
    drawn = draw(pixels, seen((height * 0.4, height * 0.4, height * 0.8, height * 0.8)))
    column = (drawn[: int(height * 0.4), int(height * 0.42)] != 128).any(axis=1)
    assert 0.025 * height < column.sum() < 0.09 * height + 12, "the label's plate"


def test_plates_stay_inside_and_clear_of_each_other() -> None:
    picture = np.zeros((400, 600, 3), np.uint8)
    plates = Plates(picture, letter=12)
    rng = np.random.default_rng(1)
    for x, y in rng.integers(0, 400, (8, 2)).tolist():
        plates.add("person 0.87", (x, y, x + 90, y + 60), BLACK)
    for i, (x1, y1, x2, y2) in enumerate(plates._taken):
        assert x1 >= 0
        assert y1 >= 0
        assert x2 <= 600
        assert y2 <= 400
        for a1, b1, a2, b2 in plates._taken[:i]:
            assert x1 >= a2 or a1 >= x2 or y1 >= b2 or b1 >= y2
