"""The monotonic clock, through an object that tests can drive."""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Ages and deadlines use this, never the wall clock."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds."""

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        """Wait on a held condition until it is notified or the time is over; may wake early."""


class MonotonicClock:
    """The real one."""

    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        condition.wait(timeout_s)


class ManualClock:
    """A clock for tests: time stands still until `advance` is called.

    Thread-safe. Waiters with a deadline wake when the clock passes it; `sleepers` tells how many
    wait with one, so that a test can advance once everybody has gone to sleep.
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._lock = threading.Condition()
        self._waiting: dict[int, tuple[int, threading.Condition]] = {}

    def now_ns(self) -> int:
        with self._lock:
            return self._now_ns

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        if timeout_s is None:
            condition.wait()
            return
        me = threading.get_ident()
        with self._lock:
            deadline_ns = self._now_ns + round(timeout_s * 1e9)
            self._waiting[me] = (deadline_ns, condition)
            self._lock.notify_all()
        try:
            if timeout_s > 0:
                condition.wait()
        finally:
            with self._lock:
                del self._waiting[me]

    def advance(self, seconds: float) -> None:
        """Move time on and wake everybody whose deadline has come."""
        with self._lock:
            self._now_ns += round(seconds * 1e9)
            due = [condition for deadline, condition in self._waiting.values() if deadline <= self._now_ns]
        for condition in due:
            with condition:
                condition.notify_all()

    def wait_for_sleepers(self, count: int, timeout_s: float = 10) -> bool:
        """Block (in real time) until `count` threads wait with a deadline."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self._waiting) >= count, timeout_s)
