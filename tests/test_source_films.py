"""Folders of video files, as dashcams write them: one recording, whose time goes on from file to file."""

import os
import re
from itertools import pairwise
from pathlib import Path

import pytest
from boxes import Keeper, Looker
from source_clips import failure, in_real_time, make_clip, make_sized, read, read_while

from streamer import Camera, Pipeline
from streamer.clock import ManualClock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources import Kind, SourceOptions, open_source, parse_address

NAMES = ["20240101_080000.MP4", "20240101_080100.MP4", "20240101_080200.MP4"]


def dashcam(folder: Path, *, counts: tuple[int, ...] = (30, 45, 30), suffix: str = ".MP4") -> Path:
    folder.mkdir(exist_ok=True)
    for name, count in reversed([*zip(NAMES, counts, strict=False)]):
        make_clip(folder / name.replace(".MP4", suffix.lower()), count, bf="2", g="10")
        (folder / name.replace(".MP4", suffix.lower())).rename(folder / name.replace(".MP4", suffix))
    for sidecar in ("a.gps", "a.thm", "a.txt", "a.LRV", "._20240101_080000.MP4", "Thumbs.db"):
        (folder / sidecar).write_bytes(b"not a film")
    (folder / "more.mp4").mkdir()
    return folder


def part(text: str | Path, **asked: float) -> list[Captured]:
    with open_source(parse_address(str(text)), SourceOptions(**asked)) as source:  # type: ignore[arg-type]
        return list(source)


def seen(captured: list[Captured]) -> list[tuple[int | None, bytes]]:
    return [(one.pts_ns, one.picture.bgr().tobytes()) for one in captured]


@pytest.mark.parametrize("suffix", [".MP4", ".mkv", ".TS", ".avi", ".h264"])
def test_time_goes_on_from_file_to_file(tmp_path: Path, suffix: str) -> None:
    folder = dashcam(tmp_path / "card", suffix=suffix)
    captured = read(folder)
    assert [one.pts_ns for one in captured] == pytest.approx([n * 1e9 / 30 for n in range(105)], abs=5e6)
    bright = [one.picture.bgr().mean() for one in captured]
    assert [n for n, (one, other) in enumerate(pairwise(bright), 1) if other < one] == [30, 75]
    assert seen(read(f"{folder}/2024*{suffix}")) == seen(captured)
    address = parse_address(str(folder))
    assert (address.kind, address.name, address.live) == (Kind.FILMS, "card", False)


@pytest.mark.parametrize("suffix", [".MP4", ".TS"])
def test_a_part_of_several_files(tmp_path: Path, suffix: str) -> None:
    folder = dashcam(tmp_path / "card", suffix=suffix)
    whole = seen(read(folder))
    for from_s, to_s in ((0.5, 1.5), (1.0, 2.5), (1.2, 1.3), (2.5, 3.4), (0.9, 99), (3.0, 99)):
        expected = [one for one in whole if from_s * 1e9 <= (one[0] or 0) < to_s * 1e9]
        assert expected
        assert seen(part(folder, from_s=from_s, to_s=to_s)) == expected, (from_s, to_s)
    with pytest.raises(SourceError, match=r"'from' is 9 s, and the 3 files are only 3\.5 s long together"):
        part(folder, from_s=9.0)


def test_a_file_that_was_cut_off_by_the_power_is_said_and_the_others_are_read(tmp_path: Path) -> None:
    folder = dashcam(tmp_path / "card", suffix=".TS")
    good = (folder / NAMES[0].replace(".MP4", ".TS")).read_bytes()
    (folder / "20240101_070000.mp4").write_bytes(b"")
    (folder / "20240101_080030.mp4").write_bytes(
        b"\0\0\0\x18ftypisom" + bytes(5000)
    )  # it never got its index
    (folder / "20240101_090000.ts").write_bytes(good[: len(good) // 2 // 188 * 188])
    error, count = failure(folder)
    assert error.cause is Cause.DAMAGED
    assert 105 + 5 < count < 105 + 30
    assert "2 of 6 video files cannot be read to the end" in str(error)
    assert "20240101_070000.mp4: the file is empty; 20240101_080030.mp4: begins like an MP4" in str(error)
    assert str(folder) in str(error)
    with open_source(parse_address(f"{folder}/*_08*")) as source, pytest.raises(SourceError, match="1 of 4"):
        list(source)


def test_the_lost_part_of_a_file_whose_header_is_whole_has_passed(tmp_path: Path) -> None:
    for name, count in zip(NAMES, (60, 30), strict=False):
        make_clip(tmp_path / name.lower(), count, movflags="faststart")
    first = tmp_path / NAMES[0].lower()
    first.write_bytes(first.read_bytes()[: first.stat().st_size * 6 // 10])
    times: list[int] = []

    def collect() -> None:
        with open_source(parse_address(str(tmp_path))) as source:
            times.extend(one.pts_ns or 0 for one in source)

    with pytest.raises(SourceError, match=r"1 of 2 .*: 20240101_080000.mp4: breaks off after"):
        collect()
    assert times[-30] == pytest.approx(2e9, abs=1e6)
    assert 0 < len(times) - 30 < 60


def test_a_file_that_vanishes_or_is_replaced_while_others_are_read(tmp_path: Path) -> None:
    folder = dashcam(tmp_path / "card", counts=(10, 10, 10))
    (folder / "20240101_080300.MP4").write_bytes((folder / NAMES[0]).read_bytes())

    def change() -> None:
        (folder / NAMES[1]).unlink()
        (folder / NAMES[2]).unlink()
        os.mkfifo(folder / NAMES[2])
        (folder / "20240101_080400.MP4").write_bytes(b"it was not there at the start")

    count, error = read_while(folder, change)
    assert count == 20
    assert re.search(r"2 of 4 .*080100.MP4: no such file.*080200.MP4: not a file", str(error))


def test_pictures_and_films_in_one_folder_are_an_error_that_counts_both(tmp_path: Path) -> None:
    folder = dashcam(tmp_path / "card", counts=(5, 5))
    for number in (0, 5, 7):
        (folder / f"{number}.jpg").write_bytes(b"picture")
    error, _ = failure(folder)
    assert error.cause is Cause.NOT_FOUND
    assert "has 3 pictures and 2 video files; say which with a pattern, such as" in str(error)
    assert len(read(f"{folder}/*.MP4")) == 10
    assert "has 1 picture and 2 video files" in str(failure(f"{folder}/[02]*")[0])


def test_a_folder_without_anything(tmp_path: Path) -> None:
    for text in (f"{tmp_path}/", f"{tmp_path}/*.mp4"):
        error, _ = failure(text)
        assert error.cause is Cause.NOT_FOUND
        assert "no pictures there, and no video files" in str(error)


@pytest.mark.timeout(30)
def test_films_in_real_time(tmp_path: Path) -> None:
    clock = ManualClock(5_000_000_000)
    folder = dashcam(tmp_path / "card", counts=(4, 4))
    source = open_source(parse_address(str(folder)), SourceOptions(live=True), clock=clock)
    assert (source.live, source.ends) == (True, True)
    captured = in_real_time(source, clock)
    assert [one.captured_ns - 5_000_000_000 for one in captured] == [one.pts_ns for one in captured]
    assert len(captured) == 8


@pytest.mark.timeout(30)
def test_a_change_of_size_begins_an_epoch_and_every_frame_is_accounted_for(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 10)
    make_sized(tmp_path / "b.avi", (96, 64), 10, "mjpeg", "yuvj420p", {})
    make_clip(tmp_path / "c.mp4", 10)
    camera, keeper = Camera("car", open_source(parse_address(str(tmp_path)))), Keeper()
    pipeline = Pipeline()
    pipeline.add(camera, Looker())
    pipeline.sink(keeper, "keeper")
    pipeline.run()
    frames = [result.frame for result in keeper.got]
    assert [frame.epoch for frame in frames] == [0] * 10 + [1] * 10 + [2] * 10
    assert [frame.size for frame in frames[::10]] == [(160, 120), (96, 64), (160, 120)]
    assert [frame.index for frame in frames] == list(range(30))
    assert all(earlier.scene_ns < later.scene_ns for earlier, later in pairwise(frames))


def test_films_can_be_entered_again_and_left_in_the_middle(tmp_path: Path) -> None:
    source = open_source(parse_address(str(dashcam(tmp_path / "card", counts=(5, 5)))))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        with source:
            pictures = iter(source)
            assert [next(pictures).pts_ns is None for _ in range(7)] == [False] * 7
        assert len(list(Path("/proc/self/fd").iterdir())) == before
    with source:
        assert len(list(source)) == 10


@pytest.mark.parametrize("told", [5, 2**32 - 1])
def test_time_grows_though_a_header_lies(tmp_path: Path, told: int) -> None:
    for name in "ab":
        make_sized(tmp_path / f"{name}.avi", (96, 64), 20, "mjpeg", "yuvj420p", {})
    data = bytearray((tmp_path / "a.avi").read_bytes())
    at = data.index(b"strhH") if b"strhH" in data else data.index(b"strh")
    data[at + 40 : at + 44] = told.to_bytes(4, "little")  # dwLength
    (tmp_path / "a.avi").write_bytes(data)
    times = [one.pts_ns or 0 for one in read(tmp_path)]
    assert len(times) == 40
    assert all(0 < later - earlier < 1e9 for earlier, later in pairwise(times))
