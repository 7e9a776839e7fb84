"""USB cameras that are files: a tree of devices as Linux shows them, and a stand-in for OpenCV.

`/dev/videoN` is a text file that says what the camera can do; usb_driver.c reads the same.
"""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from streamer.sources.usb.cameras import Tree
from streamer.sources.usb.capture import OpenCv
from streamer.sources.usb.driver import Capability

Mode = tuple[str, int, int, int]  # codec, width, height, fps
MJPG: tuple[Mode, ...] = (
    ("YUYV", 640, 480, 30),
    ("YUYV", 1280, 720, 5),
    ("MJPG", 640, 480, 30),
    ("MJPG", 1280, 720, 30),
)
PLAIN: tuple[Mode, ...] = MJPG[:2]


@dataclass(frozen=True)
class Desk:
    """A computer with its /dev, /sys and /proc in a folder."""

    root: Path

    @property
    def dev(self) -> Path:
        return self.root / "dev"

    @property
    def tree(self) -> Tree:
        """As its drivers would tell it; a camera without modes carries metadata."""
        return Tree(self.dev, self.root / "sys", self.root / "proc", self.capability)

    def capability(self, path: Path) -> Capability:
        lines = path.read_text().splitlines()
        name = next(line[5:] for line in lines if line.startswith("name "))
        return Capability(any(line.startswith("capture ") for line in lines), name)

    def plug(
        self,
        number: int,
        name: str = "A webcam",
        modes: Sequence[Mode] = MJPG,
        *,
        port: str = "1-2",
        serial: str = "",
        product: str = "0825",
        index: int = 0,
    ) -> Path:
        """A camera appears; a second node of the same one has another index."""
        device = self.root / "sys/devices/usb1" / port
        interface = device / f"{port}:1.0"
        interface.mkdir(parents=True, exist_ok=True)
        (device / "idVendor").write_text("046d\n")
        (device / "idProduct").write_text(f"{product}\n")
        (interface / "bInterfaceNumber").write_text("00\n")
        if serial:
            (device / "serial").write_text(f"{serial}\n")
        told = self.root / f"sys/class/video4linux/video{number}"
        told.mkdir(parents=True)
        (told / "name").write_text(f"{name}\n")
        (told / "index").write_text(f"{index}\n")
        (told / "device").symlink_to(interface)
        node = self.dev / f"video{number}"
        self.dev.mkdir(exist_ok=True)
        written = self.root / "writing"
        written.write_text(
            "".join([f"name {name}\n", *(f"capture {c} {w} {h} {f}\n" for c, w, h, f in modes)])
        )
        written.rename(node)  # there all at once
        return node

    def unplug(self, number: int) -> None:
        """It is gone, with everything that told of it."""
        (self.dev / f"video{number}").unlink()
        told = self.root / f"sys/class/video4linux/video{number}"
        device = (told / "device").resolve().parent
        shutil.rmtree(told)
        shutil.rmtree(device)

    def link(self, name: str, number: int, folder: str = "by-id") -> None:
        """A name under which udev keeps it."""
        (self.dev / "v4l" / folder).mkdir(parents=True, exist_ok=True)
        (self.dev / "v4l" / folder / name).symlink_to(f"../../video{number}")


def noise(size: tuple[int, int] = (1280, 720), seed: int = 1) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture of soft colours, (H, W, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 255, (size[1] // 40, size[0] // 40, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def jpeg(size: tuple[int, int] = (1280, 720), seed: int = 1, restart: int = 20) -> bytes:
    """The same as a camera would send it, with restart markers."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
    encoded: bytes = cv2.imencode(".jpg", noise(size, seed), quality)[1].tobytes()
    return encoded


@dataclass
class StandIn:
    """OpenCV with cameras that follow a script: each entry is what the next picture is.

    bytes: an MJPG; an array: what `retrieve` gives; None: nothing within the time; a function is called.
    After the script the camera is unplugged.
    """

    script: list[Any]
    queued: bool = False  # pictures lie there already
    age_s: float = 0.001
    opened: list["Opened"] = field(default_factory=list)

    @property
    def opencv(self) -> OpenCv:
        return OpenCv(self.open, self.wait)

    def open(self, device: str | int, backend: int) -> "Opened":
        self.opened.append(Opened(self, device, backend))
        return self.opened[-1]

    def wait(self, streams: Sequence["Opened"], timeout_ns: int) -> tuple[bool, Any]:
        """cv2.VideoCapture.waitAny of one."""
        (camera,) = streams
        if camera.first:
            camera.pending = camera.grab()
        elif not camera.pending:
            if self.upcoming() is None:
                self.script.pop(0)
                return False, ()
            camera.pending = camera.grab()
        if not camera.pending:
            raise cv2.error("Assertion failed: ptr->havePendingFrame")
        return True, np.array([0], np.int32)

    def upcoming(self) -> Any:
        """The next picture, after what is to happen before it; False where it is unplugged."""
        while self.script and callable(self.script[0]):
            self.script.pop(0)()
        return self.script[0] if self.script else False


class Opened:
    """cv2.VideoCapture of a V4L2 device, as far as it is used."""

    def __init__(self, desk: StandIn, device: str | int, backend: int) -> None:
        self.device, self.backend = device, backend
        self.first, self.pending, self.released = True, False, False
        self._desk = desk
        self._modes: list[Mode] = []
        self._picture: Any = None
        self._asked = [640, 480]
        self._told: dict[int, float] = {cv2.CAP_PROP_BUFFERSIZE: 4, cv2.CAP_PROP_CONVERT_RGB: 1}
        self._taken_ms = 0.0
        path = Path(str(device))
        if isinstance(device, int):
            self._modes = [("MJPG", 640, 480, 30)]
        elif path.is_file() and path.name[5:].isdigit():
            lines = [line.split() for line in path.read_text().splitlines()]
            self._modes = [(w[1], int(w[2]), int(w[3]), int(w[4])) for w in lines if w[0] == "capture"]
        if self._modes:
            self._mode = min(self._modes, key=lambda mode: (mode[0] == "MJPG", self._off(mode)))
            self._fps = min(30, self._mode[3])

    def _off(self, mode: Mode) -> int:
        return abs(mode[1] - self._asked[0]) + abs(mode[2] - self._asked[1])

    def _fit(self, codec: str) -> None:
        fitting = [mode for mode in self._modes if mode[0] == codec]
        if fitting:
            self._mode = min(fitting, key=self._off)
            self._fps = min(self._fps, self._mode[3])  # OpenCV asks for the rate it had

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return bool(self._modes) and not self.released

    def set(self, what: int, value: float) -> bool:
        codec = self._mode[0]
        if what == cv2.CAP_PROP_FOURCC:
            self._fit(int(value).to_bytes(4, "little").decode())
        elif what == cv2.CAP_PROP_FRAME_WIDTH:
            self._asked[0] = int(value)  # takes hold with the height
        elif what == cv2.CAP_PROP_FRAME_HEIGHT:
            self._asked[1] = int(value)
            self._fit(codec)
        elif what == cv2.CAP_PROP_FPS:
            self._fps = min(round(value), self._mode[3])
        elif what in self._told:
            self._told[what] = value
        else:
            return False
        return True

    def get(self, what: int) -> float:
        codec, width, height, _ = self._mode
        said: dict[int, float] = {
            cv2.CAP_PROP_FOURCC: int.from_bytes(codec.encode(), "little"),
            cv2.CAP_PROP_FRAME_WIDTH: width,
            cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: self._fps,
            cv2.CAP_PROP_POS_MSEC: self._taken_ms,
            **self._told,
        }
        return float(said.get(what, -1))

    def grab(self) -> bool:
        if self.pending:
            return True
        while (upcoming := self._desk.upcoming()) is None:
            self._desk.script.pop(0)
        if upcoming is False:
            return False
        if not self._desk.queued:
            time.sleep(0.0015)  # the picture is not there yet: exposing one takes time
        self.first = False
        self._picture = self._desk.script.pop(0)
        self._taken_ms = (time.monotonic() - self._desk.age_s) * 1e3
        return True

    def retrieve(self) -> tuple[bool, Any]:
        self.pending = False
        picture, self._picture = self._picture, None
        if isinstance(picture, bytes):
            picture = np.frombuffer(picture, np.uint8).reshape(1, -1).copy()
        return picture is not None, picture

    def release(self) -> None:
        self.released = True


def hang() -> tuple[Callable[[], None], threading.Event, threading.Event]:
    """A step of a script that hangs until `wake`; `hanging` says that it does."""
    hanging, wake = threading.Event(), threading.Event()

    def step() -> None:
        hanging.set()
        wake.wait(20)

    return step, hanging, wake
