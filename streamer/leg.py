"""One leg of the fan-out: a sink, its ring and its loop."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from streamer.clock import Clock
from streamer.contracts import Sink
from streamer.errors import ConfigError, FreshframeError, SinkError
from streamer.result import Result
from streamer.ring import Exhausted, Ring, Writer

_log = logging.getLogger("freshframe")


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A result on its way to one sink, and whom to tell when the sink has it."""

    result: Result
    done: Callable[[], None]


class Leg:
    """A sink as the pipeline sees it. The analysis thread puts results in; `run` is a thread of its own.

    Live cameras lose their oldest results where the sink is slow, so that it gets the newest; a sink
    that keeps a record says in `backlog` how many may wait for it. Results of recordings are never
    dropped (their number in flight is bounded where they enter).
    """

    def __init__(self, sink: Sink[Result], name: str, *, required: bool, clock: Clock) -> None:
        self.name = name
        self.required = required
        self.opened = threading.Event()  # entered, or failed to
        self.error: FreshframeError | None = None
        self.written = 0
        backlog = getattr(sink, "backlog", 1)
        if not isinstance(backlog, int) or backlog < 1:
            raise ConfigError(f"sink {name}: its backlog is {backlog!r}; allowed is a whole number above 0")
        self.backlog = backlog
        self._sink = sink
        self._ring: Ring[Delivery] = Ring(clock, reason="sink", carried=lambda item: item.result.dropped)
        self._lanes: dict[str, Writer[Delivery]] = {}

    def open_lane(self, camera: str, *, depth: int) -> None:
        """Make room for a camera's results, before anything runs."""
        self._lanes[camera] = self._ring.writer(depth=depth, live=True)

    def put(self, delivery: Delivery) -> None:
        """Hand a result over; never waits. Analysis thread only."""
        if not self._lanes[delivery.result.frame.camera].put(delivery):
            delivery.done()

    def close(self) -> None:
        """No more results; those that are there are still written."""
        for lane in self._lanes.values():
            lane.close()

    def abandon(self) -> None:
        """What has not been written by now never will be, not even when a sink that hangs wakes."""
        for delivery in self._ring.leave():
            delivery.done()

    def run(self, on_left: Callable[["Leg"], None]) -> None:
        """Enter the sink, write until the results end, leave it. A failure detaches this leg only."""
        try:
            with self._sink:
                self.opened.set()
                self._write_all()
        except Exception as error:
            self.error = self._said(error)
        finally:
            if self.error is None and not self._ring.exhausted:
                self.error = SinkError(
                    f"sink {self.name} hid its own failure: its __exit__ must not return True"
                )
            self.abandon()
            self.opened.set()
            on_left(self)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Results that this sink did not get, by reason."""
        total: Counter[str] = Counter()
        for lane in self._lanes.values():
            total.update(lane.dropped)
        return total

    def _write_all(self) -> None:
        while True:
            try:
                taken = self._ring.take()
            except Exhausted:
                return
            if taken is None:
                continue
            delivery = taken.item
            result = delivery.result
            if taken.lost:
                result = replace(result, dropped=dict(Counter(result.dropped) + Counter(taken.lost)))
            try:
                self._sink.write(result)
                self.written += 1
            finally:
                taken.done()
                delivery.done()

    def _said(self, error: Exception) -> FreshframeError:
        if isinstance(error, FreshframeError):
            return error
        if not isinstance(error, OSError):
            _log.error("sink %s failed in a way of its own", self.name, exc_info=error)
        return SinkError(f"sink {self.name}: {type(error).__name__}: {error}")
