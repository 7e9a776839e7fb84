"""A flag that neither comes nor goes on one picture's word."""

NS = 1_000_000_000
# Between two pictures nobody saw anything: a long gap counts as no more than this.
_LONGEST_NS = NS


class Holding:
    """Begins after `begin_ns` of evidence for it without a break, ends after `end_ns` against it."""

    def __init__(self, begin_ns: int, end_ns: int) -> None:
        self.holds = False
        self._begin_ns, self._end_ns = begin_ns, end_ns
        self._for_ns: int | None = None  # how long what was said last has been said; None: nothing yet

    def told(self, evidence: bool | None, passed_ns: int) -> bool:
        """What holds now. `passed_ns` is the time since the last picture; None: this one cannot tell."""
        if evidence is None or evidence is self.holds:
            self._for_ns = None
        elif self._for_ns is None:
            self._for_ns = 0
        else:
            self._for_ns += min(passed_ns, _LONGEST_NS)
            if self._for_ns >= (self._end_ns if self.holds else self._begin_ns):
                self.holds, self._for_ns = not self.holds, None
        return self.holds

    def interrupted(self) -> None:
        """What was said before says nothing of what comes: begin to count anew, keep what holds."""
        self._for_ns = None
