"""One leg of the fan-out: a sink, its ring and its loop."""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from streamer.arrears import Arrears
from streamer.clock import Clock
from streamer.contracts import Sink
from streamer.delivery import Delivery, Item, backlog_of, camera_of, idle_of, takes_of
from streamer.errors import ConfigError, FreshframeError, SinkError, SinkGone, StopAsked, Unwritten, text_of
from streamer.frame import Frame
from streamer.health import Health
from streamer.inbox import Inbox
from streamer.lane import Taken
from streamer.outage import Outages
from streamer.result import Result
from streamer.ring import Exhausted

_log = logging.getLogger("freshframe")

IDLE_S = 0.05  # between two calls of a sink that wants to be called when nothing comes


class Leg:
    """A sink as the pipeline sees it. What it takes is put into its `inbox`; `run` is a thread of its own.

    Live cameras lose their oldest results where the sink is slow, so that it gets the newest; a sink
    that keeps a record says in `backlog` how many may wait for it. Results of recordings are never
    dropped while the sink works (their number in flight is bounded where they enter).
    """

    def __init__(self, sink: Sink[Any], name: str, *, required: bool, clock: Clock) -> None:
        self.name = name
        self.required = required
        self.opened = threading.Event()  # entered, or failed to
        self.left = False
        self.stop_asked = False  # it wants the run to end
        self.error: FreshframeError | None = None  # what ended it
        self.written = 0
        self.inbox = Inbox(takes_of(sink, name), clock)
        self.backlog = backlog_of(sink, name)
        self.outages = Outages(name, clock)
        self._sink = sink
        self._clock = clock
        self._ring = self.inbox.ring
        self._idle = idle_of(sink, name)
        self._busy_ns = 0  # since when the sink is at something; 0: it waits for us
        self._arrears = Arrears()
        self._on_failed: Callable[[FreshframeError], None] = _log.warning
        self._bugs: set[type[BaseException]] = set()
        self._abandoned = False

    def abandon(self) -> None:
        """What has not been written by now never will be, not even when a sink that hangs wakes."""
        self._abandoned = True
        self.inbox.discard()

    @property
    def why(self) -> str:
        """Why it does not work now, or what ended it."""
        return str(self.error or self.outages.error or "")

    @property
    def stuck_s(self) -> float:
        """How long the sink has been at one single thing."""
        since_ns = self._busy_ns
        return (self._clock.now_ns() - since_ns) / 1e9 if since_ns else 0.0

    @property
    def dropped(self) -> Mapping[str, int]:
        """Results that this sink did not get, by reason."""
        total = self.inbox.dropped
        if self._arrears.lost:
            total["sink"] += self._arrears.lost
        return total

    @property
    def health_dropped(self) -> int:
        """Healths that this sink did not get: newer ones came first."""
        return self.inbox.health_dropped + self._arrears.health_lost

    def run(
        self, on_failed: Callable[["Leg", FreshframeError], None], on_left: Callable[["Leg"], None]
    ) -> None:
        """Enter the sink, write until the items end, leave it; where it fails, again until it works.

        At the end there is one last try, where something is held that could not be written before.
        `on_failed` is told of a failure that will be tried again, `on_left` of the end.
        """
        self._on_failed = lambda error: on_failed(self, error)
        last = False
        try:
            while (failure := self._one_entry()) is not None:
                final = self.required or self.stop_asked or isinstance(failure, SinkGone)
                if final or not self.opened.is_set() or last or not self._more:
                    self.error = failure
                    self.outages.count += self.outages.whole is None
                    break
                self.outages.failed(None, failure, self._on_failed)
                last = not self._wait()
                if not self._more:
                    break
        finally:
            while (item := self._arrears.next_held()) is not None:
                if isinstance(item, Result):
                    self._lose(item)
                else:
                    self._arrears.health_lost += 1
            if not self.stop_asked:  # what failed before is over where somebody could ask for the end
                self.error = self.error or self.outages.whole
                if not self.written and self._arrears.lost:
                    self.error = self.error or self.outages.latest
            self.abandon()
            self.left = True
            self.opened.set()
            on_left(self)

    @property
    def _more(self) -> bool:
        """Whether there is anything that another entry could be for."""
        return not self._abandoned and (bool(self._arrears) or not self._ring.exhausted)

    def _one_entry(self) -> FreshframeError | None:
        """Enter the sink, write, leave it. Returns why that broke off before the end of the items."""
        self._busy_ns = self._clock.now_ns()
        try:
            with self._sink:
                self.opened.set()
                try:
                    self._write_all()
                except StopAsked:
                    self.stop_asked = True  # also where it cannot be left in peace
                self._busy_ns = self._clock.now_ns()
        except StopAsked:
            self.stop_asked = True
            return None
        except BaseException as error:  # somebody else's sink: its SystemExit must not end the run
            return self._said(error)
        finally:
            self._busy_ns = 0
        if not self.stop_asked and not self._ring.exhausted:
            return SinkError(f"sink {self.name} hid its own failure: its __exit__ must not return True")
        return None

    def _write_all(self) -> None:
        while not self._abandoned and (held := self._arrears.next_held()) is not None:
            self._write(held)
        self._busy_ns = 0
        while True:
            try:
                taken = self._ring.take(IDLE_S if self._idle else None)
            except Exhausted:
                return
            if taken is None:
                if self._idle:
                    self._busy_ns = self._clock.now_ns()
                    self._idle()
                    self._busy_ns = 0
                continue
            item = taken.item
            if not isinstance(item, Delivery):
                self._write(item)
                continue
            try:
                self._write(self._arrears.whole(item.result, taken.lost))
            finally:
                taken.done()
                item.done()

    def _write(self, item: Result | Health | Frame) -> None:
        self._busy_ns = self._clock.now_ns()
        try:
            self._sink.write(item)
        except StopAsked:  # no failure: it has the item
            self.written += isinstance(item, Result)
            raise
        except BaseException as error:
            goes_on = isinstance(error, Unwritten) and not self.required
            if isinstance(item, Result):
                self._lose(item)
            elif isinstance(item, Health):
                if goes_on:
                    self._arrears.health_lost += 1
                else:
                    self._arrears.hold_health(item)
            if not goes_on:
                raise
            self.outages.failed(camera_of(item), self._said(error), self._on_failed)
        else:
            self.written += isinstance(item, Result)
            if self.outages:
                # Where results are wanted, only those tell whether a camera's are written.
                whose = isinstance(item, Result) or not self.inbox.wants_results
                self.outages.works(camera_of(item) if whose else None)
        self._busy_ns = 0

    def _wait(self) -> bool:
        """Until the next try; what comes meanwhile passes by, but for the newest. False: that was the end."""
        deadline_ns = self._clock.now_ns() + round(self.outages.pause_s() * 1e9)
        try:
            while (left_ns := deadline_ns - self._clock.now_ns()) > 0:
                taken = self._ring.take(left_ns / 1e9)
                if taken is not None:
                    self._pass_by(taken)
        except Exhausted:
            return False
        return True

    def _pass_by(self, taken: Taken[Item]) -> None:
        item = taken.item
        if isinstance(item, Frame):
            return  # another one comes soon
        if isinstance(item, Health):
            self._arrears.hold_health(item)
            return
        if self._arrears.hold(item.result, taken.lost) is not None:
            self.outages.lost(item.result.frame.camera)
        taken.done()
        item.done()

    def _lose(self, result: Result) -> None:
        self._arrears.lose(result)
        self.outages.lost(result.frame.camera)

    def _said(self, error: BaseException) -> FreshframeError:
        # A new one: its traceback would hold on to a picture, and its text may fail.
        if isinstance(error, FreshframeError):
            kinds: tuple[type[FreshframeError], ...] = (SinkGone, Unwritten, ConfigError)
            return next((kind for kind in kinds if isinstance(error, kind)), SinkError)(text_of(error))
        if not isinstance(error, OSError) and type(error) not in self._bugs:
            self._bugs.add(type(error))  # once is enough, it is tried again for ever
            _log.error("sink %s failed in a way of its own", self.name, exc_info=error)
        return SinkError(f"sink {self.name}: {type(error).__name__}: {text_of(error)}")
