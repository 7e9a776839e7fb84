"""The camera's own clock: what paces it, and what it takes for the time of day."""

import time
from collections.abc import Callable

from streamer.fakecam.clip import CLOCK_HZ


class Pace:
    """Runs from 0 on, in ticks of 1/90000 s as this camera counts them. One thread only.

    With a drift all of the camera is too fast or too slow: when pictures are taken, their times, and
    the time of day that its reports tell. Without one that is right again; what it has counted stays.
    """

    def __init__(
        self,
        now_ns: Callable[[], int] = time.monotonic_ns,
        today_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._now_ns, self._today_ns = now_ns, today_ns
        self._since_ns = now_ns()
        self._ticks = 0.0  # then
        self._wrong_ns = 0.0  # then
        self._ppm = 0.0

    def drift(self, ppm: float) -> None:
        """Run so much too fast from now on."""
        wrong_ns = self._wrong_by_ns() if ppm else 0.0
        self._ticks, self._since_ns = self._counted(), self._now_ns()
        self._wrong_ns, self._ppm = wrong_ns, ppm

    def ticks(self) -> int:
        """How far it has run."""
        return round(self._counted())

    def unix_ns(self) -> int:
        """What it takes for the time of day, in ns since 1970."""
        return self._today_ns() + round(self._wrong_by_ns())

    def until_s(self, ticks: int) -> float:
        """Real seconds until it will have run so far; below 0 if it has."""
        return (ticks - self._counted()) / (CLOCK_HZ * (1 + self._ppm / 1e6))

    def _passed_ns(self) -> int:
        return self._now_ns() - self._since_ns

    def _counted(self) -> float:
        return self._ticks + self._passed_ns() * (1 + self._ppm / 1e6) * CLOCK_HZ / 1e9

    def _wrong_by_ns(self) -> float:
        return self._wrong_ns + self._passed_ns() * self._ppm / 1e6
