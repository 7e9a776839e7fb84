"""USB cameras, against a stand-in for OpenCV. The real OpenCV is in test_usb_driver.py."""

import itertools
import logging
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
from boxes import until
from pydantic import ValidationError
from usb_cameras import MJPG, PLAIN, Desk, Mode, StandIn, hang, jpeg, noise
from usb_reading import AS_IT_IS, failure, read, usb

from streamer.camera import Camera
from streamer.clock import MonotonicClock
from streamer.config.schema import CameraConfig
from streamer.errors import Cause, ConfigError, SourceError
from streamer.frame import Frame
from streamer.ring import Ring
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.usb import cameras, source
from streamer.sources.usb.capture import Capture, OpenCv
from streamer.sources.usb.elsewhere import ByNumber
from streamer.sources.usb.source import UsbSource
from streamer.sources.usb.v4l2 import V4l2

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


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
