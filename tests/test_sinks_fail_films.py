"""Films whose disk is full or whose file is gone stay playable, and go on."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from sinks.video import AnnotatedVideo
from streamer import SinkError
from streamer.errors import Unwritten
from tests import failing_sinks, small_disks
from tests.failing_sinks import RECOVERY_S, noisy
from tests.small_disks import Disk, Limit

pytestmark = pytest.mark.timeout(60)
hears = failing_sinks.hears
disk = small_disks.disk


def frames(path: Path) -> int:
    """How many pictures a player sees; fails where it finds damage."""
    with av.open(str(path), options={"err_detect": "explode"}) as container:
        return sum(1 for _ in container.decode(video=0))


class Filming:
    """Writes pictures of cameras in turn; remembers what was taken and what was refused."""

    def __init__(self, video: AnnotatedVideo, *cameras: tuple[str, tuple[int, int]]) -> None:
        self.taken: dict[str, list[int]] = {camera: [] for camera, _ in cameras}
        self.refused: dict[str, list[int]] = {camera: [] for camera, _ in cameras}
        self._video = video
        self._cameras = cameras
        self._index = 0

    def go_on(self, until: Callable[[], bool], limit_s: float = 20.0) -> None:
        deadline = time.monotonic() + limit_s
        while not until():
            assert time.monotonic() < deadline
            for camera, size in self._cameras:
                try:
                    self._video.write(noisy(self._index, camera, size))
                    self.taken[camera].append(self._index)
                except Unwritten:
                    self.refused[camera].append(self._index)
            self._index += 1


def test_films_on_a_full_disk_stay_playable_and_go_on_in_a_new_file(disk: Disk) -> None:
    with AnnotatedVideo(disk.folder / "{camera}.mp4") as video:
        films = Filming(video, ("gate", (96, 64)))
        films.go_on(lambda: len(films.taken["gate"]) == 60)
        disk.fill()
        films.go_on(lambda: len(films.refused["gate"]) > 20)
        before = len(films.taken["gate"])
        assert (disk.folder / "gate.mp4").exists()
        disk.free()
        begun = time.monotonic()
        films.go_on(lambda: len(films.taken["gate"]) > before)
        assert time.monotonic() - begun < RECOVERY_S
        films.go_on(lambda: len(films.taken["gate"]) == before + 70)
    names = sorted(path.name for path in disk.folder.glob("*.mp4"))
    assert names == ["gate-2.mp4", "gate.mp4"], "no file for each try"
    # All but the last two seconds: what had not been written out yet.
    assert before - 51 <= frames(disk.folder / "gate.mp4") <= before
    assert frames(disk.folder / "gate-2.mp4") == 70


@pytest.mark.parametrize("count", [20, 70, 120])
def test_a_film_whose_end_does_not_fit_says_so_and_stays_playable(disk: Disk, count: int) -> None:
    video = AnnotatedVideo(disk.folder / "{camera}.mp4").__enter__()
    for index in range(count):
        video.write(noisy(index, "gate", (32, 32)))
    disk.fill()
    if isinstance(disk, Limit):
        disk.stop_at((disk.folder / "gate.mp4").stat().st_size + 100)
    with pytest.raises(SinkError, match="cannot be written"):
        video.__exit__(None, None, None)
    disk.free()
    films = list(disk.folder.glob("*.mp4"))
    assert [frames(film) for film in films] == ([count // 50 * 50] if count > 50 else [])


def test_a_film_that_fails_does_not_touch_the_others(tmp_path: Path) -> None:
    disk = Limit(tmp_path)
    try:
        with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
            films = Filming(video, ("large", (320, 192)), ("small", (16, 16)))
            disk.fill()
            films.go_on(lambda: len(films.refused["large"]) > 20)
            assert not list(tmp_path.glob("large*")), "it held nothing whole: no file, and its name is free"
            disk.free()
            films.go_on(lambda: len(films.taken["large"]) > 60)
            assert not list(tmp_path.glob("*-*"))
    finally:
        disk.free()
    assert not films.refused["small"]
    assert frames(tmp_path / "small.mp4") == len(films.taken["small"])


def test_a_film_that_is_deleted_goes_on_in_a_new_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "films" / "{camera}.mp4") as video:
        films = Filming(video, ("gate", (64, 64)))
        films.go_on(lambda: len(films.taken["gate"]) == 10)
        shutil.rmtree(tmp_path / "films")
        films.go_on(lambda: len(films.taken["gate"]) == 40)
    assert not films.refused["gate"]
    assert frames(tmp_path / "films" / "gate-2.mp4") == 30


def test_a_picture_that_cannot_be_read_costs_no_film(tmp_path: Path) -> None:
    class Stale:
        size = (64, 64)

        def bgr(self) -> Any:
            raise ValueError("overwritten")

    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        for index in range(20):
            made = noisy(index, "gate", (64, 64))
            if index == 10:
                object.__setattr__(made.frame, "picture", Stale())
                with pytest.raises(Unwritten, match="a picture of gate cannot be read: overwritten"):
                    video.write(made)
            else:
                video.write(made)
    assert [path.name for path in tmp_path.iterdir()] == ["gate.mp4"]
    assert frames(tmp_path / "gate.mp4") == 19
