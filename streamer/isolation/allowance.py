"""How often the other side may do something: so many at once, so many a second (a token bucket)."""


class Allowance:
    """Full at first. Used by one thread; times are monotonic ns."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._most = float(at_once)
        self._left = self._most
        self._per_s = per_s
        self._at_ns: int | None = None

    def take(self, count: int, now_ns: int) -> bool:
        """Take so many. False, and nothing is taken, where that is more than is left."""
        if self._at_ns is not None:
            self._left = min(self._most, self._left + (now_ns - self._at_ns) / 1e9 * self._per_s)
        self._at_ns = now_ns
        if count > self._left:
            return False
        self._left -= count
        return True
