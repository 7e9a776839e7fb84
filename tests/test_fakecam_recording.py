"""What the test camera makes of a clip: access units, packets, pictures that say which they are."""

import contextlib
import json
import os
import random
import struct
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import Cause, ConfigError, SourceError
from streamer.fakecam import FakeCam
from streamer.fakecam.clip import START_CODE, Clip
from streamer.fakecam.recording import load, load_all
from streamer.fakecam.rtp import LARGEST_PAYLOAD_BYTES, RtpStream, payloads
from streamer.fakecam.watermarking import load_watermarked
from streamer.watermark import Mark, read
from tests import fakecam_clips
from tests.fakecam_clips import FPS, FRAMES, QUICK, STEP, brightness, write_clip
from tests.rtsp_client import depacketise, sequence, timestamp

pytestmark = pytest.mark.timeout(30)
clip = fakecam_clips.clip


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

    def test_a_clip_that_several_cameras_play_is_encoded_once(
        self, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = write_clip(tmp_path / "mpeg4.mp4", codec="mpeg4")
        first, plain, second = load_all([other, clip, other])
        assert first is second
        assert plain is not first
        assert capsys.readouterr().err.count("is encoded for sending") == 1

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
