"""Video files: what comes of them, in real time too, and what they say when they are damaged."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from source_clips import SIZE, failure, in_real_time, make_clip, read

from streamer.clock import ManualClock
from streamer.errors import Cause, ConfigError, SourceError
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.paced import Paced
from streamer.sources.recording import Recording


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("b.mp4", "libx264", {"bf": "3"}),
        ("b.mkv", "libx264", {"bf": "3", "b-pyramid": "strict"}),
        ("b.avi", "libx264", {"bf": "3"}),
        ("b.ts", "libx264", {"bf": "3"}),
        ("b.flv", "libx264", {"bf": "2"}),
        ("b.h264", "libx264", {"bf": "2"}),
        ("hevc.mp4", "libx265", {"x265-params": "log-level=none:bframes=3"}),
        ("mpeg4.avi", "mpeg4", {"bf": "2"}),
        ("vp8.webm", "libvpx", {"deadline": "realtime", "cpu-used": "8"}),
        ("fragments.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov", "g": "15"}),
    ],
)
def test_every_picture_in_order_with_growing_times(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    captured = read(make_clip(tmp_path / name, 60, codec, **options))
    assert len(captured) == 60
    times = [one.pts_ns for one in captured]
    assert times == pytest.approx([index * 1e9 / 30 for index in range(60)], abs=2e6)
    brightness = [float(one.picture.bgr().mean()) for one in captured]
    assert brightness == sorted(brightness)
    assert captured[0].keyframe
    assert not captured[1].keyframe
    assert all(one.captured_ns <= time.monotonic_ns() for one in captured)


def test_keyframes_and_times_belong_to_the_picture_they_came_with(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="3", g="20", sc_threshold="0", keyint_min="20")
    keyframes = [number for number, one in enumerate(read(clip)) if one.keyframe]
    assert keyframes == [0, 20, 40]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "count", "last_s"),
    [
        ("vtest.avi", 795, 79.4),
        ("people_crowd_ocv4nodejs.mp4", 460, 19.14),
        ("road_cctv_ozlu.mp4", 905, 37.65),
        ("dashcam_solidWhiteRight_udacity.mp4", 221, 8.8),
        pytest.param("Retail02_short.mp4", 603, 20.07, marks=pytest.mark.slow),
    ],
)
def test_real_footage(shared_data: Path, name: str, count: int, last_s: float) -> None:
    times: list[int] = []
    with open_source(parse_address(str(shared_data / "videos" / name))) as source:
        for captured in source:
            assert captured.pts_ns is not None
            times.append(captured.pts_ns)
    assert len(times) == count
    assert times[0] == 0
    assert all(earlier < later for earlier, later in pairwise(times))
    assert times[-1] / 1e9 == pytest.approx(last_s, abs=0.01)


@pytest.mark.parametrize(
    ("codec", "pixels", "name", "size"),
    [
        ("libx264", "yuv420p", "a.mkv", (160, 120)),
        ("libx264", "yuv444p", "odd.mkv", (161, 121)),
        ("libx265", "yuv420p10le", "ten-bit.mkv", (162, 122)),
        ("mjpeg", "yuvj420p", "full-range.avi", (163, 121)),
        ("ffv1", "gray", "gray.mkv", (161, 121)),
        ("ffv1", "bgra", "alpha.mkv", (161, 121)),
        ("rawvideo", "bgr24", "raw.avi", (161, 121)),
        ("png", "rgb24", "png.mov", (161, 121)),
        ("ffv1", "yuv420p", "tiny.mkv", (1, 1)),
    ],
)
def test_pixels_are_what_was_filmed(
    tmp_path: Path, codec: str, pixels: str, name: str, size: tuple[int, int]
) -> None:
    colour = (128, 128, 128) if pixels == "gray" else (40, 90, 200)
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        flat = np.full((size[1], size[0], 3), colour, np.uint8)
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(flat, format="bgr24")), *stream.encode()]:
            container.mux(packet)
    (captured,) = read(path)
    found = captured.picture.bgr()
    assert captured.picture.size == size
    assert found.shape == (size[1], size[0], 3)
    assert found.flags.c_contiguous
    assert not found.flags.writeable
    assert np.abs(found.astype(int) - colour).max() <= 6


def test_pixels_agree_with_opencv(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 5)
    peer = cv2.VideoCapture(str(clip))
    for captured in read(clip):
        expected = peer.read()[1].astype(int)
        assert np.abs(captured.picture.bgr() - expected).mean() < 1


@pytest.mark.parametrize(("a", "b", "c", "d"), [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_films_of_a_turned_phone_are_upright(tmp_path: Path, a: int, b: int, c: int, d: int) -> None:
    data = bytearray(make_clip(tmp_path / "a.mp4", 3).read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # ISO 14496-12, 8.3.2, version 0
    for place, value in enumerate((a, b, 0, c, d)):
        data[matrix + 4 * place : matrix + 4 * place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    (tmp_path / "turned.mp4").write_bytes(data)
    captured = read(tmp_path / "turned.mp4")[0]
    expected = cv2.VideoCapture(str(tmp_path / "turned.mp4")).read()[1]
    assert captured.picture.bgr().shape == expected.shape
    assert captured.picture.size == (expected.shape[1], expected.shape[0])
    assert np.abs(captured.picture.bgr().astype(int) - expected).mean() < 1


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("front.mp4", "libx264", {"movflags": "faststart"}),
        ("a.mkv", "libx264", {}),
        ("a.avi", "mpeg4", {"g": "5"}),
        ("a.flv", "libx264", {}),
        ("a.webm", "libvpx", {"g": "10", "deadline": "realtime", "cpu-used": "8"}),
    ],
)
def test_a_file_that_breaks_off_is_delivered_and_then_reported(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    data = make_clip(tmp_path / name, 60, codec, **options).read_bytes()
    (tmp_path / f"cut-{name}").write_bytes(data[: len(data) * 6 // 10])
    error, count = failure(tmp_path / f"cut-{name}")
    assert error.cause is Cause.DAMAGED
    assert "breaks off after" in str(error)
    assert 0 < count < 60


def test_damage_in_the_middle_is_skipped_and_counted(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, "mjpeg", "yuvj420p")
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0)]
    for start, size in places[20:22]:
        assert start is not None
        data[start : start + size] = bytes(size)
    (tmp_path / "spots.mp4").write_bytes(data)
    with open_source(parse_address(str(tmp_path / "spots.mp4"))) as source:
        assert isinstance(source, Recording)
        assert len(list(source)) == 58
        assert source.damaged == 2


def test_noise_all_over_never_escapes_as_something_else(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "a.mp4", 30).read_bytes()
    random = np.random.default_rng(7)
    for round_number in range(40):
        noisy = np.frombuffer(data, np.uint8).copy()
        places = random.integers(0, len(noisy), 200)
        noisy[places] = random.integers(0, 256, 200, np.uint8)
        path = tmp_path / f"noisy{round_number}.mp4"
        path.write_bytes(noisy.tobytes())
        with contextlib.suppress(SourceError), open_source(parse_address(str(path))) as source:
            for captured in source:
                captured.picture.bgr()


def _write(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "prepare", "cause", "says"),
    [
        ("missing.mp4", lambda path: None, Cause.NOT_FOUND, "no such file"),
        ("empty.mp4", Path.touch, Cause.DAMAGED, "empty"),
        ("text.mp4", _write(b"just words\n" * 1000), Cause.CODEC, "not a video"),
        ("noise.mp4", _write(np.random.default_rng(1).bytes(100_000)), Cause.CODEC, "not a video"),
        ("unfinished.mp4", _write(b"\0\0\0\x18ftypisom" + bytes(5000)), Cause.DAMAGED, "begins like an MP4"),
        ("pipe.mp4", os.mkfifo, Cause.NOT_FOUND, "not a file"),
        ("list.m3u8", _write(b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"), Cause.CODEC, "not a video"),
        ("list.ffconcat", _write(b"ffconcat version 1.0\nfile a.mp4\n"), Cause.CODEC, "not a video"),
        ("x.sdp", _write(b"v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"), Cause.CODEC, "not a video"),
        ("none.jpg", lambda path: None, Cause.NOT_FOUND, "no such file or folder"),
    ],
)
def test_what_cannot_be_opened_says_why(
    tmp_path: Path, name: str, prepare: Callable[[Path], object], cause: Cause, says: str
) -> None:
    prepare(tmp_path / name)
    error, count = failure(tmp_path / name)
    assert (error.cause, count) == (cause, 0)
    assert says in str(error)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    error, _ = failure(tmp_path / "song.mp4")
    assert error.cause is Cause.CODEC
    assert "no video stream in it, only audio" in str(error)


def test_a_header_that_claims_a_huge_picture_is_refused(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "a.avi", 3, "mjpeg", "yuvj420p").read_bytes()
    huge = (60_000).to_bytes(2, "big") * 2
    normal = SIZE[1].to_bytes(2, "big") + SIZE[0].to_bytes(2, "big")
    assert data.count(normal) >= 3
    (tmp_path / "huge.avi").write_bytes(data.replace(normal, huge))
    error, count = failure(tmp_path / "huge.avi")
    assert error.cause in (Cause.CODEC, Cause.DAMAGED)
    assert count == 0


def test_a_source_can_be_entered_again(tmp_path: Path) -> None:
    source = open_source(parse_address(str(make_clip(tmp_path / "a.mp4", 20))))
    with pytest.raises(ValueError, match="entered"):
        next(iter(source))
    for _ in range(2):
        with source:
            assert len(list(source)) == 20
    with source:
        assert next(iter(source)).pts_ns == 0
    assert (source.live, source.ends) == (False, True)


@pytest.mark.timeout(30)
def test_a_paced_recording_waits_for_each_picture(tmp_path: Path) -> None:
    clock = ManualClock(5_000_000_000)
    source = open_source(
        parse_address(str(make_clip(tmp_path / "a.mp4", 6))), SourceOptions(live=True), clock=clock
    )
    assert (source.live, source.ends) == (True, True)
    captured = in_real_time(source, clock)
    assert [one.captured_ns - 5_000_000_000 for one in captured] == [one.pts_ns for one in captured]
    assert len(captured) == 6


@pytest.mark.timeout(30)
def test_a_paced_recording_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    clock = ManualClock()
    source = open_source(
        parse_address(str(make_clip(tmp_path / "a.mp4", 6))), SourceOptions(live=True), clock=clock
    )
    assert isinstance(source, Paced)
    count = []

    def play() -> None:
        with source:
            count.append(len(list(source)))

    player = threading.Thread(target=play)
    player.start()
    assert clock.wait_for_sleepers(1)
    source.stop()
    player.join(10)
    assert count == [1]


def test_what_cannot_be_opened_at_all() -> None:
    with pytest.raises(ConfigError, match="transport"):
        open_source(parse_address("rtsp://h/x"), SourceOptions(transport="http"))
    with pytest.raises(ConfigError, match="live"):
        open_source(parse_address("rtsp://h/x"), SourceOptions(live=False))
