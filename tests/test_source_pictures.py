"""Folders and globs of pictures."""

import contextlib
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from source_clips import failure, read, read_while

from streamer.errors import Cause
from streamer.sources import listing, pictures
from streamer.sources.image_header import picture_size


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for number, suffix in enumerate((".jpg", ".png", ".bmp", ".webp", ".tif", ".JPEG")):
        picture = np.full((10 + number, 20, 3), 30 * number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{5 - number}{suffix}"), picture)
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.jpg").write_text("not a picture")
    (tmp_path / "folder.jpg").mkdir()
    captured = read(tmp_path)
    assert [one.picture.size for one in captured] == [(20, 15 - number) for number in range(6)]
    assert {one.pts_ns for one in captured} == {None}
    assert not captured[0].picture.bgr().flags.writeable
    assert [one.picture.size for one in read(f"{tmp_path}/[34].*")] == [(20, 12), (20, 11)]
    assert len(read(f"{tmp_path}/5.jpg")) == 1


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    for text, said in (
        (tmp_path, "looked for are .jpg"),
        (f"{tmp_path}/missing/", "missing/: there is no such file or folder"),
        (f"{tmp_path}/*.jpg", "looked for are .jpg"),
        (f"{tmp_path}/**x", "looked for are .jpg"),
    ):
        error, _ = failure(text)
        assert error.cause is Cause.NOT_FOUND
        assert said in str(error)


def test_a_pattern_finds_what_the_shell_finds(tmp_path: Path) -> None:
    names = ["1.jpg", "a/2.jpg", "a/b/3.jpg", "a/[x]/4.png", "a/.git/5.jpg", ".git/6.jpg", "a/c.jpg/7.jpg"]
    for width, name in enumerate(names, 1):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((9, width, 3), np.uint8))
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for pattern, widths in {
        "**/*.jpg": [1, 2, 3, 7],
        "**": [1, 4, 2, 3, 7],
        "**/**/b/*": [3],
        "a/**/*.jpg": [2, 3, 7],
        "link/*.jpg": [2],
        "*/?.jpg": [2, 2],
        "a/../*.jpg": [1],
        "a/[[]x]/*": [4],
        "**x/*": [],
        "**.jpg": [1],
        "a/.git/*": [5],
        "a/.g*/*": [5],
        "*.jpg/*": [],
        "a/*.jpg/nothing/*": [],
        "[z-a]*": [],
    }.items():
        if widths:
            found = [one.picture.size[0] for one in read(f"{tmp_path}/{pattern}")]
            assert sorted(found) == sorted(widths), pattern
        else:
            assert "no pictures there" in str(failure(f"{tmp_path}/{pattern}")[0])


@pytest.mark.timeout(20)
def test_links_in_a_circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((9, 9, 3), np.uint8))
    for number in range(9):
        (tmp_path / f"loop{number}").symlink_to(tmp_path)
    assert len(read(f"{tmp_path}/**/*.jpg")) == 1
    monkeypatch.setattr(listing, "MOST_ENTRIES", 10_000)
    error, _ = failure(f"{tmp_path}/*/*/*/*/*/*/*/*/*.jpg")
    assert error.cause is Cause.NOT_FOUND
    assert "more than 10000 entries" in str(error)


def test_names_in_errors_can_be_printed(tmp_path: Path) -> None:
    for name in ("é\x1b[2J.jpg", "new\nline.jpg", "\udcff.jpg"):
        (tmp_path / name).write_bytes(b"")
    text = str(failure(tmp_path)[0])
    assert text.isprintable()
    for name in ("é\\x1b[2J.jpg", "new\\nline.jpg", "\\udcff.jpg"):
        assert name in text


def test_unreadable_pictures_are_named_after_the_others(tmp_path: Path) -> None:
    good = cv2.imencode(".jpg", np.zeros((40, 50, 3), np.uint8))[1].tobytes()
    png = cv2.imencode(".png", np.random.default_rng(1).integers(0, 255, (60, 60, 3), np.uint8))[1].tobytes()
    (tmp_path / "a.jpg").write_bytes(good)
    (tmp_path / "b.jpg").write_bytes(good[:-30])
    (tmp_path / "c.png").write_bytes(png[: len(png) // 2])
    (tmp_path / "d.jpg").write_bytes(b"")
    (tmp_path / "e.png").write_bytes(b"<html>")
    (tmp_path / "f.jpg").write_bytes(good)
    error, count = failure(tmp_path)
    assert error.cause is Cause.DAMAGED
    assert count == 2
    assert "4 of 6 pictures cannot be read: b.jpg (cut off), c.png (cut off), d.jpg (not a picture)" in str(
        error
    )


def test_the_smallest_and_the_largest_picture(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((1, 1, 3), np.uint8))
    # One bit a pixel, in lines of whole words: BITMAPFILEHEADER, BITMAPINFOHEADER, two colours.
    head = b"BM" + struct.pack("<IIIIiiHHIIiiII", 0, 0, 62, 40, 10_000, 10_000, 1, 1, 0, 0, 0, 0, 2, 0)
    (tmp_path / "b.bmp").write_bytes(head + bytes((0, 0, 0, 0, 255, 255, 255, 0)) + bytes(1252 * 10_000))
    assert [one.picture.size for one in read(tmp_path)] == [(1, 1), (10_000, 10_000)]
    bomb = bytearray((tmp_path / "a.png").read_bytes())
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    (tmp_path / "bomb.png").write_bytes(bomb)
    error, _ = failure(tmp_path / "bomb.png")
    assert "50000x50000 pixels; allowed are" in str(error)


def test_pictures_are_upright_as_their_exif_says(tmp_path: Path) -> None:
    flat = cv2.imencode(".jpg", np.zeros((40, 50, 3), np.uint8))[1].tobytes()
    # One entry, orientation (0x0112) = 6: EXIF 2.3, 4.6.4.
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "a.jpg").write_bytes(flat[:2] + segment + flat[2:])
    (captured,) = read(tmp_path / "a.jpg")
    assert captured.picture.size == (40, 50)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
def test_sizes_are_read_from_headers(suffix: str) -> None:
    for size in ((1, 1), (17, 3), (300, 200)):
        noise = np.random.default_rng(2).integers(0, 255, (size[1], size[0], 3), np.uint8)
        data = cv2.imencode(suffix, noise)[1].tobytes()
        assert picture_size(data) == size
        for end in range(0, len(data), max(1, len(data) // 50)):
            with contextlib.suppress(ValueError):
                picture_size(data[:end])


def test_brackets_in_a_folders_name_are_part_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "q[1]"
    folder.mkdir()
    (folder / "a.png").write_bytes(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    assert len(read(f"{folder}/*.png")) == 1


@pytest.mark.timeout(20)
def test_a_folder_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What vanishes, breaks off, grows or becomes something else is said and counted; the others are read."""
    good = cv2.imencode(".jpg", np.zeros((40, 50, 3), np.uint8))[1].tobytes()
    for name in "abcdefgh":
        (tmp_path / f"{name}.jpg").write_bytes(good)

    def change() -> None:
        (tmp_path / "b.jpg").unlink()
        (tmp_path / "c.jpg").write_bytes(good[: len(good) // 2])
        (tmp_path / "d.jpg").unlink()
        os.mkfifo(tmp_path / "d.jpg")  # whoever opens it waits for a writer
        (tmp_path / "e.jpg").unlink()
        (tmp_path / "e.jpg").mkdir()
        (tmp_path / "f.jpg").unlink()
        (tmp_path / "f.jpg").symlink_to("/dev/zero")  # it has no end
        (tmp_path / "g.jpg").write_bytes(good + bytes(1000))  # still growing: the picture is whole
        (tmp_path / "i.jpg").write_bytes(good)  # too late for this time

    count, error = read_while(tmp_path, change)
    assert (count, error.cause) == (3, Cause.DAMAGED)
    assert (
        "5 of 8 pictures cannot be read: b.jpg (no such file or directory), c.jpg (cut off in its header), "
        "d.jpg (not a file any more), e.jpg (is a directory), f.jpg (not a file any more)"
    ) in str(error)
    monkeypatch.setattr(pictures, "_MAX_FILE_BYTES", 1000)
    (tmp_path / "h.jpg").write_bytes(good + bytes(1000))
    assert "larger than" in str(failure(tmp_path / "h.jpg")[0])
