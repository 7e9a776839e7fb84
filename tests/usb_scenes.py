"""Scenes with the real OpenCV and cameras in user space; for a process with usb_driver.c preloaded.

`python usb_scenes.py SCENE FOLDER`: what it prints is for the test, what it asserts is one.
"""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from boxes import until
from usb_cameras import PLAIN, Desk, jpeg, noise

from streamer.camera import Camera
from streamer.clock import MonotonicClock
from streamer.contracts import Captured, Source
from streamer.errors import Cause, SourceError
from streamer.frame import Frame
from streamer.isolation import Isolated, process
from streamer.ring import Ring
from streamer.sources import SourceOptions, parse_address
from streamer.sources.usb import cameras, driver, source
from streamer.sources.usb.cameras import Tree
from streamer.sources.usb.capture import OPENCV, OpenCv
from streamer.sources.usb.source import UsbSource
from streamer.sources.usb.v4l2 import V4l2
from streamer.status import State

AS_IT_IS = SourceOptions()


def tree(desk: Desk) -> Tree:
    """As the system tells of it; its drivers are asked themselves."""
    return Tree(desk.dev, desk.root / "sys")


def usb(desk: Desk, address: str = "usb:0", options: SourceOptions = AS_IT_IS) -> UsbSource:
    return UsbSource(parse_address(address), options, MonotonicClock(), V4l2(tree(desk)))


def show(desk: Desk, number: int, picture: bytes, codec: str = "MJPG") -> None:
    """What a camera sees from now on."""
    written = desk.root / "seen"
    written.write_bytes(picture)
    written.rename(desk.dev / f"video{number}.{codec}")


def take(one: Source, count: int) -> list[Captured]:
    got: list[Captured] = []
    for captured in one:
        got.append(captured)
        if len(got) == count:
            break
    return got


# ---- the scenes


def conversation(desk: Desk, opencv: OpenCv = OPENCV) -> list[Any]:
    """What OpenCV says to the same questions; the stand-in has to say the same."""
    said: list[Any] = []
    missing = opencv.open(str(desk.dev / "video9"), cv2.CAP_V4L2)
    said.append(missing.isOpened())
    said.append(opencv.open(str(desk.dev / "video0.MJPG"), cv2.CAP_V4L2).isOpened())
    camera = opencv.open(str(desk.dev / "video0"), cv2.CAP_V4L2)
    said.append(camera.isOpened())

    def granted() -> None:
        asked = (
            cv2.CAP_PROP_FOURCC,
            cv2.CAP_PROP_FRAME_WIDTH,
            cv2.CAP_PROP_FRAME_HEIGHT,
            cv2.CAP_PROP_FPS,
            cv2.CAP_PROP_BUFFERSIZE,
            cv2.CAP_PROP_CONVERT_RGB,
        )
        said.append([camera.get(what) for what in asked])

    granted()
    for what, value in (
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
        (cv2.CAP_PROP_FOURCC, 0x47504A4D),  # at the rate that the other was granted: the trap
        (cv2.CAP_PROP_FPS, 30),
        (cv2.CAP_PROP_BUFFERSIZE, 3),
        (cv2.CAP_PROP_CONVERT_RGB, 0),
        (cv2.CAP_PROP_FRAME_WIDTH, 600),
        (cv2.CAP_PROP_FRAME_HEIGHT, 400),
        (cv2.CAP_PROP_FRAME_WIDTH, 1280),
        (cv2.CAP_PROP_FRAME_HEIGHT, 720),
    ):
        said.append(camera.set(what, value))
        granted()
    said.append(camera.grab())
    for _ in range(2):
        there, pixels = camera.retrieve()
        said.append(
            [there, None if pixels is None else list(pixels.shape), str(getattr(pixels, "dtype", ""))]
        )
        polled, ready = opencv.wait([camera], 2_000_000_000)
        said.append([polled, list(map(int, ready))])
        before = camera.get(cv2.CAP_PROP_POS_MSEC)
        polled, ready = opencv.wait([camera], 2_000_000_000)  # without retrieve: the same picture again
        said.append([polled, camera.get(cv2.CAP_PROP_POS_MSEC) == before])
    age_ms = time.monotonic() * 1e3 - camera.get(cv2.CAP_PROP_POS_MSEC)
    said.append(0 <= age_ms < 1000)
    there, kept = camera.retrieve()
    copy = kept.copy()
    desk.unplug(0)
    lost = False
    for _ in range(10):  # pictures that lay there
        try:
            opencv.wait([camera], 500_000_000)
            camera.retrieve()
        except cv2.error:
            lost = True
            break
    said.append([lost, camera.grab(), camera.isOpened(), bool((copy == kept).all())])
    camera.release()
    said.append(camera.isOpened())
    return said


def opencv(desk: Desk) -> None:
    desk.plug(0)
    show(desk, 0, jpeg())
    print(json.dumps(conversation(desk)))


def fresh(desk: Desk) -> None:
    """What is granted is said; pictures are new, also after a hold-up, and show what the camera sees."""
    desk.plug(0, "HD Webcam")
    show(desk, 0, jpeg())
    started_ns = time.monotonic_ns()
    with usb(desk) as one:
        ages_ms, skipped = [], []
        for number, captured in enumerate(one):
            now_ns = time.monotonic_ns()
            assert started_ns < captured.captured_ns <= now_ns
            ages_ms.append((now_ns - captured.captured_ns) / 1e6)
            skipped.append(captured.skipped)
            if number in (4, 8):
                time.sleep(0.4)
            if number == 12:
                break
    assert captured.picture.size == (1280, 720)
    assert abs(captured.picture.bgr().astype(int) - noise()).mean() < 4
    print(json.dumps({"ages_ms": ages_ms, "skipped": skipped}))


def plain(desk: Desk) -> None:
    """One that has no MJPG, at a size at which it is slow."""
    desk.plug(0, "Old webcam", PLAIN)
    yuv = cv2.cvtColor(noise(), cv2.COLOR_BGR2YUV_YUYV) if hasattr(cv2, "COLOR_BGR2YUV_YUYV") else None
    seen = np.full((720, 1280, 2), 90, np.uint8) if yuv is None else np.asarray(yuv, np.uint8)
    show(desk, 0, seen.tobytes(), "YUYV")
    with usb(desk, options=SourceOptions(size=(1280, 720))) as one:
        (captured,) = take(one, 1)
    assert captured.picture.size == (1280, 720)
    assert captured.picture.bgr().shape == (720, 1280, 3)
    if yuv is not None:
        assert abs(captured.picture.bgr().astype(int) - noise()).mean() < 4
    show(desk, 0, np.full((480, 640, 2), 90, np.uint8).tobytes(), "YUYV")
    with usb(desk) as one:
        (captured,) = take(one, 1)
    assert captured.picture.size == (640, 480)


def unplugged(desk: Desk) -> None:
    """A camera's loop: unplugged, another camera takes its number, and it comes back under a third."""
    desk.plug(0, "Mine", serial="A1")
    show(desk, 0, jpeg(seed=1))
    ring: Ring[Frame] = Ring()
    camera = Camera("desk", usb(desk), seed=1)
    states: list[tuple[State, str]] = []
    loop = threading.Thread(
        target=camera.run,
        args=(ring.writer(depth=1, live=True), lambda one: states.append((one.status.state, one.status.why))),
    )
    loop.start()

    def seen() -> Frame:
        ring.take(0.0)  # an old one
        taken = ring.take(5)
        assert taken is not None
        taken.done()
        return taken.item

    try:
        assert abs(seen().picture.bgr().astype(int) - noise(seed=1)).mean() < 4
        desk.unplug(0)
        until(lambda: camera.status.state is State.RETRYING, 5)
        desk.plug(0, "Another", port="1-7", serial="B2")
        show(desk, 0, jpeg(seed=2))
        until(lambda: "another camera now (Another)" in camera.status.why, 5)
        captured = camera.captured
        show(desk, 4, jpeg(seed=3))
        desk.plug(4, "Mine", port="1-9", serial="A1")
        back_s = time.monotonic()
        until(lambda: camera.captured > captured, 5)
        back_s = time.monotonic() - back_s
        assert abs(seen().picture.bgr().astype(int) - noise(seed=3)).mean() < 4
        assert camera.status.state is State.LIVE
    finally:
        camera.stop()
        loop.join(5)
    assert camera.given_up == 0
    print(json.dumps({"back_s": back_s, "reconnects": camera.reconnects, "states": states}))


def held(desk: Desk) -> None:
    """Another program streams from it; and then it is free again."""
    node = desk.plug(0)
    show(desk, 0, jpeg())
    show(desk, 0, jpeg(), "YUYV")
    code = (
        "import cv2, sys; camera = cv2.VideoCapture(sys.argv[1], cv2.CAP_V4L2);"
        "print(camera.grab(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(node)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "True\n"
        try:
            error = failure(usb(desk))
            name = Path(f"/proc/{other.pid}/comm").read_text().strip()
        finally:
            other.communicate()
    assert error.cause is Cause.DEVICE
    assert f"held by another program, or by another camera of this one: {name} (pid {other.pid})" in str(
        error
    )
    with usb(desk) as one:
        take(one, 1)
        assert driver.held(node), "by us"
    assert not driver.held(node), "all is given back"


def failure(one: Source, count: int = 1000) -> SourceError:
    with pytest.raises(SourceError) as caught, one:
        take(one, count)
    return caught.value


def others(desk: Desk) -> None:
    """What is no camera, and what sends nothing."""
    desk.plug(0, "First")
    desk.plug(1, "First", index=1, modes=())
    assert [(camera.number, camera.name) for camera in cameras(tree(desk))] == [(0, "First")]
    assert driver.capability(desk.dev / "video1").captures is False
    for path in (Path("/dev/null"), desk.root / "sys"):
        with pytest.raises(OSError, match=r"ioctl|directory"):
            driver.capability(path)
    assert "gives no pictures: it carries data beside them" in str(failure(usb(desk, "usb:1")))
    show(desk, 0, jpeg())
    source.SILENT_NS = 300_000_000
    threading.Timer(0.3, (desk.dev / "video0.silent").touch).start()
    error = failure(usb(desk))
    assert error.cause is Cause.SILENCE
    assert "no picture came for" in str(error)


def isolated(desk: Desk) -> None:
    """The same in a process of its own, which finds its cameras where this one does."""
    desk.plug(0, "Mine", serial="A1")
    show(desk, 0, jpeg())
    process._KEPT += ("LD_PRELOAD", "USB_CAMERAS")
    process._START = process._START.replace(
        "import sys; sys.path += sys.argv[2:];",
        "import sys; sys.path += sys.argv[2:]; import usb_scenes; usb_scenes.settle();",
    )
    one = Isolated(parse_address("usb:0"), SourceOptions(fps=15))
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("freshframe").addHandler(handler)
    with one:
        got = take(one, 3)
        assert abs(got[-1].picture.bgr().astype(int) - noise()).mean() < 4
        assert time.monotonic_ns() - got[-1].captured_ns < 1_000_000_000
        desk.unplug(0)
        with pytest.raises(SourceError) as caught:
            take(one, 1000)
        assert caught.value.cause is Cause.DEVICE, caught.value
    assert any("1280x720 MJPG 15 fps" in line for line in lines), lines
    pid = one.pid
    show(desk, 3, jpeg(seed=2))
    desk.plug(3, "Mine", serial="A1")
    with one:
        got = take(one, 3)
        assert abs(got[-1].picture.bgr().astype(int) - noise(seed=2)).mean() < 4
        assert one.pid == pid, "the process knows which camera it is"
    one.stop()


def settle() -> None:
    """In the other process: its computer is the folder, too."""
    desk = Desk(Path(os.environ["USB_CAMERAS"]))
    source.this_system = lambda: V4l2(tree(desk))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    globals()[sys.argv[1]](Desk(Path(sys.argv[2])))
