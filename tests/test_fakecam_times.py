"""Faults of what a test camera says of time: frozen, backward, wrapped, drifting, too fast."""

import json
import struct
import time
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streamer.fakecam import FakeCam
from streamer.fakecam.clip import CLOCK_HZ
from streamer.fakecam.faults import Stamps
from streamer.fakecam.pace import Pace
from streamer.fakecam.rtp import RtpStream
from streamer.fakecam.stamping import SHORTLY
from tests import fakecam_clips
from tests.boxes import until
from tests.fakecam_clips import FPS, STEP, TCP
from tests.rtsp_client import Client, pictures, sequence, timestamp

pytestmark = pytest.mark.timeout(30)
clip, cam = fakecam_clips.clip, fakecam_clips.cam


class TestTimes:
    def test_frozen(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            client.play()
            pictures(client, 2)
            cam.fault(0, "stamps", "frozen")
            pictures(client, 5)
            packets = pictures(client, 5)
            assert len({timestamp(packet) for packet in packets}) == 1
            cam.fault(0, "ok")
            pictures(client, 3)
            a, b = pictures(client, 2)
            assert (timestamp(b) - timestamp(a)) % 2**32 == STEP
            assert (timestamp(a) - timestamp(packets[0])) % 2**32 >= 5 * STEP  # true again

    def test_backward(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            client.play()
            cam.fault(0, "stamps", "backward")
            pictures(client, 3)
            packets = pictures(client, 5)
            assert [(timestamp(a) - timestamp(b)) % 2**32 for a, b in pairwise(packets)] == [STEP] * 4
            assert all((sequence(b) - sequence(a)) % 65536 < 6 for a, b in pairwise(packets))

    def test_wrap_for_who_joins_is_no_jump(self, cam: FakeCam) -> None:
        cam.fault(0, "stamps", "wrap")
        for _ in range(2):  # and for the next one once more
            with Client(cam.urls[0]) as client:
                info = client.play()["RTP-Info"]
                said = int(info.partition("rtptime=")[2])
                packets = [client.rtp()]
                begun = time.monotonic()
                while timestamp(packets[-1]) > 2**31 or sequence(packets[-1]) > 2**15:
                    packets.append(client.rtp())
                assert 0.5 < time.monotonic() - begun < 2.5
                assert sequence(packets[0]) == 2**16 - SHORTLY
                assert 0 <= timestamp(packets[0]) - said <= CLOCK_HZ
                steps = {(timestamp(b) - timestamp(a)) % 2**32 for a, b in pairwise(packets)}
                assert steps == {0, STEP}
                assert {(sequence(b) - sequence(a)) % 65536 for a, b in pairwise(packets)} == {1}
            until(lambda: not cam._server.cameras[0]._audience.clients)

    def test_wrap_goes_unnoticed_by_pyav(self, cam: FakeCam) -> None:
        cam.fault(0, "stamps", "wrap")
        with av.open(cam.urls[0], options=TCP, timeout=(5, 5)) as container:
            times = []
            for packet in container.demux(video=0):
                times.append(packet.pts or 0)
                if len(times) == 2 * FPS:
                    break
        assert {b - a for a, b in pairwise(times[1:])} == {STEP}

    def test_wrap_while_somebody_watches_is_a_jump_and_a_report_tells_of_it(self, cam: FakeCam) -> None:
        with Client(cam.urls[0]) as client:
            client.play()
            before = pictures(client, 3)[-1]
            cam.fault(0, "stamps", "wrap")
            reports = []
            while True:
                channel, packet = client.packet()
                if channel == 1:
                    reports.append(packet)
                    continue
                if (sequence(packet) - sequence(before)) % 65536 != 1:
                    break
                before = packet
            assert sequence(packet) == 2**16 - SHORTLY
            assert timestamp(packet) > 2**32 - 2 * CLOCK_HZ
            lag = timestamp(packet) - int.from_bytes(reports[-1][16:20], "big")
            assert abs(lag) < CLOCK_HZ

    def test_drift_is_of_all_that_the_camera_counts(self) -> None:
        now_ns = 0
        pace = Pace(lambda: now_ns, lambda: 10**18 + now_ns)
        now_ns = 10**9
        pace.drift(500)
        now_ns += 10**9
        assert pace.ticks() == CLOCK_HZ + CLOCK_HZ * 1.0005
        assert pace.unix_ns() == 10**18 + now_ns + 500_000
        assert pace.until_s(pace.ticks() + CLOCK_HZ) == pytest.approx(1 / 1.0005, abs=1e-5)
        pace.drift(-100_000)
        assert pace.unix_ns() == 10**18 + now_ns + 500_000  # no step
        now_ns += 10**9
        assert pace.ticks() == round(CLOCK_HZ * 2.9005)
        pace.drift(0)
        assert pace.ticks() == round(CLOCK_HZ * 2.9005)
        assert pace.unix_ns() == 10**18 + now_ns  # somebody has set its clock

    def test_drift_in_packets_and_reports(self, cam: FakeCam) -> None:
        cam.fault(0, "drift", 100_000)
        with Client(cam.urls[0]) as client:
            client.play()
            first, begun = pictures(client, 1)[0], time.monotonic()
            last = pictures(client, 44)[-1]
            took_s = time.monotonic() - begun
            assert timestamp(last) - timestamp(first) & 0xFFFFFFFF == 44 * STEP
            assert took_s == pytest.approx(44 / FPS / 1.1, abs=0.09)
            cam.fault(0, "drift", -100_000)
            reports = []
            for _ in range(2):
                while (got := client.packet())[0] == 0:
                    pass
                reports.append(struct.unpack("!III", got[1][8:20]))
                cam.fault(0, "drift", -99_999.9 - len(reports) * 0.01)
        wall_s = [seconds + fraction / 2**32 for seconds, fraction, _ in reports]
        assert wall_s[1] - wall_s[0] == pytest.approx((reports[1][2] - reports[0][2]) / CLOCK_HZ, abs=0.002)

    def test_flood(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([clip], log=log) as cam, Client(cam.urls[0]) as client:
            client.play()
            pictures(client, 2)
            cam.fault(0, "flood")
            pictures(client, 100)
            packets = pictures(client, 400)
            cam.fault(0, "ok")
        took_s = ((timestamp(packets[-1]) - timestamp(packets[0])) % 2**32) / CLOCK_HZ
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        sent_ns = [entry["sent_mono_ns"] for entry in entries if entry.get("fault") == "flood"]
        real_s = (sent_ns[-1] - sent_ns[-400]) / 1e9
        assert took_s == pytest.approx(0.4, abs=0.25)
        assert real_s == pytest.approx(took_s, abs=0.25)  # time stamps are real time


def test_backward_stamps_go_on_from_frozen_ones() -> None:
    stream = RtpStream("cam0")
    start = stream.timestamp(0)
    stream.stamping.be(Stamps.FROZEN, 10 * STEP)
    assert stream.timestamp(20 * STEP) == stream.timestamp(12 * STEP) == (start + 10 * STEP) % 2**32
    stream.stamping.be(Stamps.BACKWARD, 20 * STEP)
    assert stream.timestamp(21 * STEP) == (start + 9 * STEP) % 2**32
    stream.stamping.be(None, 21 * STEP)
    assert (stream.timestamp(23 * STEP) - stream.timestamp(22 * STEP)) % 2**32 == STEP
