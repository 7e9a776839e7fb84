"""USB cameras, against a stand-in for OpenCV. The real OpenCV is in test_usb_driver.py."""

import errno
import itertools
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from boxes import until
from pydantic import ValidationError
from usb_cameras import MJPG, PLAIN, Desk, Mode, StandIn, hang, jpeg, noise

from streamer.camera import Camera
from streamer.clock import MonotonicClock
from streamer.config.schema import CameraConfig
from streamer.contracts import Captured
from streamer.errors import Cause, ConfigError, SourceError
from streamer.frame import Frame, LazyPicture
from streamer.ring import Ring
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.usb import cameras, driver, source
from streamer.sources.usb.capture import Capture, OpenCv
from streamer.sources.usb.driver import Capability
from streamer.sources.usb.elsewhere import ByNumber
from streamer.sources.usb.jpeg import read_jpeg
from streamer.sources.usb.raw import JpegPicture, picture_of
from streamer.sources.usb.source import UsbSource
from streamer.sources.usb.v4l2 import V4l2

AS_IT_IS = SourceOptions()
pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def usb(
    desk: Desk,
    script: list[Any],
    options: SourceOptions = AS_IT_IS,
    *,
    address: str = "usb:0",
    held: Callable[[Path], bool] = lambda path: False,
    queued: bool = False,
) -> UsbSource:
    """The source of a script."""
    opencv = StandIn(script, queued=queued).opencv
    return UsbSource(parse_address(address), options, MonotonicClock(), V4l2(desk.tree, opencv, held))


def read(one: UsbSource, most: int = 100) -> list[Captured]:
    """What comes until it is unplugged."""
    got: list[Captured] = []
    with one:
        try:
            for captured in one:
                got.append(captured)
                if len(got) == most:
                    break
        except SourceError:
            pass
    return got


def failure(one: UsbSource) -> SourceError:
    """Why it cannot be read."""
    with pytest.raises(SourceError) as caught, one:
        for _ in one:
            pass
    assert caught.value.cause in Cause
    return caught.value


def absent(one: UsbSource) -> str:
    """It is looked for, and not found."""
    error = failure(one)
    assert error.cause is Cause.DEVICE
    assert " is unplugged" in str(error)
    return str(error)


# ---- what is asked, granted and said


@pytest.mark.parametrize(
    ("modes", "options", "level", "said"),
    [
        (MJPG, AS_IT_IS, logging.INFO, "1280x720 MJPG 30 fps"),
        (MJPG, SourceOptions(size=(640, 480), fps=15), logging.INFO, "640x480 MJPG 15 fps"),
        (PLAIN, AS_IT_IS, logging.INFO, "640x480 YUYV 30 fps"),
        (
            PLAIN,
            SourceOptions(size=(1280, 720), fps=30),
            logging.WARNING,
            "asked for 1280x720 MJPG 30 fps, granted 1280x720 YUYV 5 fps: it sends uncompressed pictures, of "
            "which USB 2 carries few at this size; ask for a smaller one (size: 640x480), or plug it into a "
            "USB 3 port; ",
        ),
        (
            (("MJPG", 640, 480, 30),),
            SourceOptions(size=(1920, 1080)),
            logging.WARNING,
            "asked for 1920x1080 MJPG 30 fps, granted 640x480 MJPG 30 fps: it has no such size; ",
        ),
        (
            (("MJPG", 640, 480, 5),),
            AS_IT_IS,
            logging.WARNING,
            "asked for 1280x720 MJPG 30 fps, granted 640x480 MJPG 5 fps: it has no higher rate at this size; "
            "ask for another size, or for this rate; ",
        ),
    ],
)
def test_it_is_said_what_was_granted_and_what_to_do(
    desk: Desk,
    caplog: pytest.LogCaptureFixture,
    modes: tuple[Mode, ...],
    options: SourceOptions,
    level: int,
    said: str,
) -> None:
    node = desk.plug(0, "HD Webcam", modes)
    caplog.set_level(logging.INFO, "freshframe")
    one = usb(desk, [], options)
    for _ in range(2):  # once, however often it is opened
        with one:
            pass
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage().startswith(f"usb:0 (HD Webcam, {node}): {said}")
    if level == logging.WARNING:
        assert record.getMessage().endswith(
            f"`v4l2-ctl --device {node} --list-formats-ext` lists what it has"
        )


def test_the_rate_is_asked_for_last(desk: Desk) -> None:
    """What YUYV was granted at 1280x720 (5) must not be what MJPG is asked for."""
    desk.plug(0, modes=(("YUYV", 1280, 720, 5), ("MJPG", 1280, 720, 30)))
    stand_in = StandIn([])
    with UsbSource(
        parse_address("usb:0"),
        AS_IT_IS,
        MonotonicClock(),
        V4l2(desk.tree, stand_in.opencv, lambda path: False),
    ):
        (camera,) = stand_in.opened
        assert camera.get(cv2.CAP_PROP_FPS) == 30
        assert camera.get(cv2.CAP_PROP_BUFFERSIZE) == 3
        assert camera.get(cv2.CAP_PROP_CONVERT_RGB) == 0
    assert camera.released


def test_far_fewer_pictures_than_granted_are_a_warning(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.plug(0, "HD Webcam")
    stand_in = StandIn([jpeg()] * 100)
    one = UsbSource(
        parse_address("usb:0"),
        AS_IT_IS,
        MonotonicClock(),
        V4l2(desk.tree, stand_in.opencv, lambda path: False),
    )
    with one:
        told_ns = time.monotonic_ns()

        def slow(capture: Capture) -> int:
            nonlocal told_ns
            told_ns += 80_000_000  # 12.5 a second
            return told_ns

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Capture, "taken_ns", slow)
            patch.setattr(source, "_sane", lambda said_ns, after_ns, now_ns: said_ns)
            for _ in zip(range(99), one, strict=False):
                pass
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1, "once"
    assert "30 fps were granted, 12.5 come: in dim light cameras expose longer" in warned[0]


# ---- pictures


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


# ---- times


def test_captured_is_when_the_driver_took_it(desk: Desk) -> None:
    desk.plug(0)
    started_ns = time.monotonic_ns()
    got = read(usb(desk, [jpeg()] * 5))
    now_ns = time.monotonic_ns()
    times = [captured.captured_ns for captured in got]
    assert times == sorted(set(times))
    assert started_ns < times[0]
    assert times[-1] < now_ns
    assert all(captured.pts_ns is None for captured in got)


@pytest.mark.parametrize("said_ms", [0.0, -1.0, float("nan"), float("inf"), 1e3, 1.7e12])
def test_a_drivers_nonsense_is_not_believed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, said_ms: float
) -> None:
    desk.plug(0)
    one = usb(desk, [jpeg()] * 3)
    started_ns = time.monotonic_ns()
    inner = StandIn.open

    def lying(self: StandIn, device: str, backend: int) -> Any:
        camera = inner(self, device, backend)
        honest = camera.get
        camera.get = lambda what: said_ms if what == cv2.CAP_PROP_POS_MSEC else honest(what)  # type: ignore[method-assign]
        return camera

    monkeypatch.setattr(StandIn, "open", lying)
    one = usb(desk, [jpeg()] * 3)
    times = [captured.captured_ns for captured in read(one)]
    assert len(times) == 3
    assert all(started_ns < at_ns <= time.monotonic_ns() for at_ns in times)


def test_what_has_waited_in_the_queue_is_skipped(desk: Desk) -> None:
    desk.plug(0)
    stand_in = StandIn([jpeg()] * 2)
    one = UsbSource(
        parse_address("usb:0"),
        AS_IT_IS,
        MonotonicClock(),
        V4l2(desk.tree, stand_in.opencv, lambda path: False),
    )

    def up_to_date() -> None:
        stand_in.queued, stand_in.age_s = False, 0.001

    stand_in.script += [jpeg(), jpeg(), jpeg(), up_to_date, jpeg(), jpeg()]
    skipped = []
    with one:
        for captured in itertools.islice(one, 4):
            skipped.append(captured.skipped)
            if len(skipped) == 2:
                time.sleep(0.15)  # whoever looks at it was held up: what lies there is from meanwhile
                stand_in.queued, stand_in.age_s = True, 0.1
    assert skipped == [0, 0, 3, 0]


def test_whoever_takes_long_to_look_is_not_the_cameras_silence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.plug(0)
    monkeypatch.setattr(source, "SILENT_NS", 10_000_000)
    one = usb(desk, [jpeg(), None, jpeg(), None, jpeg()])
    with one:
        for _ in itertools.islice(one, 3):
            time.sleep(0.15)


# ---- which camera


def test_a_camera_is_found_again_under_another_number(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.plug(0, "Mine", serial="A1")
    one = usb(desk, [jpeg()])
    caplog.set_level(logging.INFO, "freshframe")
    assert len(read(one)) == 1
    desk.unplug(0)
    error = failure(one)
    assert error.cause is Cause.DEVICE
    assert str(error) == "usb:0: Mine is unplugged; it is looked for under every number"
    desk.plug(0, "Another", port="1-3", serial="B2")
    error = failure(one)
    assert error.cause is Cause.DEVICE
    assert str(error) == (
        "usb:0: Mine is unplugged; it is looked for under every number. video0 is another camera now "
        "(Another), and is not taken for it"
    )
    desk.plug(3, "Mine", port="2-1", serial="A1")
    with one.renew() as again:
        assert caplog.messages[-1].startswith(f"usb:0 (Mine, {desk.dev}/video3): ")
        assert again.renew().live


def test_a_camera_without_a_serial_number_is_known_by_its_port(desk: Desk) -> None:
    desk.plug(0, port="1-1")
    desk.plug(2, port="1-2")
    one = usb(desk, [jpeg()])
    read(one)
    desk.unplug(0)
    absent(one)  # its twin is not taken for it
    desk.plug(4, port="1-5")
    absent(one)  # nor is one that may be anybody
    desk.plug(5, port="1-1")
    with one:
        pass


def test_the_only_one_of_its_kind_is_known_at_any_port(desk: Desk) -> None:
    desk.plug(0, port="1-1")
    desk.plug(1, port="1-1x", product="0001")
    one = usb(desk, [jpeg()])
    read(one)
    desk.unplug(0)
    desk.plug(0, port="1-7", index=1, modes=())  # its metadata
    absent(one)
    desk.plug(6, port="1-8")
    with one:
        pass


def test_a_serial_number_that_many_have_tells_nothing(desk: Desk) -> None:
    desk.plug(0, port="1-1", serial="200901010001")
    desk.plug(2, port="1-2", serial="200901010001")
    one = usb(desk, [jpeg()])
    read(one)
    desk.unplug(0)
    absent(one)


def test_a_link_leads_to_whatever_it_leads_to(desk: Desk) -> None:
    desk.plug(0, "Mine")
    desk.link("usb-Mine-video-index0", 0)
    one = usb(desk, [jpeg()], address="/dev/v4l/by-id/usb-Mine-video-index0")
    read(one)
    desk.unplug(0)
    error = failure(one)
    assert (error.cause, str(error)) == (
        Cause.DEVICE,
        "/dev/v4l/by-id/usb-Mine-video-index0: Mine is unplugged",
    )
    (desk.dev / "v4l/by-id/usb-Mine-video-index0").unlink()
    desk.plug(1, "Mine")
    desk.link("usb-Mine-video-index0", 1)
    with one:
        pass


def test_a_link_that_leads_to_its_twin_is_not_believed(desk: Desk) -> None:
    """Cameras without a serial number share a link, and udev leads it to one that is there."""
    desk.plug(0, port="1-1")
    desk.plug(2, port="1-2")
    desk.link("usb-Twin-video-index0", 0)
    desk.link("pci-usb-0:1:1.0-video-index0", 0, "by-path")
    by_id = usb(desk, [jpeg()], address="/dev/v4l/by-id/usb-Twin-video-index0")
    by_path = usb(desk, [jpeg()], address="/dev/v4l/by-path/pci-usb-0:1:1.0-video-index0")
    read(by_id)
    read(by_path)
    desk.unplug(0)
    (desk.dev / "v4l/by-id/usb-Twin-video-index0").unlink()
    desk.link("usb-Twin-video-index0", 2)
    error = failure(by_id)
    assert error.cause is Cause.DEVICE
    assert "usb-Twin-video-index0 is another camera now (A webcam), and is not taken for it" in str(error)
    desk.plug(3, "Another", port="1-1", product="0001")
    (desk.dev / "v4l/by-path/pci-usb-0:1:1.0-video-index0").unlink()
    desk.link("pci-usb-0:1:1.0-video-index0", 3, "by-path")
    with by_path:  # whoever names a port means what is plugged in there
        pass


def test_a_twin_that_came_while_it_was_there_is_not_taken_for_it(desk: Desk) -> None:
    desk.plug(0, port="1-1")
    one = usb(desk, [jpeg(), lambda: desk.plug(2, port="1-2"), jpeg(), lambda: desk.unplug(0)])
    read(one)
    absent(one)


def test_where_the_system_tells_nothing_a_number_is_a_number(desk: Desk) -> None:
    """As in a container that was given /dev/video0 and no /sys."""
    desk.plug(0)
    (desk.root / "sys").rename(desk.root / "gone")
    one = usb(desk, [jpeg()])
    read(one)
    with one:
        pass


def test_exchanged_while_it_was_opened(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0, "Mine", serial="A1")
    inner = StandIn.open

    def exchanged(self: StandIn, device: str, backend: int) -> Any:
        camera = inner(self, device, backend)
        desk.unplug(0)
        desk.plug(0, "Another", serial="B2")
        return camera

    monkeypatch.setattr(StandIn, "open", exchanged)
    stand_in = StandIn([jpeg()] * 3)
    one = UsbSource(
        parse_address("usb:0"),
        AS_IT_IS,
        MonotonicClock(),
        V4l2(desk.tree, stand_in.opencv, lambda path: False),
    )
    absent(one)
    assert stand_in.opened[0].released, "what was opened is given back"
    assert len(stand_in.script) == 3, "none of its pictures was taken"


def test_cameras_are_listed_without_what_gives_no_pictures(desk: Desk) -> None:
    assert cameras(desk.tree) == []
    desk.plug(10, "Second", port="1-2")
    desk.plug(0, "First", port="1-1", serial="A1")
    desk.plug(1, "First", port="1-1", index=1, modes=())
    desk.link("usb-First_A1-video-index0", 0)
    desk.link("pci-0000:00:14.0-usb-0:1:1.0-video-index0", 0, "by-path")
    first, second = cameras(desk.tree)
    assert (first.number, first.name, second.number, second.name) == (0, "First", 10, "Second")
    assert first.links == (
        "/dev/v4l/by-id/usb-First_A1-video-index0",
        "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
    )
    assert first.identity is not None
    assert (first.identity.serial, first.identity.port) == ("A1", "1-1")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EBUSY])
def test_a_camera_that_cannot_be_asked_is_listed_by_its_first_node(desk: Desk, number: int) -> None:
    desk.plug(0, "First", port="1-1")
    desk.plug(1, "First", port="1-1", index=1)

    def refuse(path: Path) -> Capability:
        raise OSError(number, os.strerror(number))

    assert [camera.number for camera in cameras(replace(desk.tree, capability=refuse))] == [0]


# ---- why not


def test_one_that_is_not_there_names_those_that_are(desk: Desk) -> None:
    error = failure(usb(desk, [], address="usb:7"))
    assert error.cause is Cause.NOT_FOUND
    assert str(error) == (
        "usb:7: is not there; no camera is there: is it plugged in? (a container sees one with --device "
        "/dev/video0)"
    )
    desk.plug(0, "First", port="1-1")
    desk.plug(2, "Second\x1b[31m", port="1-2")
    desk.link("usb-First-video-index0", 0)
    error = failure(usb(desk, [], address="/dev/video7"))
    assert str(error) == (
        "/dev/video7: is not there; there are: usb:0 First (/dev/v4l/by-id/usb-First-video-index0), "
        "usb:2 Second [31m"
    )


def test_one_that_carries_metadata_is_no_camera(desk: Desk) -> None:
    desk.plug(0, "First")
    desk.plug(1, "First", index=1, modes=())
    error = failure(usb(desk, [], address="usb:1"))
    assert error.cause is Cause.NOT_FOUND
    assert str(error) == (
        "usb:1: gives no pictures: it carries data beside them, or is an output; there are: usb:0 First"
    )


def test_one_that_another_program_holds_is_named_with_it(desk: Desk) -> None:
    node = desk.plug(0)
    desk.plug(1, port="1-9")
    for number, name in ((123, "zoom"), (os.getpid(), "us"), (77, "pipewire")):
        process = desk.root / f"proc/{number}"
        (process / "fd").mkdir(parents=True)
        (process / "comm").write_text(f"{name}\n")
        (process / "fd/3").symlink_to(node if name != "pipewire" else desk.dev / "video1")
    (desk.root / "proc/self").mkdir()
    error = failure(usb(desk, [], held=lambda path: True))
    assert error.cause is Cause.DEVICE
    assert str(error) == (
        f"usb:0: {node} is held by another program, or by another camera of this one: zoom (pid 123)"
    )
    (desk.root / "proc/123/fd/3").unlink()
    assert "`fuser -v" in str(failure(usb(desk, [], held=lambda path: True)))


def test_one_that_may_not_be_opened_says_what_to_do(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)

    def forbidden(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    error = failure(usb(desk, [], held=forbidden))
    assert error.cause is Cause.NOT_FOUND
    assert "may not be opened (permission denied): it belongs to the group" in str(error)
    assert "`sudo usermod -aG " in str(error)


def test_one_that_is_no_device_at_all(desk: Desk) -> None:
    desk.plug(0)
    system = V4l2(desk.tree, StandIn([]).opencv, driver.held)  # a file is asked what only a device answers
    error = failure(UsbSource(parse_address("usb:0"), AS_IT_IS, MonotonicClock(), system))
    assert error.cause is Cause.NOT_FOUND or error.cause is Cause.DEVICE
    with pytest.raises(OSError, match=r"ioctl|Inappropriate"):
        driver.capability(desk.dev / "video0")


def test_one_that_opencv_cannot_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    monkeypatch.setattr("usb_cameras.Opened.isOpened", lambda self: False)
    error = failure(usb(desk, []))
    assert error.cause is Cause.CODEC


def test_one_whose_driver_gives_nothing_though_it_is_there(desk: Desk) -> None:
    desk.plug(0)
    error = failure(usb(desk, []))
    assert error.cause is Cause.DEVICE
    assert "its driver gives no pictures: several cameras may be too much for one USB controller" in str(
        error
    )


def test_a_wait_that_ends_with_nothing_means_that_it_is_gone(desk: Desk) -> None:
    """As OpenCV says it where a device hangs up."""
    desk.plug(0)
    stand_in = StandIn([jpeg()] * 3)
    opencv = OpenCv(stand_in.open, lambda streams, timeout_ns: (True, np.zeros(0, np.int32)))
    capture = V4l2(desk.tree, opencv, lambda path: False)
    one = UsbSource(parse_address("usb:0"), AS_IT_IS, MonotonicClock(), capture)
    assert failure(one).cause is Cause.DEVICE
    assert len(stand_in.script) == 2


def test_silence_is_an_error_after_a_while(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    monkeypatch.setattr(source, "SILENT_NS", 10_000_000)
    error = failure(usb(desk, [jpeg(), *[None] * 2_000_000]))
    assert error.cause is Cause.SILENCE
    assert "no picture came for" in str(error)


# ---- stopping, hanging


def test_stop_ends_it_also_while_nothing_comes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0)
    waited = threading.Event()
    one = usb(desk, [jpeg(), jpeg(), waited.set, *[None] * 5_000_000])
    done = threading.Event()

    def reading() -> None:
        with one:
            for _ in one:
                pass
        done.set()

    thread = threading.Thread(target=reading)
    thread.start()
    assert waited.wait(10)
    one.stop()
    assert done.wait(2)
    thread.join()


def test_a_driver_that_hangs_costs_a_thread_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.plug(0, serial="A1")
    monkeypatch.setattr("streamer.camera.watching.STUCK_NS", 1_200_000_000)
    monkeypatch.setattr("streamer.camera.watching.STUCK_TIMES_SILENT", 1)
    monkeypatch.setattr("streamer.camera.watching.UNKNOWN_NS", 1_000_000_000)
    step, hanging, wake = hang()
    stand_in = StandIn([*[jpeg()] * 3, step, *[jpeg()] * 1000])
    one = UsbSource(
        parse_address("usb:0"),
        AS_IT_IS,
        MonotonicClock(),
        V4l2(desk.tree, stand_in.opencv, lambda path: False),
    )
    ring: Ring[Frame] = Ring()
    camera = Camera("desk", one, seed=1)
    loop = threading.Thread(target=camera.run, args=(ring.writer(depth=1, live=True), lambda camera: None))
    loop.start()
    try:
        assert hanging.wait(10)
        until(lambda: camera.given_up == 1 and camera.captured > 10, 15)
        assert camera.source is not one
        assert len(stand_in.opened) == 2
    finally:
        wake.set()
        camera.stop()
        loop.join(5)


# ---- elsewhere, and how it is asked for


def test_a_mac_opens_by_number() -> None:
    stand_in = StandIn([noise((640, 480))] * 3)
    # waitAny is for V4L2 only.
    opencv = OpenCv(stand_in.open, lambda streams, timeout_ns: pytest.fail("not there"))
    one = UsbSource(parse_address("usb:1"), AS_IT_IS, MonotonicClock(), ByNumber(opencv, platform="darwin"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("usb_cameras.Opened.get", lambda self, what: 0.0)  # says nothing
        got = read(one)
    assert len(got) == 3
    assert stand_in.opened[0].device == 1
    assert stand_in.opened[0].backend == cv2.CAP_AVFOUNDATION
    assert all((captured.picture.bgr() == noise((640, 480))).all() for captured in got)
    error = failure(one)
    assert (error.cause, str(error)) == (
        Cause.DEVICE,
        "usb:1: gives no more pictures: is it still plugged in?",
    )
    with pytest.raises(SourceError, match="is a path of Linux"):
        ByNumber(stand_in.opencv).find(parse_address("/dev/video0"), None)


def test_a_mac_that_does_not_let_it_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("usb_cameras.Opened.isOpened", lambda self: False)
    system = ByNumber(StandIn([]).opencv, platform="darwin")
    error = failure(UsbSource(parse_address("usb:0"), AS_IT_IS, MonotonicClock(), system))
    assert error.cause is Cause.NOT_FOUND
    assert "Privacy & Security, Camera" in str(error)


def test_an_address_opens_it_and_only_it_is_asked_for_a_size() -> None:
    one = open_source(parse_address("usb:0"), SourceOptions(size=(640, 480), fps=15))
    assert isinstance(one, UsbSource)
    assert (one.live, one.ends) == (True, False)
    with pytest.raises(ConfigError, match="'size' and 'fps' are asked of USB cameras"):
        open_source(parse_address("rtsp://h/x"), SourceOptions(fps=15))


def test_a_configuration_asks_for_size_and_rate() -> None:
    written = CameraConfig.model_validate({"source": "usb:0", "size": "1280x720", "fps": 30})
    assert (written.options.size, written.options.fps) == ((1280, 720), 30)
    left_out = CameraConfig.model_validate({"source": "/dev/video0"})
    assert (left_out.options.size, left_out.options.fps) == (None, None)


@pytest.mark.parametrize(
    "size", ["1280", "1280X720", "0x0", "x720", "1280x720x3", "99999x99999", "720p", "१२x७२०"]
)
def test_a_size_is_width_by_height(size: str) -> None:
    with pytest.raises(ValidationError, match="is no size; allowed: WIDTHxHEIGHT in pixels, as in 1280x720"):
        CameraConfig.model_validate({"source": "usb:0", "size": size})


def real_cameras() -> list[str]:
    """Those of this computer: none is no test, for no test run can have one installed."""
    return [str(camera.path) for camera in cameras()]


@pytest.mark.parametrize("path", real_cameras())
def test_a_real_camera(path: str) -> None:
    one = UsbSource(parse_address(path), AS_IT_IS, MonotonicClock())
    got = read(one, 10)
    assert len(got) == 10
    assert got[-1].picture.bgr().shape[:2] == got[-1].picture.size[::-1]
    assert time.monotonic_ns() - got[-1].captured_ns < 1_000_000_000
