"""When the next batch may be prepared: overlap must not buy staleness.

While the device works on one batch the next is prepared beside it, so that the device never waits.
But a frame that is prepared early grows old waiting. So the preparing thread gets *turns*: at the
start of batch k the device says "k+1 is due when I shall be free, less what preparing costs", and at
its end "k+1 is due now".
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from streamer.ring import Ring, Writer

REMEMBERED = 16  # batches; the load on a machine changes within seconds


@dataclass(frozen=True, slots=True)
class Turn:
    """Batch `number` may be prepared from `due_ns` on (monotonic)."""

    number: int
    due_ns: int


class Durations:
    """What a step has cost lately, in ns. Written by one thread, read by another."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque(maxlen=REMEMBERED)

    def add(self, ns: int) -> None:
        """One more measurement."""
        self._recent.append(ns)

    @property
    def median_ns(self) -> int:
        """The middle one of the last few; 0 before the first."""
        recent = list(self._recent)
        return round(median(recent)) if recent else 0


class DeviceTurns:
    """The device's end: says when the next batch is due."""

    def __init__(self, writer: Writer[Turn], preparing: Durations) -> None:
        self._writer = writer
        self._preparing = preparing
        # By detector: between a quick and a slow one an average fits neither.
        self._inferring: dict[int, Durations] = {}
        self._next = 0
        self.busy = False  # with a batch; written by the device's thread, read by any

    def idle(self, now_ns: int) -> None:
        """Nothing to do: the first batch is due."""
        self._writer.put(Turn(self._next, now_ns))

    def started(self, now_ns: int, detector: object, *, live: bool = True) -> None:
        """The device begins with a detector's batch; the one after it is due just in time for its end.

        How long a first one takes nobody knows: the next is due when it has ended. (Prepared at once, it
        would lie there for a whole batch: ten seconds, with a device that slow.) Where nothing is live,
        nothing grows old: the next one is due now.
        """
        self._next += 1
        self.busy = True
        if not live:
            self._writer.put(Turn(self._next, now_ns))
            return
        expected_ns = self._durations(detector).median_ns
        if expected_ns:
            self._writer.put(Turn(self._next, now_ns + expected_ns - self._preparing.median_ns))

    def finished(self, now_ns: int, took_ns: int, detector: object) -> None:
        """The device is free: the next one is due now, however the estimate was."""
        self._durations(detector).add(took_ns)
        self.busy = False
        self._writer.put(Turn(self._next, now_ns))

    @property
    def execution_s(self) -> float:
        """What a batch takes on the device at most, in seconds."""
        return max((each.median_ns for each in list(self._inferring.values())), default=0) / 1e9

    def _durations(self, detector: object) -> Durations:
        return self._inferring.setdefault(id(detector), Durations())


def await_turn(turns: Ring[Turn], number: int, now_ns: Callable[[], int]) -> None:
    """Wait until batch `number` may be prepared. Raises Exhausted when the device has closed."""
    due_ns: int | None = None
    while True:
        left_s = None if due_ns is None else (due_ns - now_ns()) / 1e9
        if left_s is not None and left_s <= 0:
            return
        taken = turns.take(timeout_s=left_s)
        if taken is not None and taken.item.number >= number:
            due_ns = taken.item.due_ns
