"""What a program says while it runs, a line each: it may be killed at any time."""

import sys
import time

import numpy as np
from numpy.typing import NDArray

from streamer.watermark import read


def say(*words: object) -> None:
    """One line, at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def seen(camera: int, pixels: NDArray[np.uint8]) -> None:
    """A picture in hand, (H, W, 3) uint8 BGR: which one it really is."""
    now_ns = time.monotonic_ns()
    mark = read(pixels).mark
    whose, which = (mark.camera, mark.frame) if mark else (-1, -1)
    say("seen", camera, whose, which, now_ns)
