"""Ultralytics' `LoadStreams` with its defaults, and what it hands out; no network: only reading is looked at.

A line for each picture as it is handed out: camera, the watermark's camera and picture (-1: unreadable),
monotonic ns. `warned`: it logged a warning, of whichever camera. `ended`: it stopped by itself.
"""

import importlib
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.contenders.lines import say, seen
from benchmarks.contenders.without_cuda import make_torchvision_work

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false")


class Warned(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            say("warned", -1, time.monotonic_ns())


def main() -> None:
    make_torchvision_work()
    loaders: Any = importlib.import_module("ultralytics.data.loaders")
    logger: Any = importlib.import_module("ultralytics.utils").LOGGER
    logger.handlers = [Warned()]
    with tempfile.TemporaryDirectory() as folder:
        streams = Path(folder) / "cameras.streams"
        streams.write_text("\n".join(sys.argv[1:]))
        for _, pictures, _ in loaders.LoadStreams(str(streams)):
            for camera, pixels in enumerate(pictures):
                seen(camera, pixels)
    say("ended", -1, time.monotonic_ns())
    os._exit(0)  # its reading threads do not end by themselves


if __name__ == "__main__":
    main()
