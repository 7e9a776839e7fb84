"""How long a batch waits for more cameras."""

import itertools

import pytest
from boxes import picture

from streamer import Frame, Quality
from streamer.window import LONGEST_S, SHORTEST_S, Window

PICTURE = picture()


def frames(
    camera: str, fps: float, indices: range, *, start_s: float = 0.0, live: bool = True
) -> list[Frame]:
    return [
        Frame(
            camera=camera,
            epoch=0,
            index=index,
            captured_ns=round((start_s + index / fps) * 1e9),
            scene_ns=0,
            pts_ns=None,
            source_ns=None,
            keyframe=False,
            quality=Quality.FINE,
            picture=PICTURE,
            live=live,
        )
        for index in indices
    ]


def test_before_anything_is_known_it_is_short() -> None:
    assert Window().seconds(0, 0.0) == SHORTEST_S


@pytest.mark.parametrize(
    ("fps", "execution_s", "expected_s"),
    [
        (25, 0.010, 0.030),
        (25, 0.0, 0.040),
        (25, 0.1, SHORTEST_S),
        (5, 0.0, LONGEST_S),
        (1000, 0.0, SHORTEST_S),
    ],
)
def test_it_is_what_is_left_of_the_period(fps: float, execution_s: float, expected_s: float) -> None:
    window = Window()
    window.observe(frames("gate", fps, range(100)))
    assert window.seconds(round(99 / fps * 1e9), execution_s) == pytest.approx(expected_s)


def test_the_fastest_camera_decides() -> None:
    window = Window()
    window.observe(frames("slow", 10, range(10)))
    window.observe(frames("fast", 25, range(25)))
    assert window.seconds(10**9, 0.0) == pytest.approx(0.040)


def test_drops_do_not_make_the_period_longer() -> None:
    window = Window()
    window.observe(frames("gate", 50, range(0, 100, 7)))
    assert window.seconds(2 * 10**9, 0.0) == pytest.approx(0.020)


def test_bursts_do_not_make_the_period_shorter() -> None:
    window = Window()
    for index, late_s in zip(range(64), itertools.cycle([0.0, 0.015, 0.001, 0.01]), strict=False):
        window.observe(frames("gate", 25, range(index, index + 1), start_s=late_s))
    assert window.seconds(round(63 / 25 * 1e9), 0.0) == pytest.approx(0.040, rel=0.01)


def test_a_silent_camera_has_no_say_after_two_seconds() -> None:
    window = Window()
    window.observe(frames("gone", 50, range(50)))
    window.observe(frames("there", 20, range(60)))
    assert window.seconds(round(2.9e9), 0.0) == pytest.approx(0.020)
    assert window.seconds(round(3.1e9), 0.0) == pytest.approx(0.050)
    assert window.seconds(round(9e9), 0.0) == SHORTEST_S


def test_an_outage_is_no_period() -> None:
    window = Window()
    window.observe(frames("gate", 50, range(50)))
    window.observe(frames("gate", 50, range(50, 60), start_s=60))
    assert window.seconds(round(61.2e9), 0.0) == pytest.approx(0.020)


def test_recordings_have_no_say() -> None:
    window = Window()
    window.observe(frames("film", 30, range(50), live=False))
    assert window.seconds(10**9, 0.0) == SHORTEST_S


def test_times_that_run_backwards_do_no_harm() -> None:
    window = Window()
    window.observe(frames("odd", 25, range(50))[::-1])
    window.observe(frames("odd", -25, range(50)))
    assert SHORTEST_S <= window.seconds(0, 0.0) <= LONGEST_S
