"""How soon a process is started again that dies before its first picture: ever later.

A stream that kills the decoder at its first keyframe would else cost a third of a core for ever.
"""

import time

FIRST_S, LONGEST_S = 0.1, 10.0


class Deaths:
    """Of one camera's processes, in a row. Used by one thread; after a picture none counts."""

    def __init__(self) -> None:
        self._pause_s = FIRST_S
        self._due_ns = 0
        self._how = ""

    def died(self, how: str) -> None:
        """One more, before there was a picture."""
        self._how = how
        self._due_ns = time.monotonic_ns() + round(self._pause_s * 1e9)
        self._pause_s = min(2 * self._pause_s, LONGEST_S)

    def survived(self) -> None:
        """A picture has come."""
        self._pause_s, self._due_ns = FIRST_S, 0

    @property
    def forbids(self) -> str:
        """Why no process is to be started now; empty where one may be."""
        left_s = (self._due_ns - time.monotonic_ns()) / 1e9
        return f"{self._how}; it is started again in {left_s:.1f} s" if left_s > 0 else ""
