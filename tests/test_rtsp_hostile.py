"""Cameras that are hostile: what they may cost is bounded."""

import socket
import struct
import time
from pathlib import Path

import pytest
import rtsp_reading
from rtsp_reading import described, error_of, seen, source
from scripted_camera import SDP, Asked, Scripted, interleaved, reply, rtp, usual

from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import Clip
from streamer.rtsp import playing as plays_on
from streamer.rtsp.auth import best_challenge
from streamer.rtsp.connection import Connection, tls
from streamer.rtsp.failures import Unreadable
from streamer.rtsp.message import read_message
from streamer.rtsp.sdp import base_of, read_track
from streamer.rtsp.waiting import Waiting
from streamer.sources import rtsp

pytestmark = pytest.mark.timeout(30)

clip, path = rtsp_reading.clip, rtsp_reading.path


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# What is hostile is bounded.


@pytest.mark.parametrize(
    "line",
    ["Digest " + "a" * 4000, 'Digest a="' + '\\"' * 2000, 'Digest a="' + '\\"a="' * 900 + "\\", "a " * 2000],
)
def test_a_challenge_is_read_in_linear_time(line: str) -> None:
    def took_s(text: str) -> float:
        started = time.process_time()
        for _ in range(20):
            best_challenge([text])
        return (time.process_time() - started) / 20

    assert min(took_s(line) for _ in range(3)) < 0.005


def test_a_header_line_without_end_is_left_out() -> None:
    head = b"RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest " + b"a" * 50_000 + b"\r\n"
    folded = b"X: y\r\n" + b" z" * 1000 + b"\r\n" + b" " + b"w" * 4000 + b"\r\n\r\n"
    message, _ = read_message(head + folded, 0, len(head + folded)) or pytest.fail("not read")
    assert (message.cseq, message.header("www-authenticate")) == (1, "")
    assert len(message.header("x")) < 4200


@pytest.mark.parametrize("host", ["192.168.1..5", "a" * 64 + ".local", ".foo"])
@pytest.mark.parametrize("scheme", ["rtsp", "rtsps"])
def test_a_name_that_is_none_is_an_unknown_host(scheme: str, host: str) -> None:
    before = open_files()
    error = error_of(source(f"{scheme}://{host}/x"))
    assert (error.cause, "unknown host" in str(error)) == (Cause.NETWORK, True)
    assert open_files() == before


def test_a_name_that_tls_does_not_take() -> None:
    with Scripted() as camera:
        connection = Connection((socket.AF_INET, ("127.0.0.1", camera.port)), ".foo", tls())
        waiting = Waiting().open()
        assert waiting.wait({connection.fileno(): connection.wants}, 5)
        with pytest.raises(Unreadable):
            connection.establish()
        connection.close()
        waiting.close()


def test_addresses_of_the_cameras_that_are_none(clip: Clip) -> None:
    assert base_of("rtsp://[::1/", "", "rtsp://h/cam") == "rtsp://h/cam"
    with pytest.raises(Unreadable):
        read_track(SDP.replace("control:t", "control:rtsp://[x/t").encode(), "rtsp://h/")

    def moved(asked: Asked) -> bytes:
        return (
            reply(asked, "302 Moved", Location="rtsp://a..b/x")
            if asked.method == "DESCRIBE"
            else usual(asked)
        )

    with Scripted(moved) as camera:
        assert error_of(source(camera.url)).cause is Cause.NETWORK
    assert seen(rtp(clip.units[:3]), described(SDP, Content_Base="rtsp://[::1/")) == (3, 0)


def test_nothing_stays_open_when_connecting_fails_in_an_unknown_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(rtsp, "open_camera", fails)
    before = open_files()
    with pytest.raises(RuntimeError), source("rtsp://127.0.0.1/x"):
        pass
    assert open_files() == before


def test_pictures_before_the_answer_to_play_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plays_on, "MOST_WAITING_BYTES", 1_000_000)
    sent = [0]

    def answers(asked: Asked) -> bytes | None:
        return None if asked.method == "PLAY" else usual(asked)

    def plays(sock: socket.socket) -> None:
        for number in range(2000):
            head = struct.pack("!BBHII", 0x80, 0xE0, number, 3000 * number, 7)
            sock.sendall(interleaved(head + b"\x65\x88" + bytes(20_000)))
            sent[0] += 20_000 * (camera.connections == 1)  # the next one is FFmpeg's

    with Scripted(answers, plays) as camera:
        assert error_of(source(camera.url)).cause is not None
    assert sent[0] < 20_000_000


@pytest.mark.parametrize("user", ["a%0d%0ab", "a%00", "a%7f"])
def test_control_characters_in_names_and_passwords_are_refused(user: str) -> None:
    with Scripted() as camera:
        for login in (f"{user}:p", f"u:{user}"):
            error = error_of(source(camera.url.replace("//", f"//{login}@")))
            assert (error.cause, "control characters" in str(error)) == (Cause.AUTH, True)
        assert camera.connections == 0


def test_a_flood_that_shows_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of four bytes, without end and without a pause."""
    monkeypatch.setattr(rtsp, "NO_PICTURE_LIMIT_S", 0.3)

    def floods(sock: socket.socket) -> None:
        number = 0
        while True:
            many = b""
            for _ in range(500):
                head = struct.pack("!BBHII", 0x80, 0xE0, number & 0xFFFF, 3000 * number & 0xFFFFFFFF, 7)
                many += interleaved(head + b"\x65\x88\x80\x10")
                number += 1
            sock.sendall(many)

    with (
        Scripted(plays=floods) as camera,
        pytest.raises(SourceError, match="no keyframe that can be decoded"),
        source(camera.url) as one,
    ):
        list(one)
