"""What the impairment proxy does not lead through, and cameras and clients that are odd."""

import asyncio
import contextlib
import random
import socket
import threading

import pytest

from streamer.fakecam import FakeCam
from streamer.impair import Impaired, Impairment
from streamer.impair.detour import MOST_TRACKS, CutOffError, Detour
from streamer.impair.link import Link
from streamer.impair.rtsp import NotRtsp, Splitter
from streamer.impair.target import Target
from streamer.impair.track import Track
from tests import fakecam_clips
from tests.rtsp_client import Client, Viewer

pytestmark = pytest.mark.timeout(30)
clip, camera = fakecam_clips.clip, fakecam_clips.camera


def test_what_would_pass_beside_is_cut_off(camera: FakeCam, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = [
        ("RTP/AVP;multicast;client_port={}-{}", "only unicast"),
        ("RTP/AVP/TCP;interleaved=0-1, RTP/AVP;multicast", "only unicast"),
        ("RTP/AVP;unicast", "only unicast"),
        ("RTP/AVP;unicast;client_port=99999-100000", "only unicast"),
    ]
    for transport, text in wrong:
        with Impaired(camera.urls[0]) as proxy, Viewer(proxy.url(camera.urls[0])) as viewer:
            with pytest.raises(OSError):
                viewer.setup(transport)
            assert text in capfd.readouterr().err


def test_why_clients_are_cut_off_is_not_said_for_each(
    camera: FakeCam, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.impair.connection.SAID_AGAIN_S", 60.0)
    with Impaired(camera.urls[0]) as proxy:
        for _ in range(5):
            with Client(proxy.url(camera.urls[0])) as client:
                client.socket.sendall(b"\x16\x03\x01 not RTSP at all")
                with pytest.raises(OSError):
                    assert client.socket.recv(1) == b"?"
    assert capfd.readouterr().err.count("not RTSP") == 1


def test_a_refused_setup_gives_its_ports_back(camera: FakeCam) -> None:
    with Impaired(camera.urls[0]) as proxy, Viewer(proxy.url(camera.urls[0])) as viewer:
        viewer.setup()
        for _ in range(40):  # more than a client may hold
            track = viewer.client.url + "/trackID=0"
            ports = "RTP/AVP;unicast;client_port=5000-5001"
            assert viewer.client.ask("SETUP", track, Transport=ports)[0] == 455
        assert viewer.client.ask("PLAY")[0] == 200
        assert len(viewer.numbers(3)) == 3


def test_a_teardown_gives_its_ports_back(camera: FakeCam) -> None:
    with Impaired(camera.urls[0]) as proxy, Viewer(proxy.url(camera.urls[0])) as viewer:
        for _ in range(MOST_TRACKS + 4):
            viewer.setup()
            assert len(proxy._proxy.link.flows) == 4
            assert viewer.client.ask("TEARDOWN")[0] == 200
            assert len(proxy._proxy.link.flows) == 2
            viewer.client._session = ""
        viewer.play()
        assert len(viewer.numbers(3)) == 3


def test_only_the_two_hosts_are_led_through() -> None:
    async def relayed() -> list[bytes]:
        here = ("127.0.0.1", 0)
        sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(3)]
        client, server, stranger = sockets
        for sock, host in zip(sockets, ("127.0.0.1", "127.0.0.1", "127.0.0.2"), strict=True):
            sock.setblocking(False)
            sock.bind((host, 0))
        track = Track(Link(Impairment(), 0), "track", here, here)
        with contextlib.closing(track), client, server, stranger:
            viewer, origin = client.getsockname(), server.getsockname()
            track.connect((viewer, viewer), (origin, origin))
            near, far = (pair.rtp.getsockname() for pair in (track.near, track.far))
            loop, arrived = asyncio.get_running_loop(), list[bytes]()
            for sender, port, receiver in ((server, far, client), (client, near, server)):
                stranger.sendto(b"a stranger's", port)
                sender.sendto(b"ours", port)
                arrived.append(await loop.sock_recv(receiver, 100))
        return arrived

    assert asyncio.run(relayed()) == [b"ours", b"ours"]


def test_garbage_of_a_camera_reaches_its_client() -> None:
    garbage = b"RTSP/9 what?\r\n\x00\xff" + bytes(range(256)) * 40

    def babble() -> None:
        with listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(garbage)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=babble)
        server.start()
        with (
            Impaired(f"127.0.0.1:{listener.getsockname()[1]}") as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), 5) as client,
        ):
            client.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            received = b""
            while data := client.recv(65536):
                received += data
        server.join()
    assert received == garbage


def test_damaged_messages_break_nothing_here() -> None:
    asked = (
        b"SETUP rtsp://127.0.0.1:8554/cam0/trackID=0 RTSP/1.0\r\nCSeq: 1\r\n"
        b"Transport: RTP/AVP/UDP;unicast;client_port=5000-5001\r\nContent-Length: 2\r\n\r\nab"
    )
    answered = (
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Base: rtsp://127.0.0.1:8554/cam0/\r\n"
        b"Transport: RTP/AVP/UDP;unicast;client_port=9-10;server_port=6000-6001;source=127.0.0.1\r\n"
        b"Content-Type: application/sdp\r\nContent-Length: 9\r\n\r\na=control$\0\0\1x"
    )
    rng, here = random.Random(4), ("127.0.0.1", 1)

    def damaged(text: bytes) -> bytes:
        changed = bytearray(text)
        for _ in range(rng.choice([0, 1, 3])):
            changed[rng.randrange(len(changed))] = rng.choice(b"\r\n :;=-$/09az\x00\x85\xff")
        return bytes(changed)

    async def converse() -> int:
        detour = Detour(Link(Impairment(), 0), Target("127.0.0.1:8554"), "one", here, here)
        try:
            Splitter(detour.request).feed(damaged(asked))
            Splitter(detour.reply).feed(damaged(answered))
        except (NotRtsp, CutOffError):
            return 0
        finally:
            detour.close()
        return 1

    assert 100 < sum(asyncio.run(converse()) for _ in range(300)) < 300


def test_an_endless_head_is_cut_off_and_others_are_served(camera: FakeCam) -> None:
    endless = b"SETUP rtsp://x/ RTSP/1.0\r\n" + b"X-A: b\r\n" * 50_000
    with Impaired(camera.urls[0]) as proxy:
        with (
            socket.create_connection(("127.0.0.1", proxy.port), 5) as client,
            contextlib.suppress(ConnectionResetError),
        ):
            client.sendall(endless)
            assert client.recv(1) == b"?", "a reset was to come"
        with Client(proxy.url(camera.urls[0])) as client:
            assert client.ask("OPTIONS")[0] == 200
