"""The test camera, seen by PyAV and by a bare RTSP client that shows every packet."""

import asyncio
import base64
import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import Cause, ConfigError, SinkError, SourceError
from streamer.fakecam import FakeCam
from streamer.fakecam.clip import CLOCK_HZ, START_CODE, Clip
from streamer.fakecam.faults import Faults
from streamer.fakecam.message import LARGEST_HEAD_BYTES
from streamer.fakecam.recording import load
from streamer.fakecam.rtp import LARGEST_PAYLOAD_BYTES, RtpStream, payloads
from streamer.fakecam.session import Connection
from streamer.fakecam.watermarking import load_watermarked
from streamer.serving.listening import PortPair
from streamer.watermark import Mark, read
from tests.conftest import missing

pytestmark = pytest.mark.timeout(30)

FPS = 30
FRAMES = 15
STEP = CLOCK_HZ // FPS
QUICK = {"analyzeduration": "100000", "fpsprobesize": "0"}


def write_clip(
    path: Path,
    *,
    codec: str = "libx264",
    gop: int = 5,
    options: dict[str, str] | None = None,
    frames: int = FRAMES,
    noise: bool = False,
    size: tuple[int, int] = (160, 120),
) -> Path:
    """A clip whose picture `i` has the brightness 20 + 14 i, or noise, which is hard to compress."""
    random_pixels = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = gop
        stream.options = {"bf": "0", "sc_threshold": "0", **(options or {})}
        for index in range(frames):
            pixels = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
            pixels[: size[1]] = (
                random_pixels.integers(16, 235, size[::-1]) if noise else 20 + 14 * (index % FRAMES)
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "yuv420p")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "plain.mp4")


@pytest.fixture(scope="session")
def heavy_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "heavy.mp4"
    return write_clip(path, noise=True, frames=15, gop=5, options={"qp": "4"})


def eventually(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class Client:
    """Speaks RTSP as far as these tests need, and hands interleaved packets out as they come."""

    def __init__(self, url: str, receive_bytes: int | None = None) -> None:
        self.url = url
        self._cseq = 0
        self._session = ""
        self.socket = socket.socket()
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(5)
        match = re.match(r"rtsp://([\d.]+):(\d+)/", url)
        assert match
        self.socket.connect((match[1], int(match[2])))
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def ask(self, method: str, url: str | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
        self._cseq += 1
        lines = [f"{method} {url or self.url} RTSP/1.0", f"CSeq: {self._cseq}"]
        if self._session:
            lines.append(f"Session: {self._session}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return self.answer()

    def answer(self) -> tuple[int, dict[str, str], str]:
        line = self._file.readline()
        while line.startswith(b"$"):
            raise AssertionError("media where an answer should be")
        if not line:
            raise ConnectionError("closed")
        headers: dict[str, str] = {}
        while (text := self._file.readline().strip()) != b"":
            name, _, value = text.decode().partition(": ")
            headers[name] = headers[name] + "\n" + value if name in headers else value
        if "Session" in headers:
            self._session = headers["Session"].partition(";")[0]
        return int(line.split()[1]), headers, self._file.read(int(headers.get("Content-Length", 0))).decode()

    def play(self) -> dict[str, str]:
        track = self.url + "/trackID=0"
        assert self.ask("SETUP", track, Transport="RTP/AVP/TCP;unicast;interleaved=0-1")[0] == 200
        status, headers, _ = self.ask("PLAY", Range="npt=0.000-")
        assert status == 200
        return headers

    def packet(self) -> tuple[int, bytes]:
        head = self._file.read(4)
        if len(head) < 4:
            raise ConnectionError("closed")
        assert head[0] == 0x24
        return head[1], self._file.read(int.from_bytes(head[2:], "big"))

    def rtp(self) -> bytes:
        """The next RTP packet; reports are passed over."""
        while True:
            channel, packet = self.packet()
            if channel == 0:
                return packet

    def rtp_until_it_ends(self) -> None:
        for _ in range(1000):
            self.rtp()


def sequence(packet: bytes) -> int:
    return int.from_bytes(packet[2:4], "big")


def timestamp(packet: bytes) -> int:
    return int.from_bytes(packet[4:8], "big")


def depacketise(packets: list[bytes]) -> list[bytes]:
    nals: list[bytes] = []
    for packet in packets:
        body = packet[12:]
        if body[0] & 31 != 28:
            nals.append(body)
        elif body[1] & 0x80:
            nals.append(bytes([body[0] & 0xE0 | body[1] & 0x1F]) + body[2:])
        else:
            nals[-1] += body[2:]
    return nals


class TestRtp:
    @given(
        st.lists(st.tuples(st.integers(1, 23), st.integers(0, 5000)), min_size=1, max_size=5),
        st.integers(0, 2**40),
    )
    def test_round_trip(self, shapes: list[tuple[int, int]], ticks: int) -> None:
        nals = [bytes([0x60 | kind]) + os.urandom(length) for kind, length in shapes]
        stream = RtpStream("cam0")
        first = stream.sequence
        packets = stream.packets(nals, ticks)
        assert depacketise(packets) == nals
        assert [sequence(packet) for packet in packets] == [(first + i) % 65536 for i in range(len(packets))]
        assert [packet[1] >> 7 for packet in packets] == [0] * (len(packets) - 1) + [1]
        assert {timestamp(packet) for packet in packets} == {stream.timestamp(ticks)}
        assert all(len(packet) <= 12 + LARGEST_PAYLOAD_BYTES for packet in packets)

    @pytest.mark.parametrize("length", [1, 1399, 1400, 1401, 1402, 2797, 2798, 2799, 2800])
    def test_fragments_fill_up_to_the_limit(self, length: int) -> None:
        parts = payloads(b"\x65" + b"x" * (length - 1))
        assert len(parts) == (1 if length <= 1400 else -(-(length - 1) // 1398))
        assert all(len(part) == 1400 for part in parts[:-1])

    def test_report_says_which_wall_clock_time_a_timestamp_is(self) -> None:
        stream = RtpStream("cam0")
        stream.packets([b"\x65abc", b"\x41de"], 0)
        report = stream.report(90_000, 1_700_000_000_500_000_000)
        head, kind, words, ssrc, seconds, fraction, rtp, packets, octets = struct.unpack(
            "!BBHIIIIII", report[:28]
        )
        assert (head, kind, words, ssrc) == (0x80, 200, 6, stream.ssrc)
        assert (seconds - 2_208_988_800, fraction) == (1_700_000_000, 1 << 31)
        assert (rtp, packets, octets) == (stream.timestamp(90_000), 2, 7)
        assert len(report) % 4 == 0
        assert report[28:30] == b"\x81\xca"
        assert len(report) == 28 + 4 + 4 * int.from_bytes(report[30:32], "big")


class TestRecording:
    def test_plain_h264_is_not_touched(self, clip: Path) -> None:
        loaded = load(clip)
        with av.open(str(clip)) as container:
            stored = [bytes(packet) for packet in container.demux(video=0) if packet.size]
        assert [unit.ticks for unit in loaded.units] == [i * STEP for i in range(FRAMES)]
        assert [i for i, unit in enumerate(loaded.units) if unit.keyframe] == [0, 5, 10]
        for unit, bytes_stored in zip(loaded.units, stored, strict=True):
            kinds = [nal[0] & 31 for nal in unit.nals]
            assert kinds[:2] == [7, 8] if unit.keyframe else {7, 8}.isdisjoint(kinds)
            assert unit.nals[-1] in bytes_stored
        assert loaded.ticks == FRAMES * STEP
        assert loaded.interval == Fraction(1, FPS)

    @pytest.mark.parametrize(
        ("name", "codec", "gop", "options"),
        [
            ("reordered.mp4", "libx264", 5, {"bf": "2", "b-adapt": "0"}),
            ("mpeg4.avi", "mpeg4", 5, {}),
            ("rare.mp4", "libx264", 300, {}),
        ],
    )
    def test_what_cannot_be_sent_is_encoded(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, codec: str, gop: int,
        options: dict[str, str],
    ) -> None:  # fmt: skip
        frames = 90
        path = write_clip(tmp_path / name, codec=codec, gop=gop, options=options, frames=frames)
        loaded = load(path)
        assert name in capsys.readouterr().err
        assert [unit.ticks for unit in loaded.units] == [i * STEP for i in range(frames)]
        assert loaded.keyframe_gap_s <= 1
        decoder = av.CodecContext.create("h264", "r")
        assert isinstance(decoder, av.VideoCodecContext)
        light = []
        for unit in loaded.units:
            data = b"".join(b"\0\0\0\1" + nal for nal in unit.nals)
            light += [brightness(frame) for frame in decoder.decode(av.Packet(data))]
        light += [brightness(frame) for frame in decoder.decode(None)]
        assert light == pytest.approx([20 + 14 * (i % FRAMES) for i in range(frames)], abs=3)

    def test_raw_stream_without_times(self, clip: Path, tmp_path: Path) -> None:
        raw = write_clip(tmp_path / "raw.h264")
        assert [len(unit.nals) for unit in load(raw).units] == [len(unit.nals) for unit in load(clip).units]
        assert START_CODE.split(raw.read_bytes())[1] == load(clip).sps

    def test_what_is_no_clip_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("no video at all\n" * 100)
        with av.open(str(tmp_path / "sound.wav"), "w") as container:
            sound = container.add_stream("pcm_s16le", rate=8000)
            assert isinstance(sound, av.AudioStream)
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            samples.sample_rate = 8000
            container.mux(sound.encode(samples))
        for name, cause in [
            ("none.mp4", Cause.NOT_FOUND),
            (".", Cause.NOT_FOUND),
            ("text.mp4", Cause.CODEC),
            ("sound.wav", Cause.CODEC),
        ]:
            with pytest.raises(SourceError) as info, FakeCam([tmp_path / name]):
                pass
            assert info.value.cause is cause
            assert str(tmp_path) in str(info.value)

    def test_cut_clip_is_no_crash(self, clip: Path, tmp_path: Path) -> None:
        data = clip.read_bytes()
        rng = random.Random(3)
        for _ in range(30):
            broken = bytearray(data)
            for _ in range(20):
                broken[rng.randrange(len(broken))] = rng.randrange(256)
            path = tmp_path / "broken.mp4"
            path.write_bytes(broken[: rng.randrange(1, len(broken))] if rng.random() < 0.3 else broken)
            with contextlib.suppress(SourceError):
                assert load(path).units[0].keyframe


def decoded(clip: Clip) -> list[av.VideoFrame]:
    """What somebody who joins at its begin would see of one round."""
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames = []
    for unit in clip.units:
        frames += decoder.decode(av.Packet(b"".join(b"\0\0\0\1" + nal for nal in unit.nals)))
    return frames + decoder.decode(None)


def seen_in(frame: av.VideoFrame) -> Mark | None:
    return read(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)).mark


class TestWatermark:
    @pytest.fixture(scope="class")
    @staticmethod
    def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
        """One that could be sent as it is, and one that could not: B-frames, another size and rate."""
        folder = tmp_path_factory.mktemp("large")
        reordered = {"bf": "2", "b-adapt": "0"}
        return [
            write_clip(folder / "plain.mp4", size=(320, 240), frames=110),
            write_clip(folder / "reordered.mp4", size=(352, 290), frames=60, options=reordered),
        ]

    def test_each_picture_says_its_camera_and_number(
        self, clips: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        made = load_watermarked([clips[0], clips[1], clips[0]])
        said = capsys.readouterr().err
        assert "plain.mp4 is encoded with a watermark for cam0, cam2\n" in said
        assert "reordered.mp4 is encoded with a watermark for cam1\n" in said
        for camera, clip in enumerate(made):
            assert len(clip.units) == (600 if camera == 1 else 660)  # whole rounds, 20 s at least
            assert [unit.ticks for unit in clip.units] == [STEP * number for number in range(len(clip.units))]
            assert clip.keyframe_gap_s <= 1
            marks = [seen_in(frame) for frame in decoded(clip)]
            assert marks == [Mark(camera, number) for number in range(len(clip.units))]

    def test_what_is_between_the_bands_is_the_clips_own(self, clips: list[Path]) -> None:
        (clip,) = load_watermarked(clips[:1])
        for number, frame in enumerate(decoded(clip)[105:115], 105):
            between = frame.to_ndarray(format="yuv420p")[80:160]
            assert between.mean() == pytest.approx(20 + 14 * (number % 110 % FRAMES), abs=3)

    def test_a_long_clip_is_not_repeated(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "long.mp4", size=(320, 160), frames=601)
        assert len(load_watermarked([path])[0].units) == 601

    def test_small_pictures_are_refused_before_anything_is_encoded(
        self, clip: Path, clips: list[Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(ConfigError, match=r"plain\.mp4: 160x120 is too small .*320x160 is enough"):
            FakeCam([clips[1], clip], watermark=True).__enter__()
        with pytest.raises(ConfigError, match="256 cameras"):
            FakeCam([clips[0]] * 257, watermark=True).__enter__()
        assert capsys.readouterr().err == ""

    def test_it_is_what_a_client_gets_and_what_the_log_says(self, clips: list[Path], tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        with FakeCam([clips[0]] * 2, log=log, watermark=True) as cam:
            options = QUICK | {"rtsp_transport": "tcp"}
            with av.open(cam.urls[1], options=options, timeout=(5, 5)) as container:
                shown = [seen_in(frame) for frame in islice(container.decode(video=0), 10)]
        marks = [mark for mark in shown if mark]
        assert len(marks) == 10
        assert {mark.camera for mark in marks} == {1}
        assert [mark.frame - marks[0].frame for mark in marks] == list(range(10))
        logged = {
            (entry["camera"], entry["picture"]) for entry in map(json.loads, log.read_text().splitlines())
        }
        assert {(mark.camera, mark.frame) for mark in marks} <= logged


def brightness(frame: av.VideoFrame) -> float:
    return float(frame.to_ndarray(format="yuv420p")[:120].mean())


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

            eventually(stalled)
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
            until = time.monotonic() + 2
            while time.monotonic() < until:
                rtp.recv(2048)  # paces this loop, and fails once nothing comes any more
                rtcp.sendto(b"\x80\xc9\x00\x01abcd", server)
            assert client.ask("GET_PARAMETER")[0] == 200
            assert client.socket.recv(1) == b""

    def test_log(self, clip: Path, tmp_path: Path) -> None:
        log = tmp_path / "log.jsonl"
        before = time.monotonic_ns()
        with FakeCam([clip, clip], log=log):
            eventually(lambda: len(log.read_text().splitlines()) > 40)
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
        eventually(lambda: not camera._audience.clients and not camera.viewers)
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


class TestStart:
    def test_what_cannot_be_had_is_said(self, clip: Path, tmp_path: Path) -> None:
        with FakeCam([clip]) as cam:
            with pytest.raises(ConfigError, match=f"port {cam.port} on 127.0.0.1 cannot be listened on"):
                FakeCam([clip], port=cam.port).__enter__()
            with pytest.raises(ConfigError, match="in use"):
                FakeCam([clip], control_port=cam.port).__enter__()
        with pytest.raises(ConfigError, match="70000 is not a port"):
            FakeCam([clip], port=70000).__enter__()
        with pytest.raises(ConfigError, match=r"no-such\.invalid cannot be listened on"):
            FakeCam([clip], host="no-such.invalid").__enter__()
        with pytest.raises(ConfigError, match="cannot be written"):
            FakeCam([clip], log=tmp_path).__enter__()
        with pytest.raises(ConfigError, match="at least one clip"):
            FakeCam([])
        with pytest.raises(ConfigError, match="needs a password"):
            FakeCam([clip], user="ann")
        assert threading.active_count() == 1 or "fakecam" not in {t.name for t in threading.enumerate()}

    def test_a_user_with_a_colon(self, clip: Path) -> None:
        with pytest.raises(ConfigError, match="'a:b' has a ':'"):
            FakeCam([clip], user="a:b", password="c")

    def test_what_cannot_be_had_is_said_before_clips_are_encoded(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        slow = write_clip(tmp_path / "slow.avi", codec="mpeg4")
        log = tmp_path / "log"
        log.write_text("of an earlier run")
        with FakeCam([clip], control_port=0) as cam:
            for words in ({"port": cam.port}, {"control_port": cam.control_port}, {"log": tmp_path}):
                with pytest.raises(ConfigError):
                    FakeCam([slow], **words).__enter__()
        with pytest.raises(SourceError, match="this is a folder"):
            FakeCam([slow, tmp_path], log=log).__enter__()
        assert log.read_text() == "of an earlier run"
        assert capsys.readouterr().err == ""

    def test_without_file_descriptors_it_says_so_once(self, clip: Path) -> None:
        program = (
            "import resource, sys; from streamer.fakecam import serve\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
            "serve([sys.argv[1]], host='127.0.0.1', port=0, user=None, password=None, log=None,"
            " control_port=None, ready=lambda url: print('ready', url, flush=True))"
        )
        clients: list[Client] = []
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(clip)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            try:
                url = process.stdout.readline().removeprefix("ready ").strip()
                for _ in range(100):
                    clients.append(Client(url))
                assert process.stderr
                first = process.stderr.readline()  # once it has met its limit
                assert clients[0].ask("OPTIONS")[0] == 200
                for client in clients[:90]:
                    client.__exit__()
                assert clients[-1].ask("OPTIONS")[0] == 200  # once there is room again
                process.terminate()
                said = process.communicate(timeout=10)[1]
            finally:
                process.kill()
                for client in clients:
                    client.__exit__()
        assert re.fullmatch(r"fakecam: clients have to wait: too many open files.*\n", first)
        assert said == ""

    def test_ipv6(self, clip: Path) -> None:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            missing("this machine has no IPv6")
        with (
            FakeCam([clip], host="::1") as cam,
            av.open(cam.urls[0], options=QUICK | {"rtsp_transport": "udp"}, timeout=(5, 5)) as container,
        ):
            assert cam.urls[0] == f"rtsp://[::1]:{cam.port}/cam0"
            assert next(container.decode(video=0)).width == 160

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serve_ends_cleanly_on_a_signal(self, clip: Path, number: signal.Signals) -> None:
        program = (
            "import sys; from streamer.fakecam import serve\n"
            "serve([sys.argv[1]], host='127.0.0.1', port=0, user=None, password=None, log=None,"
            " control_port=0, ready=lambda url: print('ready', url, flush=True))"
        )
        with subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(clip)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stderr
            try:
                url = process.stdout.readline().removeprefix("ready ").strip()
                with Client(url) as client:
                    client.play()
                    client.rtp()
                    process.send_signal(number)
                    assert process.wait(10) == 0
                said = process.stderr.read()
            finally:
                process.kill()
        assert re.fullmatch(r"fakecam: control on 127\.0\.0\.1:\d+\n", said)
