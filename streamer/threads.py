"""The pipeline's threads: started, joined, or given up when they are stuck in native code."""

import threading
import time
from collections.abc import Callable

BEGINS_S = 0.5  # a thread, where whoever started it was interrupted meanwhile


class Threads:
    """Owns a pipeline's threads. `start` and `join` are for one thread, the rest for any."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._running = 0
        self._ending = False
        self.given_up: list[str] = []

    def start(self, name: str, target: Callable[[], None]) -> None:
        """Start a thread; whatever it raises goes to `on_error`, in that thread."""

        begun = threading.Event()

        def guarded() -> None:
            begun.set()
            try:
                target()
            except BaseException as error:  # a thread must not die unnoticed
                self._on_error(error)
            finally:
                with self._changed:
                    self._running -= 1
                    self._changed.notify_all()

        # Daemons, for one that hangs in native code can never be joined.
        thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._threads.append(thread)
        with self._changed:
            self._running += 1
        try:
            thread.start()
        except BaseException:  # a signal, while it begins all the same; or there is no room for a thread
            begun.wait(BEGINS_S)
            raise

    def end(self) -> None:
        """They have been told to end: `wait` does not wait for one that hangs. `join` does, for a while."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until all of them have ended, or should; False when the time is over before."""
        with self._changed:
            return self._changed.wait_for(lambda: self._ending or self._running == 0, timeout_s)

    def join(self, timeout_s: float) -> None:
        """Join all of them; those that still run after the time are given up and named."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:  # else it never began
                thread.join(max(0.0, deadline - time.monotonic()))
        self.given_up = [thread.name for thread in self._threads if thread.is_alive()]
