"""How many pictures a second really come: what a driver grants is a promise."""

SETTLE_NS, SPAN_NS = 1_000_000_000, 5_000_000_000
# In dim light cameras expose longer and halve their rate, or worse; a little less is nothing to speak of.
_ENOUGH = 0.75


class Rate:
    """Measures one connection once: a second after its start, for five. Used in one thread."""

    def __init__(self, granted_fps: float | None) -> None:
        self._granted_fps = granted_fps
        self._first_ns: int | None = None
        self._since_ns: int | None = None
        self._count = 0
        self.fps: float | None = None  # what came, once it is known

    def came(self, captured_ns: int, skipped: int) -> float | None:
        """A picture came, monotonic ns; the rate where it is known now, and far less than was granted."""
        if self.fps is not None:
            return None
        if self._first_ns is None:
            self._first_ns = captured_ns
        if skipped:  # we were late: the driver had no room, and that says nothing of the camera
            self._since_ns = None
        if captured_ns - self._first_ns < SETTLE_NS:
            return None
        if self._since_ns is None:
            self._since_ns, self._count = captured_ns, 0
            return None
        self._count += 1
        passed_ns = captured_ns - self._since_ns
        if passed_ns < SPAN_NS:
            return None
        self.fps = self._count * 1e9 / passed_ns
        poor = self._granted_fps is not None and self.fps < _ENOUGH * self._granted_fps
        return self.fps if poor else None
