"""Clips that a test camera plays, and a camera that plays one."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from streamer.fakecam import FakeCam
from streamer.fakecam.clip import CLOCK_HZ

FPS = 30
FRAMES = 15
STEP = CLOCK_HZ // FPS
QUICK = {"analyzeduration": "100000", "fpsprobesize": "0"}


TCP, UDP = QUICK | {"rtsp_transport": "tcp"}, QUICK | {"rtsp_transport": "udp"}


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
    """Pictures of some thirty packets each, which take any bit for noise."""
    path = tmp_path_factory.mktemp("clips") / "heavy.mp4"
    return write_clip(path, noise=True, options={"qp": "4"})


@pytest.fixture
def cam(clip: Path) -> Iterator[FakeCam]:
    with FakeCam([clip]) as cam:
        yield cam


def brightness(frame: av.VideoFrame) -> float:
    return float(frame.to_ndarray(format="yuv420p")[:120].mean())


@pytest.fixture(scope="module")
def camera(clip: Path) -> Iterator[FakeCam]:
    with FakeCam([clip]) as cam:
        yield cam
