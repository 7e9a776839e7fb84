"""Scene time: grows strictly, whatever the camera's clock does."""

import random

import pytest
from boxes import picture

from streamer import Captured
from streamer.scene_time import SceneTime

MS = 1_000_000


def at(captured_ns: int, pts_ns: int | None) -> Captured:
    return Captured(PICTURE, captured_ns, pts_ns)


PICTURE = picture()


def test_live_time_is_presentation_time_anchored_to_the_first_arrival() -> None:
    times = SceneTime(live=True)
    arrivals = [(1000, 0), (1055, 40), (1081, 80), (1300, 120), (1301, 160)]  # a stall, then a burst
    assert [times.of(at(a * MS, p * MS)) // MS for a, p in arrivals] == [1000, 1040, 1080, 1120, 1160]


def test_a_first_frame_that_comes_late_does_not_put_the_rest_into_the_future() -> None:
    times = SceneTime(live=True)
    arrivals = [(1100, 0), (1110, 40), (1120, 80), (1160, 120), (1230, 160)]
    assert [times.of(at(a * MS, p * MS)) // MS for a, p in arrivals] == [1100, 1110, 1120, 1160, 1200]


def test_a_recordings_time_is_its_own() -> None:
    times = SceneTime(live=False)
    assert [times.of(at(99 * MS, p * MS)) // MS for p in (0, 40, 80)] == [0, 40, 80]


def test_without_any_time_live_is_arrival_and_a_folder_one_second_each() -> None:
    live, folder = SceneTime(live=True), SceneTime(live=False)
    assert [live.of(at(a, None)) for a in (5, 7, 11)] == [5, 7, 11]
    assert [folder.of(at(a, None)) for a in (5, 7, 11)] == [0, 1_000_000_000, 2_000_000_000]


def test_a_camera_that_sets_its_clock_back_is_anchored_anew() -> None:
    times = SceneTime(live=True)
    times.of(at(1000 * MS, 500_000 * MS))
    assert times.of(at(1040 * MS, 20 * MS)) == 1040 * MS
    assert times.of(at(1081 * MS, 60 * MS)) == 1081 * MS
    assert times.of(at(1130 * MS, 100 * MS)) // MS == 1121


def test_a_camera_that_sets_its_clock_forward_is_anchored_anew() -> None:
    times = SceneTime(live=True)
    times.of(at(1000 * MS, 0))
    assert times.of(at(1040 * MS, 3_600_000 * MS)) == 1040 * MS
    assert times.of(at(1090 * MS, 3_600_040 * MS)) // MS == 1080


@pytest.mark.parametrize("ppm", [-500, 500])
def test_a_clock_that_runs_wrong_is_followed(ppm: int) -> None:
    times = SceneTime(live=True)
    for second in range(10_000):
        arrival_ns = 10**12 + second * 1000 * MS
        assert arrival_ns - times.of(at(arrival_ns, second * 1000 * MS * (1_000_000 + ppm) // 1_000_000)) < MS


def test_a_long_silence_does_not_move_the_anchor() -> None:
    times = SceneTime(live=True)
    times.of(at(1000 * MS, 0))
    assert times.of(at(1_000_000 * MS, 40 * MS)) // MS == 1040


@pytest.mark.parametrize("stumble_ms", [0, 40])
def test_a_picture_that_is_repeated_in_a_backlog_does_not_make_it_live(stumble_ms: int) -> None:
    times = SceneTime(live=True)
    for number in range(25):
        times.of(at((1000 + 40 * number) * MS, 40 * number * MS))
    late = [times.of(at(5000 * MS, pts_ms * MS)) for pts_ms in (1000, 1040, 1040 - stumble_ms, 1080)]
    assert [scene_ns // MS for scene_ns in late] == [2000, 2040, 2040, 2080]


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("seed", range(20))
def test_it_always_grows_and_never_runs_ahead(seed: int, live: bool) -> None:
    rng = random.Random(seed)
    times = SceneTime(live=live)
    captured_ns, pts_ns, last_ns = 10**12, 0, -(10**18)
    for _ in range(500):
        captured_ns += rng.choice([0, 1, 20, 40, 80, 2000]) * MS
        pts_ns += rng.choice([40, 40, 40, 40, 0, -40, -100_000, 100_000]) * MS
        scene_ns = times.of(at(captured_ns, rng.choice([pts_ns, pts_ns, pts_ns, None])))
        assert scene_ns > last_ns
        if live:
            assert scene_ns <= captured_ns + 500  # each step on the spot is one ns
        last_ns = scene_ns
