"""The plain loop: `while True: read()` over all cameras, opened again where that fails. No network.

Lines as those of load_streams; `warned` is a `read` that failed.
"""

import sys
import time
from typing import Any

import cv2

from benchmarks.contenders.lines import say, seen


def main() -> None:
    urls = sys.argv[1:]
    captures: list[Any] = [cv2.VideoCapture(url) for url in urls]
    while True:
        for camera, url in enumerate(urls):
            there, pixels = captures[camera].read()
            if there:
                seen(camera, pixels)
            else:
                say("warned", camera, time.monotonic_ns())
                captures[camera].release()
                captures[camera] = cv2.VideoCapture(url)


if __name__ == "__main__":
    main()
