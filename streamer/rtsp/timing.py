"""When a camera's pictures were taken: time stamps and sender reports to times on one scale."""

from typing import NamedTuple

from streamer.rtsp.rtcp import SenderReport
from streamer.rtsp.rtp import DecodeTimes, Stamps
from streamer.rtsp.units import AccessUnit

_S = 1_000_000_000


class Arrival(NamedTuple):
    """An access unit with its times."""

    unit: AccessUnit
    ticks: int  # since the first one
    pts_ns: int  # the same in ns
    dts_ns: int  # when it is decoded, on the same scale
    source_ns: int | None  # the camera's wall clock, Unix ns, once a sender report has come


class Timing:
    """Gives one connection's units their times, over changes of the sender. Used in one thread."""

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._stamps = Stamps(clock_hz)
        self._decode_times = DecodeTimes()
        self._anew = False  # the next unit is another sender's first
        self._report: SenderReport | None = None
        self._report_ticks: int | None = None  # its stamp, since the first picture's

    def begin_anew(self) -> None:
        """What follows is another sender's."""
        self._anew = True

    def reported(self, report: SenderReport) -> None:
        """The camera tells its wall clock."""
        self._report = report
        # Its stamp means something only near to its own pictures: it wraps after 13 h.
        self._report_ticks = None if self._anew else self._stamps.near(report.stamp)

    def arrival(self, unit: AccessUnit, ssrc: int | None) -> Arrival:
        """The unit of this sender with its times."""
        if self._anew:
            self._anew = False
            self._decode_times = DecodeTimes()
            self._stamps.begin_anew(unit.stamp, unit.arrived_ns)
        ticks, hz = self._stamps.unwrap(unit.stamp, unit.arrived_ns), self._clock_hz
        dts_ns = self._decode_times.after(ticks) * _S // hz
        return Arrival(unit, ticks, ticks * _S // hz, dts_ns, self._source_ns(ticks, ssrc))

    def _source_ns(self, ticks: int, ssrc: int | None) -> int | None:
        report = self._report
        if report is None or report.ssrc != ssrc:
            return None
        if self._report_ticks is None:
            self._report_ticks = self._stamps.near(report.stamp)
            assert self._report_ticks is not None
        return report.unix_ns + (ticks - self._report_ticks) * _S // self._clock_hz
