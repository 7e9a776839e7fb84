"""A process of its own that measures one engine for a second, and says it as a line of JSON.

python -m streamer.cli.doctor_speed ENGINE DEVICE
"""

import json
import logging
import os
import statistics
import sys
import threading
import time
from typing import Any

import numpy as np

from streamer.cli.wiring import YOLO, build
from streamer.errors import FreshframeError
from streamer.frame import ArrayPicture, Frame, Quality, View

MEASURED_S = 1.0
WARM = 3
MOST = 2000
SIZE = 1280, 720


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is not the answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("freshframe").addHandler(logging.NullHandler())
    try:
        said = measure(sys.argv[1], sys.argv[2])
    except FreshframeError as error:
        said = {"failure": str(error)}
    out.write(json.dumps(said) + "\n")
    out.flush()
    os._exit(0)


def measure(engine: str, device: str) -> dict[str, Any]:
    """The median time of a picture, in ms, with the default model. Raises FreshframeError."""
    width, height = SIZE
    pixels = np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)
    frame = Frame("doctor", 0, 0, 0, 0, None, None, True, Quality.FINE, ArrayPicture(pixels))
    views = [View(frame)]
    took_s: list[float] = []
    with build(YOLO, {"engine": engine, "device": device}, "doctor", needs="detect") as detector:
        for _ in range(WARM):
            detector.detect(views)
        until_s = time.perf_counter() + MEASURED_S
        while len(took_s) < MOST and (not took_s or time.perf_counter() < until_s):
            begun_s = time.perf_counter()
            detector.detect(views)
            took_s.append(time.perf_counter() - begun_s)
        return {"ms": statistics.median(took_s) * 1000, "precision": detector.info.precision}


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
