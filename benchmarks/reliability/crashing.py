"""A program with two cameras in threads. Native code crashes in the thread of one; crash.py looks at it.

    python -m benchmarks.reliability.crashing SECONDS

One line for each result, the camera's name; `crash` just before it happens, once both have been seen.
"""

import ctypes
import resource
import sys
import threading
from collections.abc import Iterator
from typing import Self

from detectors.oracle import Oracle
from streamer import Camera, Captured, Pipeline, Result
from streamer.contracts import Source
from streamer.sources import open_source, parse_address

NAMES = ("crashes", "beside")
CRASH = "crash"
FIRST = 30  # pictures that come before it
CAMERA = "synthetic:?size=320x240&fps=30"


class Lines:
    """Says whose results come; `beside` is set once the other camera's have."""

    takes = Result

    def __init__(self) -> None:
        self.beside = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        print(result.frame.camera, flush=True)
        if result.frame.camera == NAMES[1]:
            self.beside.set()


class Crashing:
    """Another source's pictures, until native code crashes in the thread that reads them."""

    live, ends = True, False

    def __init__(self, source: Source, when: threading.Event) -> None:
        self._source = source
        self._when = when

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._source.__exit__(None, None, None)

    def __iter__(self) -> Iterator[Captured]:
        for number, captured in enumerate(self._source):
            if number == FIRST:
                self._when.wait()
                print(CRASH, flush=True)
                ctypes.string_at(0)  # reads from address 0, as a decoder with a bug would
            yield captured


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    address, oracle, lines, pipeline = parse_address(CAMERA), Oracle(), Lines(), Pipeline()
    pipeline.add(Camera(NAMES[0], Crashing(open_source(address), lines.beside)), oracle)
    pipeline.add(Camera(NAMES[1], open_source(address)), oracle)
    pipeline.sink(lines)
    with pipeline:
        pipeline.wait(float(sys.argv[1]))


if __name__ == "__main__":
    main()
