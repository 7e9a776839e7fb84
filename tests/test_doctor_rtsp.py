"""What `freshframe doctor SOURCE` sees of RTSP cameras."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from streamer.doctor import Probe, Report, probing
from streamer.doctor.advice import sections
from streamer.doctor.finding import Level, broken
from streamer.doctor.settings import settings
from streamer.errors import Cause, SourceError
from streamer.fakecam import FakeCam
from streamer.rtsp.rtcp import NTP_TO_UNIX_S
from streamer.rtsp.sdp import read_track
from streamer.sources import SourceOptions, open_source, parse_address, rtsp
from streamer.sources.network import NetworkSource
from tests.boxes import until
from tests.doctor_films import NO_B_FRAMES, coded, finding, look, sending
from tests.gst_running import gst_camera
from tests.scripted_camera import SDP, Asked, Scripted, interleaved, reply, usual
from tests.source_clips import SIZE, make_clip

pytestmark = pytest.mark.timeout(40)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 60, **NO_B_FRAMES)


@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    return coded(make_clip(tmp_path_factory.mktemp("packets") / "a.ts", 60, **NO_B_FRAMES))


def test_a_camera_of_ours(clip: Path) -> None:
    with FakeCam([clip]) as camera:
        report = look(camera.urls[0], 1.1)
    assert report.ok
    assert (report.codec, report.size, report.transport) == ("h264", SIZE, "tcp")
    assert report.profile is not None
    assert (report.read_by, report.audio, report.lost, report.damaged) == ("freshframe", (), 0, 0)
    assert report.announced_fps == pytest.approx(30)
    assert report.measured_fps == pytest.approx(30, rel=0.05)
    assert report.keyframe_every_s == pytest.approx(0.5, abs=0.02)
    assert report.b_frames is False
    assert report.connect_s is not None
    assert report.first_picture_s is not None
    assert 0 < report.connect_s < report.first_picture_s < 1.1
    assert report.watched_s == pytest.approx(1.1, abs=0.3)
    assert report.clock_offset_s == pytest.approx(0, abs=0.1)
    assert report.decode_s is not None
    assert 0 < report.decode_s < 0.1
    with av.open(str(clip)) as container:
        size = sum(packet.size for packet in container.demux(video=0))
    assert report.bits_per_s == pytest.approx(size * 8 / 2, rel=0.5)
    assert not broken(sections(report))
    assert finding(report, "keyframes").level is Level.OK
    assert finding(report, "clock").level is Level.OK


def watched(address: str, enough: Callable[[Report], object], transport: str = "tcp") -> Report:
    """Watch it until that much was found, and stop."""
    probe = Probe(parse_address(address), SourceOptions(transport=transport), 60)
    thread = threading.Thread(target=probe.run)
    thread.start()
    until(lambda: bool(enough(probe.report())), 20)
    probe.stop()
    thread.join(2)
    assert not thread.is_alive()
    return probe.report()


def test_lost_datagrams_are_said_with_the_way_out(clip: Path) -> None:
    with FakeCam([clip]) as camera:
        camera.fault(0, "loss", 0.05)
        report = watched(camera.urls[0], lambda found: found.pictures and found.lost, "udp")
    assert report.ok
    assert report.transport == "udp"
    assert report.lost
    said = finding(report, "transport")
    assert said.level is Level.WARNING
    assert "never came" in said.text
    assert "transport: tcp" in said.advice
    yaml = settings(report)
    assert yaml is not None
    assert "transport: tcp  # " in yaml


@pytest.mark.parametrize(("codec", "encoder"), [("h264", "libx264"), ("hevc", "libx265")])
def test_b_frames_and_a_long_wait_for_keyframes(tmp_path: Path, codec: str, encoder: str) -> None:
    options: dict[str, Any] = {"bf": "2", "g": "300", "sc_threshold": "0", "b_strategy": "0"}
    if codec == "hevc":
        options = {"x265-params": "log-level=none:bframes=2:keyint=300:b-adapt=0:scenecut=0"}
    film = make_clip(tmp_path / "a.ts", 127, encoder, **options)
    sdp = SDP if codec == "h264" else SDP.replace("H264", "H265")
    camera = sending(coded(film, codec))
    camera.answers = lambda asked: (
        reply(asked, body=sdp, Content_Type="application/sdp") if asked.method == "DESCRIBE" else usual(asked)
    )
    with camera:
        report = look(camera.url, 0.5)
    assert report.codec == codec
    assert report.b_frames is True
    assert report.keyframes == 1
    assert report.keyframe_every_s is None
    assert report.no_keyframe_s == pytest.approx(4.2, abs=0.1)
    said = finding(report, "keyframes")
    assert said.level is Level.WARNING
    assert "or more" in said.text
    assert "1 to 2 s" in said.advice
    said = finding(report, "B-frames")
    assert (said.level, "33 ms" in said.text) == (Level.WARNING, True)
    assert ("H.264 is the better" in finding(report, "codec").advice) == (codec == "hevc")


def test_sound_rate_and_a_clock_that_is_wrong(packets: list[list[bytes]]) -> None:
    sdp = SDP.replace("a=control", "a=framerate:12.5\r\na=control") + (
        "m=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000\r\n"
    )
    ahead = time.time() + 3600 + NTP_TO_UNIX_S
    report_of_sender = struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, int(ahead), 0, 0, 0, 0)
    camera = sending(packets, interleaved(report_of_sender, 1))
    camera.answers = lambda asked: (
        reply(asked, body=sdp, Content_Type="application/sdp") if asked.method == "DESCRIBE" else usual(asked)
    )
    with camera:
        report = look(camera.url, 0.5)
    assert read_track(sdp.encode(), "rtsp://192.0.2.1/").fps == 12.5
    assert report.audio == ("PCMU", "MPEG4-GENERIC")
    assert "PCMU, AAC" in finding(report, "sound").text
    assert report.clock_offset_s == pytest.approx(3600, abs=3)  # of the last picture, 2 s after the first
    said = finding(report, "clock")
    assert (said.level, "1 h ahead of ours" in said.text) == (Level.WARNING, True)
    assert "NTP" in said.advice


def test_a_stream_that_ends(packets: list[list[bytes]]) -> None:
    with sending(packets) as camera:
        report = look(camera.url, 20)
    assert report.ok
    assert report.ended
    assert report.pictures == 60
    assert finding(report, "ended").level is Level.WARNING


def test_one_that_ends_before_a_picture() -> None:
    with Scripted(plays=lambda sock: None) as camera:
        report = look(camera.url, 20)
    assert report.failure is not None
    assert report.failure.cause is Cause.ENDED


def test_data_without_a_keyframe(packets: list[list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "FIRST_PICTURE_S", 0.3)
    leaning = packets[1:15]
    over = threading.Event()

    def plays(sock: socket.socket) -> None:
        number = 0
        for shown, picture in enumerate(leaning * 100):
            for packet in picture:
                sock.sendall(interleaved(packet[:2] + struct.pack("!HI", number, shown * 3000) + packet[8:]))
                number += 1
            if over.wait(0.02):
                return

    with Scripted(plays=plays) as camera:
        report = look(camera.url, 0.2)
        over.set()
    assert report.failure is not None
    assert report.failure.cause is Cause.SILENCE
    assert "no keyframe" in str(report.failure)
    assert report.packets > 5
    assert report.keyframes == 0
    assert report.watched_s < 2


def test_data_that_is_never_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "FIRST_PICTURE_S", 0.3)
    over = threading.Event()

    def plays(sock: socket.socket) -> None:
        number = 0
        while not over.wait(0.02):  # the middle of a unit whose beginning never comes
            sock.sendall(interleaved(struct.pack("!BBHII", 0x80, 96, number, 0, 7) + b"\x7c\x05" + bytes(50)))
            number += 1

    with Scripted(plays=plays) as camera:
        report = look(camera.url, 0.2)
        over.set()
    assert report.failure is not None
    assert report.failure.cause is Cause.SILENCE
    assert report.watched_s < 2


@pytest.mark.parametrize(
    ("status", "cause", "advice"),
    [
        ("401 Unauthorized", Cause.AUTH, "USER:${PASSWORD}@"),
        ("404 Not Found", Cause.NOT_FOUND, "path"),
        ("500 Oh", Cause.NETWORK, "camera on"),
    ],
)
def test_what_a_camera_refuses(status: str, cause: Cause, advice: str) -> None:
    def answers(asked: Asked) -> bytes:
        return reply(asked, status) if asked.method == "DESCRIBE" else usual(asked)

    with Scripted(answers=answers) as camera:
        report = look(camera.url)
    assert not report.ok
    assert report.failure is not None
    assert report.failure.cause is cause
    said = finding(report, "failed")
    assert said.level is Level.PROBLEM
    assert advice in said.advice
    assert settings(report) is None


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    report = look(f"rtsp://127.0.0.1:{port}/a")
    assert "refused" in finding(report, "failed").text
    assert report.connect_s is None


def test_ffmpeg_is_refused_while_our_own_question_is_taken_down(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[NetworkSource] = []

    def enter(self: NetworkSource) -> NetworkSource:
        tries.append(self)
        if len(tries) == 1:
            raise SourceError(Cause.NETWORK, "503")
        return self

    def answers(asked: Asked) -> bytes:
        if asked.method != "DESCRIBE":
            return usual(asked)
        return reply(asked, body=SDP.replace("H264", "JPEG"), Content_Type="application/sdp")

    monkeypatch.setattr(NetworkSource, "__enter__", enter)
    monkeypatch.setattr(rtsp, "AGAIN_S", 0.01)
    with Scripted(answers=answers) as camera, open_source(parse_address(camera.url)):
        assert len(tries) == 2


@pytest.mark.parametrize("codec", ["mjpeg", "sound"])
def test_a_camera_that_nobody_here_wrote(codec: str) -> None:
    with gst_camera(codec) as url:
        report = watched(url, lambda found: found.packets > 11)
    assert report.ok
    assert report.size == (640, 360)
    assert report.measured_fps == pytest.approx(15, rel=0.1)
    assert report.transport == "tcp"
    if codec == "mjpeg":
        assert (report.read_by, report.codec, report.audio) == ("ffmpeg", "mjpeg", None)
        assert "isolation: process" in str(settings(report))
    else:
        assert (report.read_by, report.codec) == ("freshframe", "h264")
        assert report.audio == ("PCMA",)
        assert report.b_frames is False
