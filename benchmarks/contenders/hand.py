"""Results in hand: when, and which frame the picture beside them really was."""

import json
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from streamer.watermark import read

PACKAGES = ("freshframe", "ultralytics", "vidgear", "inference", "torch", "onnxruntime", "opencv-python")


class Hand:
    """Takes results until the time is over, then prints everything as one line of JSON.

    Times are monotonic ns. Processor time counts from the first result on: loading is not the question.
    Thread-safe.
    """

    def __init__(self, seconds: float) -> None:
        self._limit_ns = round(seconds * 1e9)
        self._lock = threading.Lock()
        self._results: list[tuple[int, int, int]] = []
        self._first_ns = 0
        self._cpu_s = 0.0
        self.over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def take(self, camera: int, pixels: NDArray[np.uint8], boxes: int) -> bool:  # noqa: ARG002 - looked at
        """One result about this picture, (H, W, 3) uint8 BGR. False: that was enough."""
        now_ns = time.monotonic_ns()
        mark = read(pixels).mark
        with self._lock:
            if not self._results:
                self._first_ns, self._cpu_s = now_ns, time.process_time()
            self._results.append((camera, mark.frame if mark and mark.camera == camera else -1, now_ns))
        if now_ns - self._first_ns > self._limit_ns:
            self.over.set()
        return not self.over.is_set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Print what there is; peers that end by themselves, with an error even, have been heard."""
        cpu_s = time.process_time() - self._cpu_s
        found: dict[str, Any] = {
            "results": self._results,
            "cpu_s": cpu_s,
            "versions": _versions(),
            "error": "" if error is None else f"{type(error).__name__}: {error}"[:200],
        }
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def _versions() -> dict[str, str]:
    """Of what runs here; peers have environments of their own."""
    found = {}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def given() -> tuple[str, float, Sequence[str]]:
    """What stands on the command line: weights, seconds, sources."""
    return sys.argv[1], float(sys.argv[2]), sys.argv[3:]
