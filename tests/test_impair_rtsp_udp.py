"""What befalls an RTSP camera over UDP behind the impairment proxy: loss, disorder, a rate, silence."""

import contextlib
import re
import socket
import time
from pathlib import Path

import pytest

from streamer.fakecam import FakeCam
from streamer.impair import Impaired, Impairment
from tests import fakecam_clips
from tests.rtsp_client import Viewer

pytestmark = pytest.mark.timeout(30)
clip, heavy_clip, camera = fakecam_clips.clip, fakecam_clips.heavy_clip, fakecam_clips.camera


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
