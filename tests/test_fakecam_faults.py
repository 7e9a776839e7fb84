"""What a test camera's faults look like to real clients: PyAV and bare sockets."""

import json
import socket
import time
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.errors import ConfigError
from streamer.fakecam import FakeCam
from streamer.fakecam.faults import Faults
from streamer.fakecam.recording import load
from streamer.fakecam.rtp import payloads
from streamer.fakecam.tampering import HEADER_BYTES, Tampering
from tests import fakecam_clips
from tests.boxes import until
from tests.fakecam_clips import FPS, QUICK, STEP, TCP, UDP
from tests.rtsp_client import Client, sequence, timestamp

pytestmark = pytest.mark.timeout(30)
clip, heavy_clip, cam = fakecam_clips.clip, fakecam_clips.heavy_clip, fakecam_clips.cam


class TestFaults:
    def test_hang_keeps_connections_and_says_nothing(self, clip: Path) -> None:
        with FakeCam([clip]) as cam, Client(cam.urls[0]) as old, Client(cam.urls[0]) as new:
            old.play()
            old.rtp()
            cam.fault(0, "hang")
            new.play()
            old.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                old.rtp_until_it_ends()
            new.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                new.socket.recv(1)
            cam.fault(0, "ok")
            new.socket.settimeout(5)
            assert new.rtp()[12] & 31 == 7

    def test_hang_times_a_reader_out(self, clip: Path) -> None:
        with FakeCam([clip]) as cam:
            options = QUICK | {"rtsp_transport": "tcp"}
            with av.open(cam.urls[0], options=options, timeout=(5, 0.3)) as container:
                packets = container.demux(video=0)
                next(packets)
                cam.fault(0, "hang")
                with pytest.raises(av.error.FFmpegError):
                    for _ in packets:
                        pass

    @pytest.mark.parametrize("transport", ["tcp", "udp"])
    def test_drop_once(self, clip: Path, transport: str) -> None:
        with FakeCam([clip, clip]) as cam, Client(cam.urls[1]) as neighbour:
            neighbour.play()
            options = QUICK | {"rtsp_transport": transport}
            with av.open(cam.urls[0], options=options, timeout=(5, 5)) as container:
                packets = container.demux(video=0)
                next(packets)
                cam.fault(0, "drop")
                try:
                    for _ in packets:
                        pass
                except (av.error.FFmpegError, OSError):
                    pass  # an end or an error, but not for ever
            with Client(cam.urls[0]) as again:
                again.play()
                again.rtp()
            for _ in range(20):
                neighbour.rtp()

    def test_refuse(self, clip: Path) -> None:
        with FakeCam([clip, clip]) as cam, Client(cam.urls[0]) as old:
            old.play()
            cam.fault(0, "refuse")
            with pytest.raises(ConnectionError):
                old.rtp_until_it_ends()
            with Client(cam.urls[0]) as new, pytest.raises(ConnectionError):
                new.ask("DESCRIBE")
            with pytest.raises((av.error.FFmpegError, OSError)):
                av.open(cam.urls[0], timeout=(5, 5))
            with Client(cam.urls[1]) as neighbour:
                assert neighbour.ask("DESCRIBE")[0] == 200
            cam.fault(0, "ok")
            with Client(cam.urls[0]) as new:
                assert new.ask("DESCRIBE")[0] == 200

    def test_loss(self, heavy_clip: Path) -> None:
        with FakeCam([heavy_clip]) as cam, Client(cam.urls[0]) as client:
            client.play()
            client.rtp()
            cam.fault(0, "loss", 0.2)
            packets = [client.rtp() for _ in range(400)][100:]
            sent = (sequence(packets[-1]) - sequence(packets[0])) % 65536 + 1
            assert 1 - len(packets) / sent == pytest.approx(0.2, abs=0.07)

    def test_control_connection(self, clip: Path) -> None:
        with FakeCam([clip, clip], control_port=0) as cam:
            assert cam.control_port
            with socket.create_connection(("127.0.0.1", cam.control_port), timeout=5) as control:
                lines = control.makefile("rb")

                def say(line: bytes) -> str:
                    control.sendall(line + b"\n")
                    return lines.readline().decode().rstrip("\n")

                assert say(b"cam0 loss 0.05") == "ok"
                assert cam._server.cameras[0].faults == Faults(loss=0.05)
                assert say(b"cam1 hang\r") == "ok"
                assert say(b"cam1 refuse") == "ok"
                assert cam._server.cameras[1].faults == Faults(hang=True, refuse=True)
                assert say(b"cam1 ok") == "ok"
                assert cam._server.cameras[1].faults == Faults()
                assert say(b"cam2 hang") == "error: 'cam2' is not a camera here: cam0, cam1 are"
                assert say(b"cam0 fly").startswith("error: 'fly' is not a command: ok, mute, hang, drop, ")
                assert say(b"cam0 loss 2") == "error: '2' is not a share: it goes from 0 to 1"
                assert say(b"cam0 loss nan").startswith("error: 'nan' is not a share")
                assert say(b"cam0 loss").startswith("error: loss takes one number")
                assert say(b"cam0 hang 3") == "error: hang takes nothing after it, not '3'"
                for junk in (b"", b"\xff\xfe", b"cam0", b"CAM0 ok", b"-1 ok"):
                    assert say(junk).startswith("error: ")
                assert say(b"x" * 5000) == "error: a line has at most 256 bytes"
                lines.close()
            with pytest.raises(ConfigError, match="'fly' is not a command"):
                cam.fault(0, "fly")


class TestPackets:
    def test_garbage(self, heavy_clip: Path) -> None:
        with FakeCam([heavy_clip], seed=3) as cam, Client(cam.urls[0]) as client:
            client.play()
            nals = [nal for unit in load(heavy_clip).units for nal in unit.nals]
            sizes = {HEADER_BYTES + len(part) for nal in nals for part in payloads(nal)}
            cam.fault(0, "garbage")
            junk = [client.rtp() for _ in range(400)][200:]
            assert {len(packet) for packet in junk} <= sizes
            assert len({packet[:1] for packet in junk}) > 50
            assert np.frombuffer(b"".join(junk), np.uint8).mean() == pytest.approx(127.5, abs=2)
            cam.fault(0, "ok")
            until(lambda: client.rtp()[0] == 0x80)

    @pytest.mark.parametrize("options", [TCP, UDP], ids=["tcp", "udp"])
    def test_garbage_is_no_picture_to_pyav(self, cam: FakeCam, options: dict[str, str]) -> None:
        with av.open(cam.urls[0], options=options, timeout=(5, 1)) as container:
            next(container.decode(video=0))
            cam.fault(0, "garbage")
            seen = 0
            try:
                for _ in container.decode(video=0):
                    seen += 1
            except av.error.FFmpegError:
                pass
        assert seen < 15

    def test_damage(self, heavy_clip: Path) -> None:
        with FakeCam([heavy_clip]) as cam, Client(cam.urls[0]) as one:
            one.play()
            one.rtp()
            cam.fault(0, "damage", 0.2)
            packets = [one.rtp() for _ in range(500)][100:]
            assert all((sequence(b) - sequence(a)) % 65536 == 1 for a, b in pairwise(packets))
            assert {packet[0] for packet in packets} == {0x80}

    def test_each_seed_has_its_own_luck_and_faults_do_not_mix(self) -> None:
        packets = [bytes(HEADER_BYTES) + bytes([number] * 9) for number in range(200)]

        def fate(seed: str, loss: float = 0, damage: float = 0) -> list[bytes]:
            return Tampering(Faults(loss=loss, damage=damage), seed).rtp(packets)

        assert fate("7/0", loss=0.1, damage=0.1) == fate("7/0", loss=0.1, damage=0.1)
        assert fate("7/0", loss=0.1) != fate("8/0", loss=0.1)
        assert set(fate("7/0", loss=0.2)) < set(fate("7/0", loss=0.1))
        damaged = fate("7/0", damage=0.2)
        wrong = [(was, now) for was, now in zip(packets, damaged, strict=True) if was != now]
        assert len(wrong) == pytest.approx(40, abs=15)
        assert all(was[:HEADER_BYTES] == now[:HEADER_BYTES] for was, now in wrong)
        assert all(len(was) == len(now) for was, now in wrong)
        both = fate("7/0", loss=0.1, damage=0.2)
        assert [packet[HEADER_BYTES] for packet in both if packet in packets] == [
            packet[HEADER_BYTES] for packet in fate("7/0", loss=0.1) if packet in damaged
        ]

    @pytest.mark.parametrize(("fault", "said"), [(None, "X-UNKNOWN"), ("h265", "H265")])
    def test_codec(self, cam: FakeCam, fault: str | None, said: str) -> None:
        with Client(cam.urls[0]) as old:
            old.play()
            cam.fault(0, "codec", fault)
            with pytest.raises(ConnectionError):
                old.rtp_until_it_ends()
        with Client(cam.urls[0]) as new:
            sdp = new.ask("DESCRIBE")[2]
            assert f"a=rtpmap:96 {said}/90000\r\n" in sdp
            assert "H264" not in sdp
            assert "fmtp" not in sdp
            new.play()
            assert new.rtp()[12] & 31 == 7  # and still sends what it always sent
        with av.open(cam.urls[0], options=TCP, timeout=(5, 1)) as container:
            context = container.streams.video[0].codec_context if container.streams.video else None
            assert (context.name if context else None) in ({None} if fault is None else {"hevc"})
        cam.fault(0, "ok")
        with Client(cam.urls[0]) as new:
            assert "H264/90000" in new.ask("DESCRIBE")[2]


class TestEveryFault:
    def test_one_camera_s_fault_is_no_other_s(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        faults: list[tuple[str, str | float | None]] = [
            ("mute", None), ("hang", None), ("reset", None), ("refuse", None), ("deny", None),
            ("trickle", None), ("garbage", None), ("codec", None), ("flood", None), ("damage", 0.5),
            ("stamps", "backward"), ("dark", None),
        ]  # fmt: skip
        with FakeCam([clip, clip], log=log) as cam, Client(cam.urls[1]) as neighbour:
            neighbour.play()
            first = neighbour.rtp()
            for name, value in faults:
                cam.fault(0, name, value)
                with Client(cam.urls[0]) as victim:
                    victim.socket.settimeout(0.1)
                    try:
                        victim.play()
                        victim.rtp()
                    except (OSError, AssertionError):
                        pass  # which it is depends on the fault
                cam.fault(0, "ok")
            until(lambda: (timestamp(neighbour.rtp()) - timestamp(first)) % 2**32 > FPS * STEP)
        entries = [json.loads(line) for line in log.read_text().splitlines()]
        mine = [entry for entry in entries if entry["camera"] == 1]
        assert [entry["frame"] for entry in mine] == list(range(len(mine)))
        assert all("fault" not in entry for entry in mine)
        gaps_s = np.diff([entry["sent_mono_ns"] for entry in mine]) / 1e9
        assert np.percentile(gaps_s, 95) < 1.5 / FPS
        assert max(gaps_s) < 0.4

    def test_the_log_says_what_was_wrong_and_nothing_that_was_not_sent(
        self, cam: FakeCam, clip: Path, tmp_path: Path
    ) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([clip], log=log) as cam:
            camera = cam._server.cameras[0]
            for name in ("mute", "hang", "refuse", "deny", "trickle", "garbage"):
                cam.fault(0, name)
                lines = len(log.read_text().splitlines())
                ticks = camera._ticks + 4 * STEP
                while camera._ticks < ticks:
                    time.sleep(0.01)
                assert len(log.read_text().splitlines()) <= lines + 1, name
                cam.fault(0, "ok")
            cam.fault(0, "loss", 0.1)
            cam.fault(0, "stamps", "frozen")
            until(lambda: '"fault":"stamps frozen, loss 0.1"}' in log.read_text())

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("cam0 stamps", "stamps takes one of frozen, backward, wrap after it, not ''"),
            ("cam0 stamps up", "'up' is none of frozen, backward, wrap"),
            ("cam0 codec vp9", "'vp9' is none of h265"),
            ("cam0 codec h265 x", "codec takes h265 or nothing after it, not 'h265 x'"),
            ("cam0 drift", "drift takes one number, in ppm after it, not ''"),
            ("cam0 drift 100001", "'100001' is no drift: it goes from -100000 to 100000 (ppm)"),
            ("cam0 drift nan", "'nan' is no drift"),
            ("cam0 damage -1", "'-1' is not a share"),
            ("cam0 size", "size takes a width and height as 640x480 after it, not ''"),
            ("cam0 size 641x480", "'641x480' is no size: it is written 640x480, with even numbers from 32"),
            ("cam0 size 99999x2", "'99999x2' is no size"),
            ("cam0 size 640", "'640' is no size"),
            ("cam0 dark 1", "dark takes nothing after it, not '1'"),
        ],
    )
    def test_wrong_words(self, cam: FakeCam, line: str, said: str) -> None:
        name, word, *rest = line.split()
        assert name == "cam0"
        with pytest.raises(ConfigError) as info:
            cam.fault(0, word, " ".join(rest) or None)
        assert str(info.value).startswith(said)
        assert cam._server.cameras[0].faults == Faults()

    def test_ok_ends_all(self, cam: FakeCam) -> None:
        every: list[tuple[str, str | float | None]] = [
            ("mute", None), ("hang", None), ("refuse", None), ("deny", None), ("trickle", None),
            ("garbage", None), ("flood", None), ("codec", "h265"), ("stamps", "backward"),
            ("drift", 5), ("loss", 0.5), ("damage", 0.5),
        ]  # fmt: skip
        for name, value in every:
            cam.fault(0, name, value)
        assert str(cam._server.cameras[0].faults) == (
            "mute, hang, refuse, deny, trickle, garbage, flood, codec H265, stamps backward, drift 5.0, "
            "loss 0.5, damage 0.5"
        )
        cam.fault(0, "ok")
        with av.open(cam.urls[0], options=UDP, timeout=(5, 5)) as container:
            assert next(container.decode(video=0)).width == 160
