"""What a USB camera sends: pictures that are looked at, torn ones, and garbage."""

import os
import random
import threading
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from usb_cameras import Desk, jpeg, noise
from usb_reading import failure, read, usb

from streamer.camera import Camera
from streamer.errors import Cause
from streamer.frame import Frame, LazyPicture
from streamer.ring import Ring
from streamer.sources.usb import source
from streamer.sources.usb.jpeg import read_jpeg
from streamer.sources.usb.raw import JpegPicture, picture_of
from streamer.sources.usb.source import UsbSource

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_picture_nobody_looks_at_is_not_decoded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    decoded: list[int] = []
    monkeypatch.setattr("streamer.sources.usb.raw._decoded", lambda jpeg: decoded.append(1))
    got = read(usb(desk, [jpeg()] * 5))
    assert len(got) == 5
    assert all(captured.picture.size == (1280, 720) and not captured.damaged for captured in got)
    assert not decoded


def test_pictures_show_what_the_camera_sent(desk: Desk) -> None:
    desk.plug(0)
    (captured,) = read(usb(desk, [jpeg()]))
    assert isinstance(captured.picture, JpegPicture)
    luma = captured.picture.luma()
    pixels = captured.picture.bgr()
    assert luma is not None
    assert abs(luma.astype(int) - cv2.cvtColor(noise(), cv2.COLOR_BGR2GRAY)).mean() < 3
    assert abs(pixels.astype(int) - noise()).mean() < 4
    assert not pixels.flags.writeable
    assert captured.picture.decoded() is None, "the decoder's frame is let go"


@pytest.mark.parametrize("codec", ["YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12"])
def test_uncompressed_pictures_are_converted_when_looked_at(codec: str) -> None:
    size = 64, 48
    planes = {"NV12", "NV21", "YU12", "YV12"}
    grey = np.tile(np.linspace(20, 230, 64).astype(np.uint8), (48, 1))
    if codec in planes:
        raw = np.vstack([grey, np.full((24, 64), 128, np.uint8)])
    else:
        raw = np.full((48, 64, 2), 128, np.uint8)
        raw[..., 0 if codec == "YUYV" else 1] = grey
    seen = picture_of(raw, codec, size)
    assert seen is not None
    picture, damaged = seen
    assert not damaged
    assert isinstance(picture, LazyPicture)
    assert picture.size == size
    luma = picture.luma()
    assert luma is not None
    assert (luma == grey).all()
    assert not luma.flags.writeable
    pixels = picture.bgr()
    assert pixels.shape == (48, 64, 3)
    assert (np.diff(pixels[0, :, 0].astype(int)) >= 0).all()
    assert abs(pixels.astype(int).mean() - (grey.mean() - 16) * 255 / 219) < 3


@pytest.mark.parametrize(
    ("raw", "codec"),
    [
        (np.zeros((480, 640, 2), np.uint8), "YUYV"),  # not the size that was granted
        (np.zeros((48, 64, 3), np.uint16), "Y16"),
        (np.zeros((1, 0), np.uint8), "MJPG"),
        (np.frombuffer(os.urandom(999), np.uint8), "MJPG"),
        (np.frombuffer(b"\xff\xd8" + b"\xff" * 50, np.uint8), "MJPG"),
        (np.frombuffer(jpeg()[:300], np.uint8), "MJPG"),
    ],
)
def test_what_shows_nothing_is_no_picture(raw: Any, codec: str) -> None:
    assert picture_of(raw, codec, (64, 48)) is None


def test_a_header_that_claims_too_much_is_not_decoded() -> None:
    whole = bytearray(jpeg())
    place = whole.index(b"\xff\xc0") + 5
    whole[place : place + 4] = b"\xff\xff\xff\xff"
    assert picture_of(np.frombuffer(bytes(whole), np.uint8), "MJPG", (1280, 720)) is None


def test_torn_pictures_are_marked(desk: Desk) -> None:
    desk.plug(0)
    whole = jpeg()
    half = len(whole) // 2
    torn = [
        whole[:half],  # cut off
        whole[:half] + b"\xff\xd9",
        whole[:half] + whole[half + half // 4 :],  # something is missing: its restarts do not count on
        whole[:half] + whole,  # the next one begins in its middle
    ]
    got = read(usb(desk, [whole, *torn, whole + b"\0" * 500, whole]))
    damaged = [captured.damaged for captured in got]
    # A cut that ends with an end marker, right before a restart, cannot be told from a whole one.
    assert damaged[:2] == [False, True]
    assert damaged[3:] == [True, True, False, False]
    assert all(captured.picture.bgr().shape == (720, 1280, 3) for captured in got)


def test_no_bytes_do_harm() -> None:
    numbers = random.Random(5)
    whole = jpeg((96, 64), restart=2)
    seen = 0
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(numbers.randint(1, 4)):
            at = numbers.randrange(min(len(data), 800) if numbers.random() < 0.5 else len(data))
            match numbers.randrange(4):
                case 0:
                    data[at] = numbers.choice((0, 1, 0xC2, 0xD0, 0xFF, numbers.randrange(256)))
                case 1:
                    del data[at + 1 : at + numbers.randrange(200)]
                case 2:
                    data[at:at] = numbers.randbytes(numbers.randrange(40))
                case _:
                    del data[at + 1 :]
        found = picture_of(np.frombuffer(bytes(data), np.uint8), "MJPG", (96, 64))
        if found is not None:
            try:
                assert found[0].bgr().shape[1::-1] == found[0].size
                seen += 1
            except (av.FFmpegError, ValueError):
                assert not found[1], "what is known to be damaged can be seen"
    assert seen > 50


def test_a_torn_picture_in_which_nothing_can_be_seen_is_none() -> None:
    torn = bytearray(jpeg()[:20_000])
    tables = torn.index(b"\xff\xc4") + 5
    torn[tables : tables + 16] = b"\xff" * 16  # more codes than there can be
    assert picture_of(np.frombuffer(bytes(torn), np.uint8), "MJPG", (1280, 720)) is None


def test_what_is_whole_is_known_without_decoding() -> None:
    whole = jpeg()
    read_whole = read_jpeg(whole + os.urandom(100))
    assert (read_whole.size, read_whole.whole, read_whole.data) == ((1280, 720), True, whole)


def test_garbage_is_left_out_and_counted(desk: Desk) -> None:
    desk.plug(0)
    one = usb(desk, [os.urandom(500), jpeg(), b"", os.urandom(9), jpeg()])
    assert len(read(one)) == 2
    assert one.damaged == 3


def test_nothing_but_garbage_is_an_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    monkeypatch.setattr(source, "SILENT_NS", 20_000_000)
    error = failure(usb(desk, [os.urandom(500)] * 2000))
    assert error.cause is Cause.SILENCE
    assert "pictures came, and none could be read for" in str(error)


def test_another_size_in_mid_stream_is_another_epoch(desk: Desk) -> None:
    desk.plug(0)
    one = usb(desk, [jpeg(), jpeg(), jpeg((640, 480)), jpeg((640, 480))])
    frames = run(one, 4)
    assert [(frame.epoch, frame.size) for frame in frames] == [
        (0, (1280, 720)),
        (0, (1280, 720)),
        (1, (640, 480)),
        (1, (640, 480)),
    ]


def run(one: UsbSource, count: int) -> list[Frame]:
    """Frames of a camera's loop round it."""
    ring: Ring[Frame] = Ring()
    camera = Camera("desk", one, seed=1)
    writer = ring.writer(depth=100, live=True)
    loop = threading.Thread(target=camera.run, args=(writer, lambda camera: None))
    loop.start()
    frames: list[Frame] = []
    try:
        while len(frames) < count:
            taken = ring.take(10)
            assert taken is not None
            frames.append(taken.item)
            taken.done()
    finally:
        camera.stop()
        loop.join(5)
    return frames
