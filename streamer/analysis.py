"""What happens to detections before they leave: those that a camera wants, in order, fanned out to the sinks.

One thread, off the device's: trackers and scenes will live here.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from streamer.clock import Clock
from streamer.delivery import Delivery
from streamer.detections import Detections
from streamer.leg import Leg
from streamer.looking import Looking, Sieve
from streamer.result import Result, Timing
from streamer.ring import Exhausted, Ring
from streamer.worker import Inferred

AGES_REMEMBERED = 1024  # for the percentiles that people see


class Passed:
    """What one camera got through. Written by the analysis thread, read by anybody."""

    def __init__(self) -> None:
        self.processed = 0
        self.latest: Detections | None = None  # not the frame: it would hold its picture
        self.ages_ns: deque[int] = deque(maxlen=AGES_REMEMBERED)


class Analysis:
    """The analysis thread's loop."""

    def __init__(
        self, inferred: Ring[Inferred], legs: Sequence[Leg], cameras: Mapping[str, Looking], clock: Clock
    ) -> None:
        self.passed = {camera: Passed() for camera in cameras}
        self._sieves = {camera: Sieve(looking) for camera, looking in cameras.items()}
        self._inferred = inferred
        self._legs = legs
        self._clock = clock

    def run(self) -> None:
        """Until the detections end; then the sinks are closed too."""
        try:
            while True:
                taken = self._inferred.take()
                if taken is not None:
                    taken.done()
                    self._pass_on(taken.item, dict(taken.lost))
        except Exhausted:
            pass
        finally:
            for item in self._inferred.leave():
                item.done()
            for leg in self._legs:
                leg.inbox.close()

    def _pass_on(self, item: Inferred, dropped: dict[str, int]) -> None:
        for reason, count in item.lost.items():
            dropped[reason] = dropped.get(reason, 0) + count
        camera = item.frame.camera
        detections = self._sieves[camera](item.detections, item.frame.size)
        timing = Timing(
            captured_ns=item.frame.captured_ns,
            taken_ns=item.taken_ns,
            started_ns=item.started_ns,
            inferred_ns=item.inferred_ns,
            published_ns=self._clock.now_ns(),
        )
        result = Result(item.frame, detections, item.model, timing, dropped, item.batch)
        passed = self.passed[camera]
        passed.processed += 1
        passed.latest = detections
        if item.frame.live:  # a recording has no age: its frames wait for us
            passed.ages_ns.append(timing.age_ns + item.frame.lag_ns)
        done = item.done if len(self._legs) == 1 else _Countdown(len(self._legs), item.done)
        if not self._legs:
            item.done()
        for leg in self._legs:
            leg.inbox.put(Delivery(result, done))


class _Countdown:
    """Says `done` when it has been called as many times as there are legs. Thread-safe."""

    __slots__ = ("_done", "_left", "_lock")

    def __init__(self, count: int, done: Callable[[], None]) -> None:
        self._left = count
        self._done = done
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._done()
