"""Independent steps of one batch, side by side: the preparing thread and its helpers share them.

The only state that several threads touch is which step is next, under one lock. It is no hand-over:
nothing outlives the call.
"""

import threading
from collections.abc import Callable, Sequence

Step = Callable[[], object]


class _Round:
    """The steps of one call. Guarded by the crew's lock."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = steps
        self.next = 0
        self.running = 0
        self.errors: dict[int, BaseException] = {}


class Crew:
    """Helpers that share one thread's work. The pipeline starts and joins them: each runs `help`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._round: _Round | None = None
        self._dismissed = False

    def help(self) -> None:
        """A helper's loop, until `dismiss`."""
        with self._changed:
            while not self._dismissed:
                if self._round is None or not self._step(self._round):
                    self._changed.wait()

    def dismiss(self) -> None:
        """Let the helpers go, after the steps they are at. From then on `spread` works alone."""
        with self._changed:
            self._dismissed = True
            self._changed.notify_all()

    def spread(self, steps: Sequence[Step]) -> None:
        """Run all steps, here and in the helpers; one call at a time. Raises what the first one raised."""
        if len(steps) == 1:
            steps[0]()
            return
        with self._changed:
            self._round = this = _Round(steps)
            self._changed.notify_all()
            try:
                while self._step(this):
                    pass
                while this.running:
                    self._changed.wait()
            finally:
                self._round = None
        if this.errors:
            error = this.errors[min(this.errors)]
            this.errors.clear()
            try:
                raise error
            finally:
                del error  # it holds this call, which must not hold it: pictures would stay with both

    def _step(self, this: _Round) -> bool:
        """Run the next step without the lock; False where none is left."""
        number = this.next
        if number >= len(this.steps):
            return False
        this.next += 1
        this.running += 1
        self._changed.release()
        try:
            this.steps[number]()
        except BaseException as error:  # told to whoever asked for the steps
            this.errors[number] = error
        finally:
            self._changed.acquire()
            this.running -= 1
            if not this.running:
                self._changed.notify_all()
        return True
