"""Video that is not as it is in the books: odd sizes, sound first, a rate that varies, turned, interlaced."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray
from source_clips import make_clip, read

from streamer.frame import LazyPicture


def corners(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Four colours, one in each quarter."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = 40, 90, 200
    picture[: height // 2, width // 2 :] = 200, 60, 40
    picture[height // 2 :, : width // 2] = 60, 200, 60
    picture[height // 2 :, width // 2 :] = 128, 128, 128
    return picture


def film(path: Path, picture: NDArray[np.uint8], codec: str, pixels: str, **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], pixels
        stream.bit_rate = 4_000_000
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


ODD, THIN = [(641, 359), (33, 17)], [(1919, 3), (3, 1079)]
PAIRED = [(642, 362), (34, 18)]  # 4:2:0 in H.264 and H.265 is cut in pairs
SIZES = [
    *(("mpeg4", "yuv420p", "avi", size) for size in ODD + THIN),
    *(("libvpx", "yuv420p", "webm", size) for size in ODD + THIN),
    *(("mjpeg", "yuvj420p", "avi", size) for size in ODD + THIN),
    *(("ffv1", "yuv422p", "mkv", size) for size in ODD),
    *(("libx264", "yuv444p", "mp4", size) for size in ODD),
    *(("libx264", "yuv420p", "mp4", size) for size in PAIRED),
    ("libx265", "yuv420p", "mp4", PAIRED[0]),  # x265 itself dies of smaller ones
]


@pytest.mark.parametrize(("codec", "pixels", "suffix", "size"), SIZES)
def test_odd_sizes_are_whole_and_in_their_colours(
    tmp_path: Path, codec: str, pixels: str, suffix: str, size: tuple[int, int]
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    expected = corners(size)
    picture = read(film(tmp_path / f"a.{suffix}", expected, codec, pixels, **options))[-1].picture
    assert picture.size == size
    luma = picture.luma() if isinstance(picture, LazyPicture) else None
    assert luma is not None
    assert luma.shape == (size[1], size[0])
    found = picture.bgr()
    assert found.shape == (size[1], size[0], 3)
    for row in () if size in THIN else (2, size[1] - 3):  # to the very edge
        for column in (2, size[0] - 3):
            assert found[row, column] == pytest.approx(expected[row, column], abs=30)


@pytest.mark.parametrize("name", ["a.ts", "a.mp4", "a.mkv"])
def test_sound_that_comes_first_and_begins_earlier(tmp_path: Path, name: str) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        sound = container.add_stream("aac", rate=48_000)
        stream = container.add_stream("libx264", rate=25, options={"bf": "2"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(100):
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), format="fltp", layout="mono")
            noise.sample_rate, noise.pts = 48_000, 1920 * number
            container.mux(sound.encode(noise))
            if number >= 50:
                frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 2 * number, np.uint8), format="bgr24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(stream.encode(frame))
        container.mux([*sound.encode(), *stream.encode()])
    captured = read(tmp_path / name)
    assert [one.pts_ns for one in captured] == pytest.approx([n * 4e7 for n in range(50)], abs=1e6)


@pytest.mark.parametrize("name", ["a.ts", "a.mp4", "a.mkv", "a.flv"])
def test_a_rate_that_varies_keeps_its_times(tmp_path: Path, name: str) -> None:
    times_ms = [0, 40, 80, 280, 300, 1300, 1333, 1366, 1400, 5000, 5040, 5080, 5085, 5090, 6000, 9000]
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "2"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for number, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 9 * number, np.uint8), format="bgr24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    captured = read(tmp_path / name)
    assert [one.pts_ns for one in captured] == pytest.approx([time_ms * 1e6 for time_ms in times_ms], abs=2e5)
    bright = [one.picture.bgr().mean() for one in captured]
    assert bright == sorted(bright)


@pytest.mark.parametrize(("a", "b", "c", "d"), [(0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0)])
def test_the_brightness_of_a_turned_picture_is_turned_too(
    tmp_path: Path, a: int, b: int, c: int, d: int
) -> None:
    data = bytearray(make_clip(tmp_path / "a.mp4", 3).read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # ISO 14496-12, 8.3.2, version 0
    for place, value in enumerate((a, b, 0, c, d)):
        data[matrix + 4 * place : matrix + 4 * place + 4] = (value << 16).to_bytes(4, "big", signed=True)
    (tmp_path / "turned.mp4").write_bytes(data)
    picture = read(tmp_path / "turned.mp4")[1].picture
    assert isinstance(picture, LazyPicture)
    luma = picture.luma()
    assert luma is not None
    assert (luma.shape[1], luma.shape[0]) == picture.size
    luma = luma.astype(int)
    grey = picture.bgr().astype(int).mean(axis=2)
    assert np.corrcoef(luma.ravel(), grey.ravel())[0, 1] > 0.9
