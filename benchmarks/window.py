"""What does the live window cost? Processor time of a shown frame, beside a plain loop round `cv2.imshow`.

    .venv/bin/python -m benchmarks.window [--seconds 8]

Needs a display (`xvfb-run -s '-screen 0 1400x900x24' …` will do); 720p pictures at 30 a second that are ready
made, with ten boxes in each. The plain loop draws them with OpenCV's own rectangles and letters, in turns
with our window with 1 and 4 cameras. Ours is the time of both processes, less that of the same pipeline
without a window. The X server's own time is not in it.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from sinks.window import Window
from streamer import ArrayPicture, Camera, Captured, Detections, Pipeline, View, display

FPS = 30
SIZE = (1280, 720)
BOXES = 10
ROUNDS = 3


class Ready:
    """A live camera whose pictures are there already."""

    live = True
    ends = False

    def __init__(self, pictures: Sequence[ArrayPicture]) -> None:
        self._pictures = pictures
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stop(self) -> None:
        self._stopped = True

    def __iter__(self) -> Iterator[Captured]:
        due = time.monotonic()
        number = 0
        while not self._stopped:
            due += 1 / FPS
            time.sleep(max(0.0, due - time.monotonic()))
            yield Captured(self._pictures[number % len(self._pictures)], time.monotonic_ns())
            number += 1


class Blank:
    """A detector that sees ten boxes which move, at no cost, 15 times a second of each camera."""

    labels: Sequence[str] = ("person",)
    max_batch = 8

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        time.sleep(1 / 15)
        return [Detections(self.labels, moved(view.frame.index), SCORES, CLASSES) for view in views]


SCORES, CLASSES = np.linspace(0.5, 0.99, BOXES, dtype=np.float32), np.zeros(BOXES, np.int32)


def moved(index: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Ten boxes, a little further with each frame."""
    lefts = (np.arange(BOXES) * 110 + 2 * (index % 100)).astype(np.float32)
    tops = (np.arange(BOXES) * 45 + 60).astype(np.float32)
    return np.stack((lefts, tops, lefts + 90, tops + 160), axis=1)


def pictures() -> list[ArrayPicture]:
    """Noise that is not all the same."""
    rng = np.random.default_rng(1)
    return [ArrayPicture(rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)) for _ in range(4)]


def pipeline_ms(cameras: int, seconds: float, *, window: bool) -> tuple[float, float]:
    """Processor time of this process in ms a second, and of the window's."""
    ready, detector = pictures(), Blank()
    pipeline = Pipeline(on_status=lambda _: None)
    for number in range(cameras):
        pipeline.add(Camera(f"camera{number}", Ready(ready)), detector)
    if window:
        pipeline.sink(Window(), "window")
    with pipeline:
        time.sleep(2)
        before, at = time.process_time(), time.monotonic()
        children = [of_process(pid) for pid in children_of(os.getpid())]
        time.sleep(seconds)
        span = time.monotonic() - at
        ours = (time.process_time() - before) / span * 1000
        theirs = (sum(of_process(pid) for pid in children_of(os.getpid())) - sum(children)) / span * 1000
    return ours, theirs


def children_of(pid: int) -> list[int]:
    """Its children's numbers."""
    text = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return [int(line.split()[0]) for line in text.splitlines() if "sinks.window.child" in line]


def of_process(pid: int) -> float:
    """Its processor time so far, s (proc(5): utime and stime of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def plain(seconds: float) -> None:
    """A loop as people write it; prints its ms a frame."""
    cv2.setNumThreads(1)
    ready = [picture.bgr() for picture in pictures()]
    cv2.namedWindow("plain")
    frames = 0
    due = time.monotonic()
    end = due + seconds
    before = time.process_time()
    while time.monotonic() < end:
        due += 1 / FPS
        while (left := due - time.monotonic()) > 0.001:
            cv2.waitKey(max(1, int(left * 1000)))
        shown = ready[frames % len(ready)].copy()
        for x1, y1, x2, y2 in moved(frames).astype(int).tolist():
            cv2.rectangle(shown, (x1, y1), (x2, y2), (0, 255, 0), 2)
            cv2.putText(shown, "person 0.87", (x1, y1), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 255, 0), 2)
        cv2.imshow("plain", shown)
        cv2.waitKey(1)
        frames += 1
    print((time.process_time() - before) / frames * 1000)


def main() -> None:
    """Measure in turns, print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.plain:
        plain(args.seconds)
        return
    if why := display.missing():
        raise SystemExit(f"there is no display: {why}; run it under xvfb-run")
    rows: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.window", "--plain", "--seconds", str(args.seconds)],
            capture_output=True,
            text=True,
            check=True,
        )
        rows.setdefault("cv2.imshow, one camera", []).append(float(done.stdout))
        for cameras in (1, 4):
            without, _ = pipeline_ms(cameras, args.seconds / 2, window=False)
            ours, theirs = pipeline_ms(cameras, args.seconds, window=True)
            shown = FPS * cameras
            rows.setdefault(f"{cameras}: sink's thread", []).append((ours - without) / shown)
            rows.setdefault(f"{cameras}: window's process", []).append(theirs / shown)
    for name, values in rows.items():
        print(f"{name:28} {np.median(values):6.2f} ms a shown frame ({min(values):.2f}–{max(values):.2f})")


if __name__ == "__main__":
    main()
