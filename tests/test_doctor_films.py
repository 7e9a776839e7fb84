"""What `freshframe doctor SOURCE` sees of films, pictures, and what a web server has."""

import random
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from streamer.clock import MonotonicClock
from streamer.doctor import probing
from streamer.doctor.advice import sections
from streamer.doctor.finding import Level, broken
from streamer.doctor.settings import settings
from streamer.errors import Cause
from streamer.sources import SourceOptions, parse_address
from streamer.sources.usb.source import UsbSource
from streamer.sources.usb.v4l2 import V4l2
from tests.doctor_films import NO_B_FRAMES, film_with_sound, finding, look, web
from tests.source_clips import make_clip
from tests.usb_cameras import PLAIN, Desk, StandIn, noise

pytestmark = pytest.mark.timeout(40)


def test_a_film(tmp_path: Path) -> None:
    report = look(film_with_sound(tmp_path / "a.mp4"))
    assert report.ok
    assert (report.codec, report.audio, report.packets) == ("h264", ("aac",), 75)
    assert report.b_frames is True
    assert report.measured_fps == pytest.approx(25, rel=0.02)
    assert report.keyframe_every_s == pytest.approx(1)
    assert report.duration_s == pytest.approx(3, abs=0.2)
    assert report.transport is None
    assert finding(report, "B-frames").level is Level.FACT
    assert not broken(sections(report))


def test_what_ffmpeg_reads_from_a_web_server(tmp_path: Path) -> None:
    film_with_sound(tmp_path / "a.ts")
    with web(tmp_path) as url:
        report = look(f"{url}/a.ts", 5)
        missing = look(f"{url}/b.ts", 5)
    assert report.ok
    assert report.ended
    assert (report.read_by, report.codec, report.audio) == ("ffmpeg", "h264", ("aac",))
    assert (report.packets, report.b_frames) == (75, True)
    assert report.keyframe_every_s == pytest.approx(1)
    yaml = settings(report)
    assert yaml is not None
    assert "isolation: process" in yaml
    assert missing.failure is not None
    assert missing.failure.cause is Cause.NOT_FOUND


def test_segments_come_many_at_a_time(tmp_path: Path) -> None:
    film_with_sound(tmp_path / "a.ts")
    with (
        av.open(str(tmp_path / "a.ts")) as film,
        av.open(str(tmp_path / "a.m3u8"), "w", format="hls", options={"hls_time": "1"}) as segments,
    ):
        stream = segments.add_stream_from_template(film.streams.video[0])
        for packet in film.demux(film.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                segments.mux(packet)
    with web(tmp_path) as url:
        report = look(f"{url}/a.m3u8", 10)
    assert report.ok
    assert report.measured_fps == pytest.approx(25, rel=0.05)
    assert report.jitter_s is None
    assert not report.stamps_off


def test_a_damaged_film(tmp_path: Path) -> None:
    path = film_with_sound(tmp_path / "a.ts")
    data = bytearray(path.read_bytes())
    seeded = random.Random(1)
    for _ in range(60):
        data[seeded.randrange(len(data) // 4, len(data))] ^= 0xFF
    path.write_bytes(data)
    report = look(path)
    assert 0 < report.damaged < report.pictures
    said = finding(report, "damaged")
    assert (said.level, said.advice.startswith("copy it anew")) == (Level.WARNING, True)


def test_films_without_times_and_folders_of_films(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.h264", 60, **NO_B_FRAMES)
    report = look(tmp_path / "a.h264")
    assert (report.codec, report.keyframes, report.keyframe_every_s) == ("h264", 4, None)
    assert report.watched_s == 0
    assert finding(report, "keyframes").text == "4"
    report = look(tmp_path)
    assert (report.ok, report.codec, report.pictures) == (True, "h264", 60)


def test_what_a_usb_camera_grants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(tmp_path)
    desk.plug(0, modes=PLAIN)
    opencv = StandIn([noise((640, 480))] * 20).opencv
    address = parse_address("usb:0")
    camera = UsbSource(address, SourceOptions(), MonotonicClock(), V4l2(desk.tree, opencv, lambda _: False))
    monkeypatch.setattr(probing, "open_source", lambda *_, **__: camera)
    report = look("usb:0", 5)
    assert (report.codec, report.announced_fps, report.decode_s) == ("YUYV", 30, None)


def test_pictures_and_shapes(tmp_path: Path) -> None:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((48, 64, 3), 90, np.uint8))
    report = look(tmp_path)
    assert (report.ok, report.size, report.pictures, report.codec) == (True, (64, 48), 3, None)
    report = look("synthetic:?size=96x64&fps=50", 0.4)
    assert (report.ok, report.size) == (True, (96, 64))
    assert report.measured_fps == pytest.approx(50, rel=0.1)
    assert settings(report) is None
    report = look(tmp_path / "none.mp4")
    assert report.failure is not None
    assert report.failure.cause is Cause.NOT_FOUND
