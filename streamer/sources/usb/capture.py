"""OpenCV's VideoCapture of one camera, with a wait that ends."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.opencv import cv2

# OpenCV writes its warnings to stderr, into whatever stands there; what they are about is in our errors.
if "OPENCV_LOG_LEVEL" not in os.environ:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


class VideoCapture(Protocol):
    """What is used of cv2.VideoCapture."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name

    def get(self, what: int, /) -> float: ...

    def set(self, what: int, value: float, /) -> bool: ...

    def grab(self) -> bool: ...

    def retrieve(self) -> tuple[bool, Any]: ...

    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OpenCv:
    """How OpenCV opens a camera, and waits for one; tests have their own."""

    open: Callable[..., VideoCapture] = cv2.VideoCapture
    wait: Callable[..., tuple[bool, Any]] = cv2.VideoCapture.waitAny


OPENCV = OpenCv()


class Lost(Exception):
    """The driver gives no more pictures."""


class Capture:
    """An opened camera, used in one thread: `wait`, `taken_ns`, and `retrieve`, again and again.

    Without `retrieve` the next `wait` comes to the same picture.
    """

    def __init__(self, camera: VideoCapture, opencv: OpenCv, *, polls: bool) -> None:
        self._camera = camera
        self._opencv = opencv
        self._polls = polls  # OpenCV can wait for it with a time limit; only with V4L2
        self._started = False
        self.get, self.set = camera.get, camera.set

    def wait(self, timeout_s: float) -> bool:
        """Whether a picture is there within that time. Raises Lost.

        The first takes as long as the camera needs to start, 10 s at most; without V4L2 each takes as long as
        it takes.
        """
        if not self._started or not self._polls:
            if not self._camera.grab():
                raise Lost
            self._started = True
            return True
        try:
            polled, ready = self._opencv.wait([self._camera], max(1, round(timeout_s * 1e9)))
        except cv2.error as error:
            raise Lost from error
        if polled and not len(ready):  # it hung up
            raise Lost
        return bool(polled)

    def retrieve(self) -> NDArray[np.uint8] | None:
        """The picture, in memory of its own, as `raw` describes it; None where OpenCV can make none of it."""
        try:
            there, pixels = self._camera.retrieve()
        except cv2.error:
            return None
        return np.asarray(pixels) if there and pixels is not None else None

    def taken_ns(self) -> int | None:
        """When the driver says that it was taken: monotonic ns, if the driver's clock is."""
        if not self._polls:
            return None
        said_ms = self._camera.get(cv2.CAP_PROP_POS_MSEC)
        return round(said_ms * 1e6) if math.isfinite(said_ms) and said_ms > 0 else None

    def close(self) -> None:
        """Give the device back."""
        self._camera.release()
