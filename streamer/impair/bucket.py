"""The rate of a link: a token bucket that is asked when something could have passed."""

BURST_S = 0.02  # what the bucket holds, in time at the full rate: more than a timer's error


class Bucket:
    """Lets `rate_bps` pass, and after a pause up to BURST_S of it at once. None is without limit."""

    def __init__(self, rate_bps: float | None) -> None:
        self.rate_bps = rate_bps
        self._busy_until_s = -1e18

    @property
    def burst_bytes(self) -> int:
        """The most that passes at once; at least one."""
        return 1 << 30 if self.rate_bps is None else max(1, int(self.rate_bps * BURST_S / 8))

    def take(self, now_s: float, size_bytes: int) -> float:
        """Queue this behind what was taken before; returns the time in s when its end has passed."""
        if self.rate_bps is None:
            return now_s
        begin_s = max(self._busy_until_s, now_s - BURST_S)
        self._busy_until_s = begin_s + size_bytes * 8 / self.rate_bps
        return max(now_s, self._busy_until_s)

    def queued_bytes(self, now_s: float) -> float:
        """How much of what was taken has not passed yet."""
        return 0.0 if self.rate_bps is None else max(0.0, self._busy_until_s - now_s) * self.rate_bps / 8
