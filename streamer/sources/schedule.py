"""Waiting for the moment at which a picture is due; another thread may end it."""

import threading

from streamer.clock import Clock


class Schedule:
    """`wait_until` in one thread, `stop` in any."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wake = threading.Condition()
        self._stopped = False

    def wait_until(self, due_ns: int) -> bool:
        """Block until the clock shows `due_ns`. Returns False once stopped."""
        with self._wake:
            while not self._stopped and (left_ns := due_ns - self._clock.now_ns()) > 0:
                self._clock.wait(self._wake, left_ns / 1e9)
            return not self._stopped

    def stop(self) -> None:
        """End all waiting, for good."""
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
