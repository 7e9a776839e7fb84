"""What is asked of a camera, what it grants, and what that means for whoever looks at it."""

import logging
import math
from dataclasses import dataclass
from typing import Protocol

from streamer.opencv import cv2
from streamer.sources.options import SourceOptions
from streamer.sources.usb.raw import JPEGS, UNDERSTOOD

# Where nobody says what he wants. Networks look at 640 pixels of the longer side, or at tiles of more.
_SIZE, _FPS = (1280, 720), 30.0
# Of uncompressed pictures USB 2 carries about 18 million pixels a second: thirty a second of this size.
_PLAIN_SIZE = (640, 480)
# One is filled, one waits, one is copied out; more would only hold older pictures.
QUEUE = 3
_FEW_FPS = 10.0
_MJPG = 0x47504A4D


class Properties(Protocol):
    """The part of cv2.VideoCapture that is asked."""

    def get(self, what: int) -> float: ...

    def set(self, what: int, value: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class Granted:
    """What the driver says that it gives. `fps` is None where it says nothing sensible."""

    codec: str
    size: tuple[int, int]
    fps: float | None

    def __str__(self) -> str:
        rate = f"{self.fps:g} fps" if self.fps else "at an unknown rate"
        return f"{self.size[0]}x{self.size[1]} {self.codec} {rate}"


def ask(camera: Properties, options: SourceOptions) -> Granted:
    """Ask for MJPG, the size and the rate, in the order in which drivers understand it."""
    camera.set(cv2.CAP_PROP_BUFFERSIZE, QUEUE)
    camera.set(cv2.CAP_PROP_FOURCC, _MJPG)
    granted = _ask_for(camera, options.size or _SIZE, options.fps or _FPS)
    if options.size is None and granted.codec not in JPEGS and granted.size != _PLAIN_SIZE:
        granted = _ask_for(camera, _PLAIN_SIZE, options.fps or _FPS)
    if granted.codec in UNDERSTOOD:
        camera.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    return granted


def _ask_for(camera: Properties, size: tuple[int, int], fps: float) -> Granted:
    camera.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
    camera.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    # Last: each new size takes the rate along that the one before was granted.
    camera.set(cv2.CAP_PROP_FPS, fps)
    return _granted(camera)


def _granted(camera: Properties) -> Granted:
    code = int(camera.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
    codec = code.to_bytes(4, "little").decode("ascii", "replace").strip("\0 ")
    width, height = (camera.get(what) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    fps = camera.get(cv2.CAP_PROP_FPS)
    said = math.isfinite(fps) and 0 < fps <= 1000
    return Granted(
        codec if codec.isprintable() and codec else "?", (int(width), int(height)), fps if said else None
    )


def verdict(options: SourceOptions, granted: Granted, device: str) -> tuple[int, str]:
    """How loud it is to be said (a level of logging), and what: one line, with what to do about it."""
    size, fps = options.size or _SIZE, options.fps or _FPS
    wrong_size = options.size is not None and granted.size != size
    # Drivers round: 29.97 is 30.
    few = granted.fps is not None and granted.fps < (0.9 * fps if options.fps else min(_FEW_FPS, fps))
    if not wrong_size and not few:
        return logging.INFO, str(granted)
    asked = f"asked for {size[0]}x{size[1]} MJPG {fps:g} fps, granted {granted}"
    return logging.WARNING, f"{asked}: {_advice(granted, device, wrong_size=wrong_size, few=few)}"


def _advice(granted: Granted, device: str, *, wrong_size: bool, few: bool) -> str:
    parts = []
    if (
        few
        and granted.codec not in JPEGS
        and granted.size[0] * granted.size[1] > _PLAIN_SIZE[0] * _PLAIN_SIZE[1]
    ):
        parts.append(
            "it sends uncompressed pictures, of which USB 2 carries few at this size; ask for a smaller one "
            "(size: 640x480), or plug it into a USB 3 port"
        )
    elif few:
        parts.append("it has no higher rate at this size; ask for another size, or for this rate")
    if wrong_size:
        parts.append("it has no such size")
    listed = (
        f"`v4l2-ctl --device {device} --list-formats-ext` lists what it has" if device.startswith("/") else ""
    )
    return "; ".join(part for part in (*parts, listed) if part)
