"""Sources, detectors and sinks that follow a script: what the tests of the core plug in.

They are written as a stranger would write them: plain classes that inherit nothing of ours.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self, TypeVar

import numpy as np

from streamer import (
    ArrayPicture,
    Captured,
    Clock,
    Detections,
    Exhausted,
    ModelInfo,
    MonotonicClock,
    Result,
    Ring,
    View,
)

PERIOD_NS = 40_000_000
Item = TypeVar("Item")


def picture(size: tuple[int, int] = (16, 12), value: int = 0) -> ArrayPicture:
    """One colour all over."""
    return ArrayPicture(np.full((size[1], size[0], 3), value, np.uint8))


class Scripted:
    """A source that does what its script says: one entry of the script for each time it is entered.

    An entry is a list of pictures (Captured), exceptions to raise, and functions to call on the way;
    an exception that stands alone is raised on entering. After the script, it waits for ever, or ends.
    """

    def __init__(self, script: Sequence[Any], *, live: bool = True, ends: bool = False) -> None:
        self.live = live
        self.ends = ends
        self.script = list(script)
        self.entered = 0
        self.exited = 0
        self.stopped = threading.Event()

    def __enter__(self) -> Self:
        self.entered += 1
        if self.entered <= len(self.script) and isinstance(self.script[self.entered - 1], BaseException):
            raise self.script[self.entered - 1]
        return self

    def __exit__(self, *exc: object) -> None:
        self.exited += 1

    def stop(self) -> None:
        self.stopped.set()

    def __iter__(self) -> Iterator[Captured]:
        steps = self.script[self.entered - 1] if self.entered <= len(self.script) else []
        for step in steps:
            if isinstance(step, BaseException):
                raise step
            if callable(step):
                step()
            else:
                yield step


class Stream:
    """Pictures at a rate: live until it is stopped or `count` are out, a recording as fast as they are taken.

    The first pixel of each picture says how manieth it is, modulo 256.
    """

    def __init__(
        self, *, live: bool = True, fps: float = 200.0, count: int | None = None, clock: Clock | None = None
    ) -> None:
        self.live = live
        self.ends = not live or count is not None
        self.made = 0
        self.entered = False
        self._period_s = 1 / fps
        self._count = count
        self._clock = clock or MonotonicClock()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self.entered = True
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def stop(self) -> None:
        self._stop.set()

    def __iter__(self) -> Iterator[Captured]:
        while self._count is None or self.made < self._count:
            if self.live and self._stop.wait(self._period_s):
                return
            self.made += 1
            number = self.made - 1
            yield Captured(
                picture(value=number % 256),
                self._clock.now_ns(),
                number * PERIOD_NS,
                keyframe=number % 25 == 0,
            )


class Stuck:
    """A source that hangs in its read, as native code does, until `wake` is set."""

    live = True
    ends = False

    def __init__(self, before: int = 0) -> None:
        self.hanging = threading.Event()
        self.wake = threading.Event()
        self.spoke = threading.Event()
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.spoke.set()

    def __iter__(self) -> Iterator[Captured]:
        for _ in range(self._before):
            yield Captured(picture(), time.monotonic_ns())
        self.hanging.set()
        self.wake.wait()
        yield Captured(picture(value=255), time.monotonic_ns())


class Looker:
    """A detector that sees one box in each view; its score is the first pixel's value.

    `busy` is called for each batch, to be slow or to fail there.
    """

    labels: Sequence[str] = ("thing",)

    def __init__(self, max_batch: int = 1, busy: Callable[[Sequence[View]], None] | None = None) -> None:
        self.max_batch = max_batch
        self.batches: list[int] = []
        self.threads: set[str] = set()
        self.exits: list[Any] = []
        self._busy = busy or (lambda views: None)

    def __enter__(self) -> Self:
        self.threads.add(threading.current_thread().name)
        return self

    def __exit__(self, *exc: object) -> None:
        self.exits.append(exc[0])

    def detect(self, views: Sequence[View]) -> list[Detections]:
        self.threads.add(threading.current_thread().name)
        self.batches.append(len(views))
        self._busy(views)
        return [seen(view) for view in views]


class StagedLooker(Looker):
    """The same in two steps. `unready` is called for each batch that is prepared."""

    info = ModelInfo("staged")

    def __init__(
        self,
        max_batch: int = 4,
        busy: Callable[[Sequence[View]], None] | None = None,
        unready: Callable[[Sequence[View]], None] | None = None,
    ) -> None:
        super().__init__(max_batch, busy)
        self.preparers: set[str] = set()
        self._unready = unready or (lambda views: None)

    def prepare(self, views: Sequence[View]) -> Sequence[View]:
        self.preparers.add(threading.current_thread().name)
        self._unready(views)
        return list(views)

    def infer(self, batch: Sequence[View]) -> list[Detections]:
        return self.detect(batch)


def seen(view: View) -> Detections:
    """What a Looker sees."""
    score = int(view.bgr()[0, 0, 0]) / 255
    return Detections(Looker.labels, np.array([[1, 2, 3, 4]]), np.array([score]), np.array([0]))


class Keeper:
    """A sink that keeps what it gets. `busy` is called for each result, to be slow or to fail there."""

    takes = Result

    def __init__(self, busy: Callable[[Result], None] | None = None) -> None:
        self.got: list[Result] = []
        self.entered = False
        self.exited = threading.Event()
        self.threads: set[int] = set()
        self._busy = busy or (lambda result: None)

    def __enter__(self) -> Self:
        self.entered = True
        self.threads.add(threading.get_ident())
        return self

    def __exit__(self, *exc: object) -> None:
        self.threads.add(threading.get_ident())
        self.exited.set()

    def write(self, result: Result) -> None:
        self.threads.add(threading.get_ident())
        self._busy(result)
        self.got.append(result)

    def of(self, camera: str) -> list[Result]:
        """One camera's results."""
        return [result for result in self.got if result.frame.camera == camera]


def rest_of(ring: Ring[Item]) -> list[Item]:
    """All that can still be taken of a ring that nobody writes to any more."""
    got: list[Item] = []
    while True:
        try:
            taken = ring.take()
        except Exhausted:
            return got
        assert taken is not None
        got.append(taken.item)


def until(condition: Callable[[], bool], timeout_s: float = 10.0, step_s: float = 0.002) -> None:
    """Poll for something that no condition variable tells of. Fails when it does not come."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come in time"
        pause.wait(step_s)


def assert_gaps_explained(results: Iterable[Result]) -> None:
    """One camera's results: in order of index, and each gap is what `dropped` says."""
    last = None
    for result in results:
        index = result.frame.index
        first = 0 if last is None else last + 1
        assert index >= first, f"{index} after {last}"
        assert index - first == sum(result.dropped.values()), (last, index, result.dropped)
        last = index
