"""`freshframe bench`: the search for how many cameras are carried, and a real measurement."""

import signal
from pathlib import Path

import numpy as np
import pytest
from running import freshframe, started

from streamer import ArrayPicture, Detections, Frame, ModelInfo, Quality, Result, Timing
from streamer.cli import bench
from streamer.cli.bench import MOST_CAMERAS, Ages, Load, carried, measure
from streamer.config.model import ModelConfig
from streamer.fakecam.film import film
from streamer.sources.pattern import Pattern


def loads(budget: float, fps_in: float = 30.0) -> tuple[list[int], "bench.Callable[[int], Load]"]:
    """A machine that looks at `budget` frames a second in all, shared evenly; and what was tried."""
    counts: list[int] = []

    def tried(count: int) -> Load:
        counts.append(count)
        return Load(count, fps_in, min(fps_in, budget / count), 20.0, 30.0, 1.0)

    return counts, tried


@pytest.mark.parametrize(
    ("budget", "fps", "most"),
    [(60, 5, 12), (60, 30, 2), (4, 5, 0), (5, 5, 1), (1000, 5, MOST_CAMERAS), (315, 5, 63), (35, 5, 7)],
)
def test_the_search_finds_the_most_cameras(budget: float, fps: float, most: int) -> None:
    counts, tried = loads(budget)
    best = carried(tried, fps)
    assert (best.cameras if best else 0) == most
    assert len(counts) == len(set(counts))
    assert len(counts) <= 13
    assert max(counts) <= MOST_CAMERAS


def test_a_camera_that_sends_less_than_is_asked_for_is_carried_when_all_of_it_is_looked_at() -> None:
    best = carried(loads(100, fps_in=10.0)[1], 30.0)
    assert best is not None
    assert best.cameras == 10


def test_cameras_that_starve_are_not_carried_because_little_comes_in() -> None:
    def tried(count: int) -> Load:
        fps = 30.0 if count <= 8 else 2.0
        return Load(count, fps, fps, 20.0, 30.0, 2.0)

    best = carried(tried, 5.0)
    assert best is not None
    assert best.cameras == 8


def test_a_frame_that_came_late_is_as_old_as_it_is() -> None:
    ages = Ages()
    picture = ArrayPicture(np.zeros((8, 8, 3), np.uint8))
    frame = Frame("gate", 0, 0, 5_000_000_000, 2_000_000_000, 0, None, True, Quality.FINE, picture)
    timing = Timing(5_000_000_000, 5_000_000_000, 5_000_000_000, 5_040_000_000, 5_040_000_000)
    ages.write(Result(frame, Detections.none(("thing",)), ModelInfo("none"), timing, {}))
    assert ages.ms == [3040]


def test_interrupted_there_is_no_answer_and_the_status_says_so(yolo26n: Path) -> None:
    with started("bench", "--model", yolo26n) as process:
        assert process.stderr is not None
        assert "filming" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "interrupted: there is no answer yet" in told
    assert "Traceback" not in told


def test_a_real_measurement(yolo26n: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "MEASURED_S", 1.0)
    monkeypatch.setattr(bench, "SETTLE_S", 0.2)
    clip = tmp_path / "scene.mp4"
    film(Pattern((320, 240), 10.0, 1, 20), clip)
    load = measure(ModelConfig(name=str(yolo26n), imgsz=320), clip, 2)
    assert load.cameras == 2
    assert 0 < load.fps_seen <= load.fps_in * 1.5
    assert 0 < load.age_p50_ms <= load.age_p99_ms
    assert load.cpu > 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--fps", "0"], "--fps 0: allowed"),
        (["--fps", "nan"], "--fps nan: allowed"),
        (["--model", "nothing.pt"], "nothing.pt"),
        (["--imgsz", "100"], "imgsz"),
        (["--clip", "nowhere.mp4"], "nowhere.mp4"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_measured(words: list[str], named: str) -> None:
    done = freshframe("bench", *words)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
