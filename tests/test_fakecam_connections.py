"""Faults of the connections to a test camera: silence, resets, refusals, a byte a second."""

import errno
import socket
import time
from pathlib import Path

import av
import pytest

from streamer.fakecam import FakeCam
from tests import fakecam_clips
from tests.boxes import until
from tests.fakecam_clips import TCP
from tests.rtsp_client import Client, pictures, silent

pytestmark = pytest.mark.timeout(30)
clip, cam = fakecam_clips.clip, fakecam_clips.cam


class TestConnections:
    def test_mute(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as old:
            old.play()
            old.rtp()
            cam.fault(0, "mute")
            assert silent(old)
            for method in ("OPTIONS", "DESCRIBE"):
                with Client(cam.urls[0]) as new:
                    new.socket.settimeout(0.3)
                    with pytest.raises(TimeoutError):
                        new.ask(method)
            cam.fault(0, "ok")
            old.socket.settimeout(5)
            assert old.socket.recv(1) == b"$"
            with Client(cam.urls[0]) as later:
                later.play()
                assert later.rtp()[12] & 31 == 7

    def test_mute_times_a_reader_out(self, cam: FakeCam) -> None:
        cam.fault(0, "mute")
        with pytest.raises(av.error.FFmpegError):
            av.open(cam.urls[0], options=TCP, timeout=(0.5, 0.5))

    @pytest.mark.parametrize("fault", ["mute", "hang", "trickle"])
    def test_who_waits_for_a_word_stays_connected(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        monkeypatch.setattr("streamer.fakecam.session.SILENCE_S", 0.4)
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as client:
            client.play()
            cam.fault(0, fault)
            silent(client, 0.8)
            client.socket.setblocking(False)
            client.socket.send(b"x")  # a lower case letter is no request
            client.socket.settimeout(5)
            if fault == "hang":
                assert client.answer()[0] == 400
            cam.fault(0, "drop")

    def test_reset_is_a_reset_and_drop_is_none(self, clip: Path) -> None:
        with FakeCam([clip, clip]) as cam, Client(cam.urls[1]) as neighbour:
            neighbour.play()
            ends = []
            for fault in ("reset", "drop"):
                with Client(cam.urls[0]) as client:
                    client.play()
                    cam.fault(0, fault)
                    with pytest.raises((ConnectionError, AssertionError)) as info:
                        client.rtp_until_it_ends()
                    ends.append(getattr(info.value, "errno", None))
                with Client(cam.urls[0]) as again:
                    again.play()
                    again.rtp()
            assert ends == [errno.ECONNRESET, None]
            pictures(neighbour, 5)

    def test_deny(self, clip: Path) -> None:
        with FakeCam([clip, clip]) as cam, Client(cam.urls[0]) as old:
            old.play()
            cam.fault(0, "deny")
            with pytest.raises(ConnectionError):
                old.rtp_until_it_ends()
            with Client(cam.urls[0]) as new:
                for method in ("OPTIONS", "DESCRIBE", "SETUP", "RECORD"):
                    status, headers, _ = new.ask(method, Authorization="Basic YTpi")
                    assert (status, "Digest" in headers["WWW-Authenticate"]) == (401, True)
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(cam.urls[0].replace("//", "//ann:x@"), options=TCP, timeout=(5, 5))
            with Client(cam.urls[1]) as neighbour:
                assert neighbour.ask("DESCRIBE")[0] == 200
            cam.fault(0, "ok")
            with Client(cam.urls[0]) as new:
                assert new.ask("DESCRIBE")[0] == 200

    def test_deny_knows_no_right_password(self, clip: Path) -> None:
        with FakeCam([clip], user="ann", password="s3cret") as cam:
            url = cam.urls[0].replace("//", "//ann:s3cret@")
            cam.fault(0, "deny")
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(url, options=TCP, timeout=(5, 5))
            cam.fault(0, "ok")
            with av.open(url, options=TCP, timeout=(5, 5)) as container:
                next(container.decode(video=0))

    def test_trickle(self, cam: FakeCam, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("streamer.fakecam.outlet.TRICKLE_S", 0.05)
        with Client(cam.urls[0]) as old, Client(cam.urls[0]) as new:
            old.play()
            old.rtp()
            cam.fault(0, "trickle")
            new.socket.sendall(b"OPTIONS " + cam.urls[0].encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            times = []
            for _ in range(12):
                assert len(new.socket.recv(100)) < 3  # 1, or more where this process was late
                times.append(time.monotonic())
            assert times[-1] - times[0] > 0.4
            backlog_bytes = [client.backlog_bytes() for client in cam._server.cameras[0]._audience.clients]
            assert backlog_bytes[0] <= cam._server.cameras[0].clip.half_second_bytes * 2
            cam.fault(0, "ok")
            new.socket.settimeout(1)
            rest = b""
            while not rest.endswith(b"\r\n\r\n"):
                rest += new.socket.recv(100)
            assert b"Public: OPTIONS" in rest
            before = old.rtp()
            for _ in range(20):  # what waited comes whole, and then all is well
                before, packet = old.rtp(), before
                assert packet[:2] in (b"\x80\x60", b"\x80\xe0")

    def test_who_asks_on_and_on_under_trickle_costs_no_memory(
        self, cam: FakeCam, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streamer.fakecam.outlet.MOST_WAITING_BYTES", 1000)
        cam.fault(0, "trickle")
        with Client(cam.urls[0]) as client:
            request = b"OPTIONS " + cam.urls[0].encode() + b" RTSP/1.0\r\nCSeq: 1\r\n\r\n"
            client.socket.sendall(request * 300)
            until(lambda: bool(cam._server._connections))
            (connection,) = cam._server._connections
            until(lambda: connection._outlet.backlog_bytes() > 800)
            client.socket.sendall(request * 300)
            assert connection._outlet.backlog_bytes() <= 1000

    @pytest.mark.parametrize("fault", ["mute", "hang", "deny", "garbage", "trickle"])
    def test_udp_gets_no_picture(self, cam: FakeCam, fault: str) -> None:
        with Client(cam.urls[0]) as client, socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(5)
            port = udp.getsockname()[1]
            client.ask("SETUP", Transport=f"RTP/AVP;unicast;client_port={port}-{port + 1}")
            assert client.ask("PLAY")[0] == 200
            assert udp.recv(2048)[0] == 0x80
            cam.fault(0, fault)
            udp.setblocking(False)
            until(lambda: not pending(udp))
            if fault == "garbage":
                udp.settimeout(5)
                assert len({udp.recv(2048)[:2] for _ in range(10)}) > 5
            else:
                udp.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    udp.recv(2048)


def pending(udp: socket.socket) -> bool:
    try:
        udp.recv(2048)
    except BlockingIOError:
        return False
    return True
