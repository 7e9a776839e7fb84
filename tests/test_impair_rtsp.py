"""RTSP cameras behind the impairment proxy: media over TCP and UDP is led through it."""

import asyncio
import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.errors import FreshframeError
from streamer.fakecam import FakeCam
from streamer.impair import Impaired, Impairment
from streamer.impair.commands import COMMANDS
from streamer.impair.detour import MOST_TRACKS, CutOffError, Detour
from streamer.impair.link import Link
from streamer.impair.rtsp import NotRtsp, Splitter
from streamer.impair.target import Target
from streamer.impair.track import Track
from streamer.sources import SourceOptions, demuxing, open_source, parse_address
from tests.conftest import missing
from tests.running import ROOT, freshframe
from tests.test_fakecam import Client, sequence, write_clip
from tests.test_live import gst_camera

pytestmark = pytest.mark.timeout(30)

SECRET = "p/@ :7"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "plain.mp4")


@pytest.fixture(scope="module")
def heavy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """About 15 packets a picture."""
    path = tmp_path_factory.mktemp("clips") / "heavy.mp4"
    return write_clip(path, noise=True, frames=15, gop=5, options={"qp": "4"})


@pytest.fixture(scope="module")
def camera(clip: Path) -> Iterator[FakeCam]:
    with FakeCam([clip]) as cam:
        yield cam


class Viewer:
    """A client over UDP that counts what comes."""

    def __init__(self, url: str) -> None:
        self.client = Client(url)
        self.rtp = socket.socket(type=socket.SOCK_DGRAM)
        self.rtcp = socket.socket(type=socket.SOCK_DGRAM)
        for sock in (self.rtp, self.rtcp):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
        self.ports = [sock.getsockname()[1] for sock in (self.rtp, self.rtcp)]

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.__exit__()
        self.rtp.close()
        self.rtcp.close()

    def setup(self, wanted: str = "RTP/AVP;unicast;client_port={}-{}") -> dict[str, str]:
        headers: dict[str, str]
        track = self.client.url + "/trackID=0"
        status, headers, _ = self.client.ask("SETUP", track, Transport=wanted.format(*self.ports))
        assert status == 200
        return headers

    def play(self) -> "Viewer":
        self.setup()
        assert self.client.ask("PLAY")[0] == 200
        return self

    def numbers(self, count: int) -> list[int]:
        """The sequence numbers of so many packets as they come, unwrapped."""
        first = sequence(self.rtp.recv(2048))
        rest = [sequence(self.rtp.recv(2048)) for _ in range(count - 1)]
        return [0, *((number - first + 1000) % 65536 - 1000 for number in rest)]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_over_a_perfect_and_a_poor_link(camera: FakeCam, transport: str) -> None:
    with Impaired(camera.urls[0]) as proxy:
        address = parse_address(proxy.url(camera.urls[0]))
        for impairment in (Impairment(), Impairment(delay_s=0.05, jitter_s=0.02, reorder=0.02, uplink=True)):
            proxy.be(impairment)
            with open_source(address, SourceOptions(transport=transport)) as source:
                captured = [one for one, _ in zip(source, range(12), strict=False)]
            assert captured[0].keyframe
            assert captured[0].picture.size == (160, 120)
            # The camera's own clock came by RTCP.
            delays = [
                one.captured_ns / 1e9 + time.time() - time.monotonic() - one.source_ns / 1e9
                for one in captured
                if one.source_ns is not None
            ]
            assert delays
            assert min(delays) > impairment.delay_s - 0.02


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_passwords_pass(clip: Path, transport: str) -> None:
    with FakeCam([clip], user="gate", password=SECRET) as camera, Impaired(camera.urls[0]) as proxy:
        login = "rtsp://gate:p%2F%40%20%3A7@"
        url = proxy.url(camera.urls[0].replace("rtsp://", login))
        assert url == f"{login}127.0.0.1:{proxy.port}/cam0"
        with open_source(parse_address(url), SourceOptions(transport=transport)) as source:
            assert next(iter(source)).picture.size == (160, 120)


def test_udp_passes_here_and_the_client_sees_only_us(camera: FakeCam) -> None:
    with Impaired(camera.urls[0]) as proxy, Viewer(proxy.url(camera.urls[0])) as viewer:
        headers = viewer.setup("RTP/AVP;unicast;destination=192.0.2.1;client_port={}-{}")
        ports = re.fullmatch(
            r"RTP/AVP;unicast;client_port=(\d+)-(\d+);server_port=(\d+)-(\d+)", headers["Transport"]
        )
        assert ports
        assert [int(ports[1]), int(ports[2])] == viewer.ports
        assert viewer.client.ask("PLAY")[0] == 200
        packet, sender = viewer.rtp.recvfrom(2048)
        assert sender == ("127.0.0.1", int(ports[3]))
        assert packet[0] == 0x80
        report, sender = viewer.rtcp.recvfrom(2048)
        assert (report[1], sender) == (200, ("127.0.0.1", int(ports[4])))


def test_rtcp_reaches_the_camera(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.fakecam.session.SILENCE_S", 1.5)
    with (
        FakeCam([clip]) as camera,
        Impaired(camera.urls[0]) as proxy,
        Viewer(proxy.url(camera.urls[0])) as viewer,
    ):
        server = ("127.0.0.1", int(viewer.setup()["Transport"].rpartition("-")[2]))
        assert viewer.client.ask("PLAY")[0] == 200
        until = time.monotonic() + 2
        while time.monotonic() < until:
            viewer.rtp.recv(2048)  # paces this loop
            viewer.rtcp.sendto(b"\x80\xc9\x00\x01abcd", server)
        assert viewer.client.ask("GET_PARAMETER")[0] == 200


def test_urls_in_replies_lead_here(camera: FakeCam) -> None:
    with Impaired(camera.urls[0]) as proxy, Client(proxy.url(camera.urls[0])) as client:
        # A client that names the camera itself gets answers that lead through the proxy all the same.
        _, headers, _ = client.ask("DESCRIBE", camera.urls[0])
        assert headers["Content-Base"] == f"{client.url}/"
        assert client.ask("SETUP", f"{camera.urls[0]}/trackID=0", Transport="RTP/AVP/TCP;unicast")[0] == 200
        _, headers, _ = client.ask("PLAY", camera.urls[0])
        assert headers["RTP-Info"].startswith(f"url={client.url}/trackID=0;seq=")


def test_loss_over_udp(heavy_clip: Path) -> None:
    with (
        FakeCam([heavy_clip]) as camera,
        Impaired(camera.urls[0], Impairment(loss=0.1), seed=3) as proxy,
        Viewer(proxy.url(camera.urls[0])).play() as viewer,
    ):
        numbers = viewer.numbers(900)
        lost = 1 - len(numbers) / (numbers[-1] + 1)
        assert 0.06 < lost < 0.15
        assert numbers == sorted(numbers)
        proxy.be(Impairment(loss=1.0))
        viewer.rtp.settimeout(0.3)
        with pytest.raises(TimeoutError):
            viewer.numbers(10_000)


def test_reordering_and_duplicates_over_udp(heavy_clip: Path) -> None:
    with (
        FakeCam([heavy_clip]) as camera,
        Impaired(camera.urls[0], Impairment(reorder=0.1, duplicate=0.1)) as proxy,
        Viewer(proxy.url(camera.urls[0])).play() as viewer,
    ):
        numbers = viewer.numbers(600)
        assert numbers != sorted(numbers)
        assert 20 < 600 - len(set(numbers)) < 120
        whole = set(range(min(numbers) + 20, max(numbers) - 20))
        assert whole <= set(numbers), "something was lost"


def test_a_throttled_link_over_udp(heavy_clip: Path) -> None:
    with (
        FakeCam([heavy_clip]) as camera,
        Impaired(camera.urls[0], Impairment(rate_bps=4e5)) as proxy,
        Viewer(proxy.url(camera.urls[0])).play() as viewer,
    ):
        viewer.rtp.recv(2048)
        begun, size_bytes = time.monotonic(), 0
        while time.monotonic() - begun < 1:
            size_bytes += len(viewer.rtp.recv(2048))
        assert 1.5e5 < size_bytes * 8 / (time.monotonic() - begun) < 2.5e6  # without a limit 3.8e6


def test_half_open_and_a_black_hole_over_udp(camera: FakeCam) -> None:
    with Impaired(camera.urls[0]) as proxy, Viewer(proxy.url(camera.urls[0])).play() as viewer:
        assert viewer.numbers(3) == [0, 1, 2]
        proxy.be(Impairment(blackhole=True))
        quiet(viewer.rtp)
        proxy.be(Impairment())
        assert len(viewer.numbers(3)) == 3
        proxy.half_open()
        quiet(viewer.rtp)
        with Viewer(proxy.url(camera.urls[0])).play() as other:
            assert len(other.numbers(5)) == 5
        viewer.rtp.settimeout(0.05)
        with pytest.raises(TimeoutError):
            viewer.rtp.recv(2048)


def quiet(sock: socket.socket) -> None:
    """Nothing comes but what was under way."""
    sock.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        for _ in range(100):
            sock.recv(2048)
        pytest.fail("packets come and come")
    sock.settimeout(5)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_reset_is_noticed(camera: FakeCam, transport: str) -> None:
    with Impaired(camera.urls[0]) as proxy:
        address = parse_address(proxy.url(camera.urls[0]))
        with (
            contextlib.suppress(FreshframeError),
            open_source(address, SourceOptions(transport=transport)) as source,
        ):
            for number, _ in enumerate(source):
                if number == 5:
                    proxy.reset()
        assert number >= 5
        with open_source(address, SourceOptions(transport=transport)) as source:
            assert next(iter(source)).keyframe


def test_a_backlogged_camera_comes_back(heavy_clip: Path) -> None:
    """Throttled over TCP, then released: the camera's own buffers have filled meanwhile."""
    with (
        FakeCam([heavy_clip]) as camera,
        Impaired(camera.urls[0]) as proxy,
        Client(proxy.url(camera.urls[0])) as client,
    ):
        client.play()
        proxy.be(Impairment(rate_bps=1e5))
        until = time.monotonic() + 1
        size_bytes = 0
        while time.monotonic() < until:
            size_bytes += len(client.rtp())
        proxy.be(Impairment())
        released = time.monotonic()
        backlog_bytes = 0
        while backlog_bytes < 4 * size_bytes:
            backlog_bytes += len(client.rtp())
        assert time.monotonic() - released < 5


def test_the_example_in_the_docs(clip: Path) -> None:
    text = (ROOT / "docs" / "impairment.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example
    exec(compile(example[1].replace("clip.mp4", str(clip)), "impairment.md", "exec"), {})


def test_the_commands_in_the_docs_are_those_that_there_are() -> None:
    text = (ROOT / "docs" / "impairment.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| `")]
    assert {word for line in table for word in re.findall(r"`([a-z_]+)", line.split("|")[1])} >= set(COMMANDS)
    flags = {flag for line in table for flag in re.findall(r"`(--[a-z]+)", line.split("|")[2])}
    done = freshframe("impair", "--help")
    assert flags == set(re.findall(r"^  (--\w+)", done.stdout, re.MULTILINE)) - {
        "--listen",
        "--seed",
        "--control",
    }


@pytest.mark.debian
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_nobody_here_wrote(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "READ_TIMEOUT_S", 0.5)
    with gst_camera("h264") as url, Impaired(url, Impairment(delay_s=0.02)) as proxy:
        with open_source(parse_address(proxy.url(url)), SourceOptions(transport=transport)) as source:
            captured = [one for one, _ in zip(source, range(5), strict=False)]
            proxy.be(Impairment(blackhole=True))
            with pytest.raises(FreshframeError):
                list(source)
        assert captured[0].picture.size == (640, 360)


def test_ipv6(clip: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        missing("this machine has no IPv6")
    with (
        FakeCam([clip], host="::1") as camera,
        Impaired(camera.urls[0], host="::1") as proxy,
        open_source(parse_address(proxy.url(camera.urls[0])), SourceOptions(transport="udp")) as source,
    ):
        assert next(iter(source)).picture.size == (160, 120)


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
