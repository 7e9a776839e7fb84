"""The test camera as a client sees it: what it plays, to whom, and what it notes."""

import base64
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import pytest

from streamer.errors import SinkError
from streamer.fakecam import FakeCam
from streamer.fakecam.clip import CLOCK_HZ
from streamer.fakecam.recording import load
from tests import fakecam_clips
from tests.boxes import until
from tests.fakecam_clips import FPS, FRAMES, QUICK, STEP, brightness
from tests.rtsp_client import Client, sequence, timestamp

pytestmark = pytest.mark.timeout(30)
clip, heavy_clip = fakecam_clips.clip, fakecam_clips.heavy_clip


class TestPlaying:
    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_all_pictures_in_order_over_the_loop(self, clip: Path, transport: str) -> None:
        with FakeCam([clip]) as cam:
            options = QUICK | {"rtsp_transport": transport}
            with av.open(cam.urls[0], options=options, timeout=(5, 5)) as container:
                frames = []
                for frame in container.decode(video=0):
                    frames.append((frame.pts or 0, brightness(frame)))
                    if len(frames) == 25:
                        break
        times = [pts for pts, _ in frames[1:]]
        assert [b - a for a, b in pairwise(times)] == [STEP] * 23
        shown = [round((light - 20) / 14) for _, light in frames]
        assert shown[0] % 5 == 0  # the first one is a keyframe
        assert shown == [(shown[0] + i) % FRAMES for i in range(25)]

    def test_real_time(self, clip: Path) -> None:
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as client:
            client.play()
            start = timestamp(client.rtp())
            begun = time.monotonic()
            while (timestamp(last := client.rtp()) - start) % 2**32 < CLOCK_HZ * 3 // 2:
                pass
            took = time.monotonic() - begun
        assert took == pytest.approx((timestamp(last) - start) % 2**32 / CLOCK_HZ, abs=0.6)

    def test_a_stall_is_left_out_and_not_made_up_for(self, clip: Path) -> None:
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as client:
            client.play()
            start = timestamp(client.rtp())
            cam._loop.call_soon_threadsafe(time.sleep, 0.8)
            seen = {0}
            while max(seen) < CLOCK_HZ:
                seen.add((timestamp(client.rtp()) - start) % 2**32)
        times = sorted(seen)
        gaps = [b - a for a, b in pairwise(times)]
        assert max(gaps) > CLOCK_HZ // 2
        assert len(times) < 20  # of 30 that a second has
        assert min(gaps) == STEP

    def test_two_clients_see_one_live_picture(self, clip: Path) -> None:
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as one, Client(cam.urls[0]) as other:
            one.play()
            first = [one.rtp() for _ in range(5)]
            other.play()
            second = {sequence(packet): packet for packet in [other.rtp() for _ in range(20)]}
            first += [one.rtp() for _ in range(30)]
        shared = [packet for packet in first if sequence(packet) in second]
        assert len(shared) >= 15
        assert all(second[sequence(packet)] == packet for packet in shared)

    def test_cameras_have_their_own_clips(self, clip: Path, heavy_clip: Path) -> None:
        with FakeCam([clip, heavy_clip]) as cam:
            bodies = []
            for url in cam.urls:
                with Client(url) as client:
                    status, headers, body = client.ask("DESCRIBE", Accept="application/sdp")
                    assert (status, headers["Content-Base"]) == (200, url + "/")
                    bodies.append(body)
            assert [url.rpartition("/")[2] for url in cam.urls] == ["cam0", "cam1"]
        sets = re.search(r"sprop-parameter-sets=(\S+),(\S+)\r\n", bodies[0])
        assert sets
        assert base64.b64decode(sets[1]) == load(clip).sps
        assert base64.b64decode(sets[2]) == load(clip).pps
        assert f"profile-level-id={load(clip).sps[1:4].hex().upper()};" in bodies[0]
        assert bodies[0] != bodies[1]

    def test_play_names_the_first_packet_and_a_report_comes_before_it(self, clip: Path) -> None:
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as client:
            info = client.play()["RTP-Info"]
            channel, report = client.packet()
            now = time.time()
            first = client.rtp()
        assert (channel, report[1]) == (1, 200)
        wall = int.from_bytes(report[8:12], "big") - 2_208_988_800
        assert wall + int.from_bytes(report[12:16], "big") / 2**32 == pytest.approx(now, abs=0.6)
        lag = (int.from_bytes(report[16:20], "big") - timestamp(first)) % 2**32
        assert lag < CLOCK_HZ * 0.6  # a picture is sent when it is due, hardly later
        said = re.fullmatch(rf"url={cam.urls[0]}/trackID=0;seq=(\d+);rtptime=(\d+)", info)
        assert said
        assert (timestamp(first) - int(said[2])) % 2**32 <= 5 * STEP

    def test_wall_clock_reaches_pyav(self, clip: Path) -> None:
        with (
            FakeCam([clip]) as cam,
            av.open(cam.urls[0], options=QUICK | {"rtsp_transport": "tcp"}, timeout=(5, 5)) as container,
        ):
            times = []
            for packet in container.demux(video=0):
                times.append(int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], "little") / 1e6)
                if len(times) == 20:
                    break
            now = time.time()
        assert times[-1] == pytest.approx(now, abs=0.5)
        gaps = [b - a for a, b in pairwise(times)]
        assert gaps == pytest.approx([1 / FPS] * 19, abs=0.001)

    def test_slow_client_loses_up_to_a_keyframe_and_costs_no_memory(
        self, heavy_clip: Path, tmp_path: Path
    ) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([heavy_clip], log=log) as cam, Client(cam.urls[0], receive_bytes=4096) as slow:
            slow.play()
            camera = cam._server.cameras[0]
            start = len(log.read_text().splitlines())
            clip = camera.clip
            bound = clip.half_second_bytes + max(unit.size_bytes for unit in clip.units) * 1.05
            most = 0

            def stalled() -> bool:
                nonlocal most
                most = max([most, *(client.backlog_bytes() for client in list(camera._audience.clients))])
                return len(log.read_text().splitlines()) > start + 45

            until(stalled)
            assert clip.half_second_bytes / 2 < most < bound
            packets = [slow.rtp()]
            while sequence(packets[-1]) == (sequence(packets[0]) + len(packets) - 1) % 65536:
                packets.append(slow.rtp())
        assert packets[-2][1] & 0x80, "a picture was cut off"
        assert packets[-1][12] & 31 == 7, "it did not go on with a keyframe"

    def test_udp_only_goes_to_who_asks(self, clip: Path) -> None:
        with (
            FakeCam([clip]) as cam,
            Client(cam.urls[0]) as client,
            socket.socket(type=socket.SOCK_DGRAM) as udp,
        ):
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(5)
            port = udp.getsockname()[1]
            wanted = f"RTP/AVP;unicast;destination=192.0.2.1;client_port={port}-{port + 1}"
            _, headers, _ = client.ask("SETUP", Transport=wanted)
            server = re.search(r"server_port=(\d+)-(\d+)", headers["Transport"])
            assert server
            assert "destination" not in headers["Transport"]
            assert (int(server[1]) % 2, int(server[2])) == (0, int(server[1]) + 1)
            assert client.ask("PLAY")[0] == 200
            packet, sender = udp.recvfrom(2048)
            assert sender == ("127.0.0.1", int(server[1]))
            assert packet[12] & 31 == 7
            assert client.ask("TEARDOWN")[0] == 200
            assert client.ask("OPTIONS")[0] == 200
            assert client.ask("PLAY")[0] == 454

    def test_silent_client_is_let_go_and_rtcp_is_not_silence(
        self, clip: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("streamer.fakecam.session.SILENCE_S", 1.5)
        with (
            FakeCam([clip]) as cam,
            Client(cam.urls[0]) as client,
            socket.socket(type=socket.SOCK_DGRAM) as rtp,
            socket.socket(type=socket.SOCK_DGRAM) as rtcp,
        ):
            for udp in (rtp, rtcp):
                udp.bind(("127.0.0.1", 0))
                udp.settimeout(5)
            ports = f"{rtp.getsockname()[1]}-{rtcp.getsockname()[1]}"
            _, headers, _ = client.ask("SETUP", Transport=f"RTP/AVP;unicast;client_port={ports}")
            server = ("127.0.0.1", int(headers["Transport"].rpartition("-")[2]))
            assert client.ask("PLAY")[0] == 200
            end_s = time.monotonic() + 2
            while time.monotonic() < end_s:
                rtp.recv(2048)  # paces this loop, and fails once nothing comes any more
                rtcp.sendto(b"\x80\xc9\x00\x01abcd", server)
            assert client.ask("GET_PARAMETER")[0] == 200
            assert client.socket.recv(1) == b""

    def test_log(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        before = time.monotonic_ns()
        with FakeCam([clip, clip], log=log):
            until(lambda: len(log.read_text().splitlines()) > 40)
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        for camera in (0, 1):
            mine = [entry for entry in entries if entry["camera"] == camera]
            assert all(entry.keys() == {"camera", "frame", "picture", "sent_mono_ns"} for entry in mine)
            assert [entry["frame"] for entry in mine] == list(range(len(mine)))
            assert [entry["picture"] for entry in mine] == [number % FRAMES for number in range(len(mine))]
            times = [entry["sent_mono_ns"] for entry in mine]
            assert times == sorted(times)
            assert before < times[0] < times[-1] < time.monotonic_ns()
            assert (times[-1] - times[0]) / 1e9 == pytest.approx((len(times) - 1) / FPS, abs=0.3)

    def test_full_disk_is_said(self, clip: Path) -> None:
        cam = FakeCam([clip], log="/dev/full")
        with pytest.raises(SinkError, match="/dev/full cannot be written"), cam:
            cam._thread.join(10)

    def test_a_command_to_a_server_that_has_ended_says_what_ended_it(self, clip: Path) -> None:
        cam = FakeCam([clip], log="/dev/full")
        cam.__enter__()
        cam._thread.join(10)
        acts: list[Callable[[], None]] = [lambda: cam.fault(0, "hang"), cam.__exit__]
        for act in acts:
            with pytest.raises(SinkError, match="/dev/full cannot be written"):
                act()


class TestAccess:
    @pytest.fixture
    def guarded(self, clip: Path) -> Iterator[FakeCam]:
        with FakeCam([clip], user="ann", password="s3cret:x") as cam:
            yield cam

    def test_digest(self, guarded: FakeCam) -> None:
        url = guarded.urls[0].replace("//", "//ann:s3cret%3Ax@")
        with av.open(url, options=QUICK | {"rtsp_transport": "tcp"}, timeout=(5, 5)) as container:
            assert next(container.decode(video=0)).width == 160

    def test_wrong_password(self, guarded: FakeCam) -> None:
        for who in ("", "ann:wrong@", "bob:s3cret%3Ax@"):
            with pytest.raises(av.error.HTTPUnauthorizedError):
                av.open(guarded.urls[0].replace("//", f"//{who}"), timeout=(5, 5))

    def test_basic_and_what_fits_neither(self, guarded: FakeCam) -> None:
        good = base64.b64encode(b"ann:s3cret:x").decode()
        with Client(guarded.urls[0]) as client:
            status, headers, _ = client.ask("DESCRIBE")
            assert status == 401
            assert re.fullmatch(
                r'Digest realm="freshframe", nonce="\w+", algorithm=MD5\nBasic realm="freshframe"',
                headers["WWW-Authenticate"],
            )
            assert client.ask("OPTIONS")[0] == 200
            assert client.ask("DESCRIBE", Authorization=f"Basic {good}")[0] == 200
            for bad in (good[:-4], "%%%", "", "AAAA"):
                assert client.ask("DESCRIBE", Authorization=f"Basic {bad}")[0] == 401
            for bad in ('Digest username="ann"', 'Digest uri="rtsp://[", nonce=""', "Bearer x", "Digest"):
                assert client.ask("DESCRIBE", Authorization=bad)[0] == 401
            assert client.ask("SETUP", Transport="RTP/AVP/TCP;unicast")[0] == 401
