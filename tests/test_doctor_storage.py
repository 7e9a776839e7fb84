"""The cache, and room on disks."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from streamer.assets import cache, find
from streamer.doctor.finding import Level
from streamer.doctor.machine import (
    storage,
)
from tests.doctor_sections import one


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the cache is to be; it is not there yet."""
    monkeypatch.setenv("FRESHFRAME_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_empty_cache(place: Path) -> None:
    section = storage.section()
    assert "not made yet" in one(section, "cache").text
    assert one(section, "yolo26n").level is Level.WARNING
    assert one(section, "yolo26n").advice == "freshframe models pull yolo26n"
    assert one(section, "bikes").level is Level.FACT
    assert not place.exists(), "looking makes nothing"
    assert not storage.have()


def test_what_is_in_the_cache(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"weights"
    asset = find("yolo26n").__class__(
        **{
            **{name: getattr(find("yolo26n"), name) for name in find("yolo26n").__slots__},
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
        }
    )
    monkeypatch.setattr(storage, "catalogue", lambda: {"yolo26n": asset})
    path = cache.place(asset)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (place / "engines").mkdir()
    (place / "engines" / "a.onnx").write_bytes(bytes(5000))
    section = storage.section()
    assert one(section, "yolo26n").level is Level.OK
    assert "1 file, 5.0 kB" in one(section, "engines").text
    path.write_bytes(b"weighty")
    said = one(storage.section(), "yolo26n")
    assert said.level is Level.PROBLEM
    assert "damaged" in said.text
    assert said.advice == "freshframe models pull yolo26n"


def test_a_cache_that_cannot_be(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write_text("a file in its place")
    assert one(storage.section(), "cache").level is Level.PROBLEM
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = one(storage.section(), "cache")
    assert (said.level, "FRESHFRAME_CACHE" in said.advice) == (Level.PROBLEM, True)
    monkeypatch.setattr(storage, "have", lambda: True)
    assert one(storage.section(), "cache").level is Level.WARNING, "a read-only one that has all will do"
    monkeypatch.setenv("FRESHFRAME_CACHE", "~nobody-of-that-name/cache")
    assert one(storage.section(), "cache").level is Level.PROBLEM


def test_little_room(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: float

    for free, level in ((5e9, Level.OK), (3e8, Level.WARNING), (1e6, Level.PROBLEM)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: Usage(free))
        assert one(storage.section(), "working folder").level is level
    monkeypatch.setattr(os, "access", lambda *_: False)  # read-only ones often say that nothing is free
    assert one(storage.section(), "working folder").level is Level.FACT


def test_a_working_folder_that_is_gone(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert one(storage.section(), "working folder").level is Level.PROBLEM
