"""Clocks for tests of a camera's loop: time passes only where the test says so."""

import threading

from boxes import until

from streamer import ManualClock


class Hasty(ManualClock):
    """Whoever rests while nobody reads has rested already; while a source is read, time stands still.

    For sources that do not wait, and loops whose thread is not called `camera …`, as readers are.
    """

    def __init__(self, now_ns: int = 0) -> None:
        super().__init__(now_ns)
        self._others = set(threading.enumerate())

    def wait(self, condition: threading.Condition, timeout_s: float | None) -> None:
        if any(thread.name.startswith("camera ") for thread in set(threading.enumerate()) - self._others):
            condition.wait(0.002)  # in real time: it is notified, or looks again
        else:
            self.advance(timeout_s or 0.0)


class Stepped(ManualClock):
    """Time passes from one deadline to the next, and whoever waits for it acts before it goes on."""

    def settle(self) -> None:
        """Wait until the one loop there is has nothing to do but wait."""
        until(self._asleep, step_s=0.0002)

    def pass_s(self, seconds: float) -> None:
        """Let so much time pass."""
        end_ns = self._now_ns + round(seconds * 1e9)
        while self._now_ns < end_ns:
            self.settle()
            with self._lock:
                due_ns = min((deadline_ns for deadline_ns, _ in self._waiting.values()), default=end_ns)
                step_ns = max(1, min(due_ns, end_ns) - self._now_ns)
            self.advance(step_ns / 1e9)
        self.settle()

    def _asleep(self) -> bool:
        with self._lock:
            return any(deadline_ns > self._now_ns for deadline_ns, _ in self._waiting.values())
