"""Pipelines whose cameras show pictures that lie in memory: everything but decoding."""

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from detectors.yolo import Yolo
from streamer import ArrayPicture, Camera, Pipeline, Result
from streamer.contracts import Captured

ACROSS = 8  # recordings side by side fill a batch; a file is read by one thread each


class Recorded:
    """So many pictures, as fast as they are taken."""

    live, ends = False, True

    def __init__(self, pictures: Sequence[np.ndarray], count: int) -> None:
        self._pictures = [ArrayPicture(pixels) for pixels in pictures]
        self._count = count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        for index in range(self._count):
            yield Captured(
                self._pictures[index % len(self._pictures)], time.monotonic_ns(), index * 33_333_333
            )


class Live(Recorded):
    """A picture every 1/fps seconds, beginning at a phase of its own, for so many seconds."""

    live, ends = True, True

    def __init__(self, pictures: Sequence[np.ndarray], fps: float, phase: float, seconds: float) -> None:
        super().__init__(pictures, round(fps * seconds))
        self._interval_s, self._phase = 1 / fps, phase
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def __iter__(self) -> Iterator[Captured]:
        start = time.monotonic() + self._phase * self._interval_s
        for index in range(self._count):
            if self._stopped.wait(max(0.0, start + index * self._interval_s - time.monotonic())):
                return
            yield Captured(self._pictures[index % len(self._pictures)], time.monotonic_ns())


class Entered:
    """A detector that has been entered already, so that each run does not load and record it anew.

    Pipelines enter a detector in the thread that uses it; Yolo does not mind which one that is.
    """

    def __init__(self, yolo: Yolo, max_batch: int) -> None:
        self._yolo, self.max_batch = yolo, max_batch
        self.labels, self.device, self.info = yolo.labels, yolo.device, yolo.info
        self.prepare, self.prepare_spread = yolo.prepare, yolo.prepare_spread
        self.detect, self.infer = yolo.detect, yolo.infer
        self.wait, self.read = yolo.wait, yolo.read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Arrivals:
    """A sink that notes when batches were done, and how old their frames are here."""

    takes = Result
    backlog = 64

    def __init__(self) -> None:
        self.ages_ms: list[float] = []
        self.inferred_ns: list[int] = []  # one moment for a batch
        self.batches: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, result: Result) -> None:
        now_ns = time.monotonic_ns()
        self.ages_ms.append((now_ns - result.frame.captured_ns) / 1e6)
        self.inferred_ns.append(result.timing.inferred_ns)
        self.batches.append(result.batch)


@dataclass(frozen=True)
class Run:
    """What one run of a pipeline gave."""

    fps: float  # looked at
    dropped: float  # share of the frames captured
    age_p50_ms: float  # picture there → result at the sink
    age_p99_ms: float
    batch: float  # mean


def throughput(
    yolo: Yolo, pictures: Sequence[np.ndarray], batch: int, seconds: float, guess_fps: float
) -> Run:
    """Recordings, as fast as they go."""
    cameras = min(batch, ACROSS)
    count = max(2 * batch, round(guess_fps * seconds / cameras))
    sources: list[Recorded] = [Recorded(pictures, count) for _ in range(cameras)]
    return run(Entered(yolo, batch), sources)


def live(
    yolo: Yolo, pictures: Sequence[np.ndarray], cameras: int, seconds: float, batch: int = 32, fps: float = 30
) -> Run:
    """Live cameras whose pictures come at moments spread over the interval."""
    sources: list[Recorded] = [
        Live(pictures, fps, (number * 0.618) % 1, seconds) for number in range(cameras)
    ]
    return run(Entered(yolo, batch), sources)


def run(detector: Any, sources: Sequence[Recorded]) -> Run:
    """Run until the sources end. The first tenth is warming up and does not count."""
    pipeline, arrivals = Pipeline(on_status=_silent), Arrivals()
    cameras = [Camera(f"camera{number}", source) for number, source in enumerate(sources)]
    for camera in cameras:
        pipeline.add(camera, detector)
    pipeline.sink(arrivals)
    pipeline.run()
    stats = pipeline.stats().cameras
    captured, processed = sum(one.captured for one in stats), sum(one.processed for one in stats)
    first = len(arrivals.inferred_ns) // 10
    moments, ages = arrivals.inferred_ns[first:], arrivals.ages_ms[first:]
    # From the end of the first batch to that of the last, so the first one's frames do not count. What a
    # sink missed was looked at all the same.
    later = sum(moment > moments[0] for moment in moments) * processed / len(arrivals.inferred_ns)
    return Run(
        fps=later / max((moments[-1] - moments[0]) / 1e9, 1e-9),
        dropped=1 - processed / captured,
        age_p50_ms=float(np.percentile(ages, 50)),
        age_p99_ms=float(np.percentile(ages, 99)),
        batch=float(np.mean(arrivals.batches)),
    )


def _silent(_camera: Camera) -> None:
    """Nobody is told that a camera in memory has connected."""
