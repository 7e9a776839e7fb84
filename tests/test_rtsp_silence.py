"""Cameras that say nothing: dialled again, doubted, and given up in time."""

import re
import socket
import time

import pytest
import rtsp_reading
from rtsp_reading import error_of, numbered, source
from scripted_camera import Asked, Scripted, usual

from streamer.errors import Cause
from streamer.fakecam.clip import Clip
from streamer.rtsp import dial as dialling
from streamer.rtsp import doubt
from streamer.rtsp.connection import Connection
from streamer.rtsp.dial import PATIENT_NS, QUICK_NS, Dial
from streamer.rtsp.place import Place, look_up, parse_place
from streamer.rtsp.waiting import Waiting
from streamer.sources import rtsp

pytestmark = pytest.mark.timeout(30)

clip, path = rtsp_reading.clip, rtsp_reading.path


def dialled(camera: Scripted) -> tuple[Connection, float]:
    """Dial with the real clock; the answered connection, and how long it took."""
    place, started = parse_place(camera.url), time.monotonic()
    waiting = Waiting().open()
    dial = Dial(place, look_up(place), None, time.monotonic_ns())
    while dial.answered is None:
        assert dial.failed is None
        assert len(dial.watched) <= 2
        dial.step(
            waiting.wait(dial.watched, max(0, dial.due_ns - time.monotonic_ns()) / 1e9), time.monotonic_ns()
        )
    dial.close()
    waiting.close()
    return dial.answered, time.monotonic() - started


def test_a_mute_camera_that_comes_back_is_found_at_the_next_quick_attempt() -> None:
    with Scripted(accepts=lambda number: number >= 2) as camera:
        connection, took_s = dialled(camera)
        connection.close()
    assert 0.75 < took_s < 1.6


def test_a_slow_camera_is_found_by_the_patient_attempt() -> None:
    def answers(asked: Asked) -> bytes:
        camera.released.wait(1.0)
        return usual(asked)

    with Scripted(answers) as camera:
        connection, took_s = dialled(camera)
        assert connection.fileno() >= 0
        connection.close()
    assert 0.9 < took_s < 2


def test_dialling_is_never_a_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick attempts that are refused beside a patient one that hangs are begun every 0.4 s, not at once."""
    begun: list[int] = []

    class Attempt:
        def __init__(self, target: object, host: str, secure: object) -> None:
            begun.append(len(begun))
            self.number, self.wants = len(begun), 1

        def fileno(self) -> int:
            return self.number

        def establish(self) -> bool:
            raise ConnectionRefusedError

        def close(self) -> None:
            pass

    monkeypatch.setattr(dialling, "Connection", Attempt)
    place = Place("rtsp://h/", "h", 1, False, None, "")
    dial = Dial(place, [(2, ("h", 1))], None, 0)
    now_ns = 0
    while now_ns < PATIENT_NS - QUICK_NS:
        assert dial.due_ns > now_ns
        now_ns = dial.due_ns
        dial.step({}, now_ns)
        dial.step(dict.fromkeys(list(dial.watched)[1:], 1), now_ns)
    assert PATIENT_NS / QUICK_NS <= len(begun) <= PATIENT_NS / QUICK_NS + 1
    assert isinstance(dial.error, ConnectionRefusedError)
    assert dial.failed is None
    dial.step(dict.fromkeys(dial.watched, 1), now_ns)
    assert isinstance(dial.failed, ConnectionRefusedError)


def test_a_stall_costs_no_connection(clip: Clip) -> None:
    """The old connection is silent for 0.7 s, a new one is answered, the old one speaks: it goes on."""
    film = numbered(clip, 0, 24, 0)

    def plays(sock: socket.socket) -> None:
        for number, data in enumerate(film):
            sock.sendall(data)
            camera.released.wait(0.65 if number == 14 else 0.033)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method != "GET_PARAMETER" else None

    with Scripted(answers, plays) as camera, source(camera.url) as one:
        assert len(list(one)) >= 22
        assert camera.connections == 2
        assert [asked.method for asked in camera.asked].count("DESCRIBE") == 1


def test_silence_with_a_camera_that_answers_new_connections(clip: Clip) -> None:
    film, spoke = numbered(clip, 0, 10, 0), [0.0]

    def plays(sock: socket.socket) -> None:
        for data in film:
            spoke[0] = time.monotonic()
            sock.sendall(data)
            camera.released.wait(0.033)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method != "GET_PARAMETER" else None

    with Scripted(answers, plays, stays=True) as camera:
        error = error_of(source(camera.url))
        took_s = time.monotonic() - spoke[0]
    assert error.cause is Cause.SILENCE
    assert re.search(r"nothing came for (0\.[789]|1)", str(error))
    assert 0.75 <= took_s < 1.6


def test_a_camera_that_answers_and_has_nothing_to_show_gets_longer(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubt, "ANSWERED_NS", 1_200_000_000)
    film, spoke = numbered(clip, 0, 10, 0), [0.0]

    def plays(sock: socket.socket) -> None:
        for data in film:
            sock.sendall(data)
            camera.released.wait(0.033)
        spoke[0] = time.monotonic()

    with Scripted(usual, plays, stays=True) as camera:
        error = error_of(source(camera.url))
        took_s = time.monotonic() - spoke[0]
    assert error.cause is Cause.SILENCE
    assert 1.1 <= took_s < 2.2


def test_no_first_packet_and_no_answer_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "ANSWER_S", 0.8)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method != "GET_PARAMETER" else None

    with Scripted(answers, lambda sock: None, stays=True) as camera:
        started = time.monotonic()
        error = error_of(source(camera.url))
        assert 0.7 < time.monotonic() - started < 1.8
    assert error.cause is Cause.SILENCE


def test_a_handshake_that_hangs_is_given_up_soon_where_the_camera_has_worked_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rtsp, "ANSWER_S", 0.3)
    monkeypatch.setattr(rtsp, "PATIENT_S", 0.7)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method == "OPTIONS" else None

    with Scripted(answers) as camera:
        one = source(camera.url)
        # The first time, when nothing is known; after it has worked; after it was silent.
        for slow, least_s, most_s in ((None, 0.69, 1.7), (False, 0.29, 0.65), (None, 0.69, 1.7)):
            if slow is not None:
                one._slow = slow
            started = time.monotonic()
            assert error_of(one).cause is Cause.SILENCE
            assert least_s < time.monotonic() - started < most_s
