"""Clients of the test camera that send junk, noise and too much, or go away."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.fakecam import FakeCam
from streamer.fakecam.message import LARGEST_HEAD_BYTES
from streamer.fakecam.session import Connection
from streamer.serving.listening import PortPair
from tests import fakecam_clips
from tests.boxes import until
from tests.rtsp_client import Client

pytestmark = pytest.mark.timeout(30)
clip = fakecam_clips.clip


JUNK = [
    b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
    b"\x00\xff\x00",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n",
    b"OPTIONS rtsp://[/cam0 RTSP/1.0\r\nCSeq: 1\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\rX: y\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nContent-Length: -1\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nno colon\r\n\r\n",
    b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\nX: \xff\r\n\r\n",
    b"A" * 20_000,
    b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * 10_000,
]


class TestHostileClients:
    @pytest.fixture(scope="class")
    @staticmethod
    def cam(clip: Path) -> Iterator[FakeCam]:
        with FakeCam([clip]) as cam:
            yield cam

    @pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
    def test_junk_gets_400_and_the_door(self, cam: FakeCam, junk: bytes) -> None:
        with Client(cam.urls[0]) as client:
            try:
                client.socket.sendall(junk)
                assert client.answer()[0] == 400
                assert client.socket.recv(1) == b""
            except (ConnectionResetError, BrokenPipeError):
                pass  # closed while some of the junk was unread
        with Client(cam.urls[0]) as client:
            assert client.ask("OPTIONS")[0] == 200

    def test_noise_and_half_requests(self, cam: FakeCam, caplog: pytest.LogCaptureFixture) -> None:
        rng = random.Random(7)
        whole = b"$\x01\x00\x04abcdSETUP rtsp://h/cam0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP\r\n\r\n"
        for _ in range(100):
            data = rng.randbytes(50) if rng.random() < 0.5 else whole[: rng.randrange(len(whole))]
            with Client(cam.urls[0]) as client:
                client.socket.sendall(data)
        with Client(cam.urls[0]) as client:
            assert client.ask("OPTIONS")[0] == 200
        assert not caplog.records

    @pytest.mark.parametrize("flood", [b"\r\n" * 500, b"$\0\0\0" * 1000])
    def test_who_sends_on_and_on_leaves_the_cameras_their_turn(self, flood: bytes) -> None:
        async def converse() -> int:
            ours, theirs = socket.socketpair()
            reader, writer = await asyncio.open_connection(sock=ours, limit=LARGEST_HEAD_BYTES)
            ports = PortPair(socket.AF_INET, "127.0.0.1")
            with theirs, contextlib.closing(ports):
                theirs.sendall(flood)
                theirs.shutdown(socket.SHUT_WR)
                serving = asyncio.create_task(Connection(reader, writer, {}, None, ports).run())
                turns = 0
                while not serving.done():
                    await asyncio.sleep(0)
                    turns += 1
            return turns

        assert asyncio.run(converse()) > 400

    def test_going_away_while_playing(self, cam: FakeCam, caplog: pytest.LogCaptureFixture) -> None:
        camera = cam._server.cameras[0]
        for _ in range(10):
            with Client(cam.urls[0]) as client:
                client.play()
        until(lambda: not camera._audience.clients and not camera.viewers)
        with Client(cam.urls[0]) as client:
            client.play()
            client.rtp()
        assert not caplog.records

    def test_out_of_order(self, cam: FakeCam) -> None:
        url = cam.urls[0]
        with Client(url) as client:
            assert client.ask("PLAY")[0] == 454
            assert client.ask("TEARDOWN")[0] == 454
            assert client.ask("GET_PARAMETER")[0] == 200
            assert client.ask("RECORD")[0] == 501
            assert client.ask("DESCRIBE", url + "9")[0] == 404
            assert client.ask("SETUP", url[:-1] + "x", Transport="RTP/AVP/TCP")[0] == 404
            for transport in (
                "",
                "RTP/AVP;multicast",
                "RTP/AVP;unicast",
                "RTP/AVP;unicast;client_port=0-1",
                "RTP/AVP;unicast;client_port=65535",
                "RTP/AVP;unicast;client_port=1-99999",
                "RTP/AVP/TCP;interleaved=255-256",
                "RTP/AVP/TCP;interleaved=x",
                "RAW/RAW/UDP;unicast;client_port=5000-5001",
            ):
                assert client.ask("SETUP", Transport=transport)[0] == 461
            several = "RTP/AVP;multicast,RTP/AVP/TCP;unicast;interleaved=4-5"
            status, headers, _ = client.ask("SETUP", Transport=several)
            assert (status, headers["Transport"]) == (200, "RTP/AVP/TCP;unicast;interleaved=4-5")
            assert headers["Session"].endswith(";timeout=60")
            assert client.ask("SETUP", Transport=several)[0] == 455
            assert client.ask("GET_PARAMETER")[0] == 200
            for method in ("PLAY", "SET_PARAMETER", "TEARDOWN"):
                client._session = "other"
                assert client.ask(method)[0] == 454

    def test_many_connections(self, cam: FakeCam) -> None:
        clients: list[Client] = []
        try:
            for _ in range(300):
                clients.append(Client(cam.urls[0]))
            with pytest.raises(ConnectionError):
                clients[-1].ask("OPTIONS")
            assert clients[0].ask("OPTIONS")[0] == 200
        finally:
            for client in clients:
                client.__exit__()
