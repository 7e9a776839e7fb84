"""P5: what does our own Python cost for each frame, and where?

    .venv/bin/python -m benchmarks.own_cost [--frames 6000]

Ready-made frames of 1 to 32 cameras go through the whole pipeline (camera, ring, preparing, inferring,
analysis, sink) with a detector and a sink that do nothing, so that everything measured is ours. Each
thread's processor time is the kernel's own count. Nothing here releases the interpreter lock but waits:
the sum is therefore an upper bound of the time that we hold it. (The detector's own Python is not in
it; Yolo's is in P1.)
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Figures, interleaved
from streamer import ArrayPicture, Camera, Captured, Detections, Pipeline, Result, View
from streamer.wire import encode, message

BATCHES = (1, 4, 16, 32)
STAGES = ("camera", "prepare", "infer", "analysis", "sink")
GOALS_US = {1: 150.0, 16: 50.0, 32: 50.0}
GOAL_ALL_US = 300.0


class Ready:
    """A recording of one picture, over and over."""

    live = False
    ends = True

    def __init__(self, count: int) -> None:
        self.cost_ns = 0  # what its thread had run when it ended
        self._count = count
        self._picture = ArrayPicture(np.zeros((360, 640, 3), np.uint8))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cost_ns = time.thread_time_ns()

    def __iter__(self) -> Iterator[Captured]:
        for index in range(self._count):
            yield Captured(self._picture, time.monotonic_ns(), index * 33_333_333)


class Blank:
    """A detector that sees ten boxes, the same ones always."""

    labels: Sequence[str] = ("thing",)

    def __init__(self, max_batch: int) -> None:
        self.max_batch = max_batch
        boxes = np.tile(np.array([[10, 10, 50, 50]], np.float32), (10, 1))
        self._seen = Detections(self.labels, boxes, np.full(10, 0.5, np.float32), np.zeros(10, np.int32))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        return [self._seen] * len(views)


class Swallow:
    """A sink that remembers what its thread has cost; with `encoding`, messages are made as well."""

    takes = Result

    def __init__(self, encoding: bool) -> None:
        self._encoding = encoding
        self.written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        self.written += 1
        if self._encoding:
            encode(message(result, self.written))


def run(batch: int, frames: int, encoding: bool) -> Figures:
    """Processor time by stage, µs for each frame."""
    each = frames // batch
    pipeline, detector, sink = Pipeline(on_status=lambda _: None), Blank(batch), Swallow(encoding)
    sources = [Ready(each) for _ in range(batch)]
    for number, source in enumerate(sources):
        pipeline.add(Camera(f"cam{number}", source), detector)
    pipeline.sink(sink)
    costs_ns: dict[str, int] = {}
    with pipeline:
        while not pipeline.wait(0.02):
            costs_ns |= _costs_ns()  # a thread that ends takes its count along
    found = dict.fromkeys(STAGES, 0.0)
    # A camera's thread ends long before the others; its source knows what it has cost.
    costs_ns |= {f"camera cam{number}": source.cost_ns for number, source in enumerate(sources)}
    for name, cost_ns in costs_ns.items():
        found[name.partition(" ")[0]] += cost_ns / 1e3 / (each * batch)
    return {**found, "all": sum(found.values())}


def _costs_ns() -> dict[str, int]:
    """What each thread of the pipeline has run so far: first number of schedstat, proc(5)."""
    found = {}
    for thread in threading.enumerate():
        stage = thread.name.partition(" ")[0]
        path = Path(f"/proc/self/task/{thread.native_id}/schedstat")
        if stage in STAGES:
            with suppress(OSError):  # it has ended meanwhile
                found[thread.name] = int(path.read_text().split()[0])
    return found


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--frames", type=int, default=6000)
    args = parser.parse_args()
    contenders = {f"{batch}": partial(run, batch, args.frames, False) for batch in BATCHES}
    contenders["1, with JSON message"] = partial(run, 1, args.frames, True)
    found = interleaved(contenders)
    rows = [
        [name, *(one[stage].text(0) for stage in STAGES), one["all"].text(0)] for name, one in found.items()
    ]
    whole = found["1, with JSON message"]["all"].median
    verdicts = [
        verdict("CPU of our own Python, batch 1, message included", whole, "≤", GOAL_ALL_US, " µs", 0)
    ]
    verdicts += [
        verdict(
            f"interpreter lock (upper bound), batch {batch}",
            found[f"{batch}"]["all"].median,
            "≤",
            goal,
            " µs",
            0,
        )
        for batch, goal in GOALS_US.items()
    ]
    finish(
        Report(
            "P5",
            "what does our own Python cost for each frame? CPU µs",
            ["batch", *STAGES, "all"],
            rows,
            verdicts,
            found,
        ),
        args,
    )


if __name__ == "__main__":
    main()
