"""Which pictures lean on something that never came: all of them, until one leans on nothing."""

# Pictures that are shown before the keyframe they come after (open groups): more a codec does not reorder.
MOST_LEADING = 16


class Damage:
    """Follows one stream's pictures in the order in which they are decoded. Used in one thread."""

    def __init__(self) -> None:
        self._leaning = False
        self._recovering: int | None = None  # pictures to come until all is as it should be again
        self._clean_from: int | None = None  # what is shown before the keyframe leans on what was lost
        self._leading = 0

    def lost(self) -> None:
        """Something was lost, or could not be decoded: what comes leans on it."""
        self._leaning, self._recovering = True, None

    def judge(
        self, pts: int | None, *, keyframe: bool, whole: bool, lost_before: bool = False, recovery: int = 0
    ) -> bool:
        """True where the next picture is damaged.

        `pts` is when it is shown, in any unit. A keyframe that came whole ends the damage, after
        `recovery` pictures more where it is one that comes in pieces (ITU-T H.264, D.2.8).
        """
        if lost_before or not whole:
            self.lost()
        if keyframe and whole:
            self._begin_recovery(pts, recovery)
        elif self._recovering is not None:
            self._recovering -= 1
            if self._recovering <= 0:
                self._heal(pts)
        if self._clean_from is not None and pts is not None:
            if pts < self._clean_from and self._leading < MOST_LEADING:
                self._leading += 1
                return True
            if pts > self._clean_from:
                self._clean_from = None
        return self._leaning

    def _begin_recovery(self, pts: int | None, recovery: int) -> None:
        if not self._leaning:
            self._clean_from = None
        elif recovery == 0:
            self._heal(pts)
        else:  # one that comes before the last has ended adds nothing to it
            left = recovery if self._recovering is None else self._recovering - 1
            self._recovering = min(left, recovery)
            if self._recovering <= 0:
                self._heal(pts)

    def _heal(self, pts: int | None) -> None:
        self._leaning, self._recovering = False, None
        self._clean_from, self._leading = pts, 0
