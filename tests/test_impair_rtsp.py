"""RTSP cameras behind the impairment proxy: media over TCP and UDP is led through it."""

import contextlib
import re
import socket
import time
from pathlib import Path

import pytest

from streamer.errors import FreshframeError
from streamer.fakecam import FakeCam
from streamer.impair import Impaired, Impairment
from streamer.impair.commands import COMMANDS
from streamer.rtsp import doubt
from streamer.sources import SourceOptions, open_source, parse_address
from tests import fakecam_clips
from tests.conftest import missing
from tests.gst_running import gst_camera
from tests.rtsp_client import Client
from tests.running import ROOT, freshframe

pytestmark = pytest.mark.timeout(30)
clip, heavy_clip, camera = fakecam_clips.clip, fakecam_clips.heavy_clip, fakecam_clips.camera


SECRET = "p/@ :7"


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


def test_urls_in_replies_lead_here(camera: FakeCam) -> None:
    with Impaired(camera.urls[0]) as proxy, Client(proxy.url(camera.urls[0])) as client:
        # A client that names the camera itself gets answers that lead through the proxy all the same.
        _, headers, _ = client.ask("DESCRIBE", camera.urls[0])
        assert headers["Content-Base"] == f"{client.url}/"
        assert client.ask("SETUP", f"{camera.urls[0]}/trackID=0", Transport="RTP/AVP/TCP;unicast")[0] == 200
        _, headers, _ = client.ask("PLAY", camera.urls[0])
        assert headers["RTP-Info"].startswith(f"url={client.url}/trackID=0;seq=")


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
    monkeypatch.setattr(doubt, "GIVE_UP_NS", 500_000_000)
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
