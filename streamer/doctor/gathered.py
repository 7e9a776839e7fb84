"""What a look at a source has found so far: written by the thread that looks, read by anybody."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from streamer.clock import Clock
from streamer.doctor.flow import Flow
from streamer.doctor.report import Report
from streamer.sources.address import Address

if TYPE_CHECKING:  # PyAV loads with it
    from streamer.doctor.header import Header

_S = 1_000_000_000


class Gathered:
    """One source's report while it grows. Thread-safe."""

    def __init__(self, address: Address, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._report = Report(address)
        self._flow = Flow(live=address.live)
        self._begun_ns = clock.now_ns()
        self._open_ns: int | None = None

    def begin(self) -> None:
        """Connecting begins."""
        with self._lock:
            self._begun_ns = self._clock.now_ns()

    def opened(self) -> None:
        """It is open; nothing has been read."""
        with self._lock:
            self._open_ns = self._clock.now_ns()
            self._report = replace(self._report, connect_s=(self._open_ns - self._begun_ns) / _S)

    @property
    def open_s(self) -> float:
        """How long it has been open, in seconds."""
        return 0.0 if self._open_ns is None else (self._clock.now_ns() - self._open_ns) / _S

    @property
    def pictures(self) -> int:
        return self._report.pictures

    @property
    def header(self) -> bool:
        """True where it is known what the stream says of itself."""
        return self._report.codec is not None

    def note(self, **found: Any) -> None:
        """Something of the report is known now, by its name there."""
        with self._lock:
            self._report = replace(self._report, **found)

    def describe(self, header: "Header") -> None:
        """What the stream says of itself."""
        self.note(
            codec=header.codec,
            profile=header.profile,
            announced_fps=header.fps,
            interlaced=header.interlaced,
            audio=header.audio,
            duration_s=header.duration_s,
        )

    def clock_offset(self, offset_ns: int) -> None:
        """The camera's clock less ours when a picture came: what took the shortest way counts."""
        before_s, offset_s = self._report.clock_offset_s, offset_ns / _S
        if before_s is None or offset_s > before_s:
            self.note(clock_offset_s=offset_s)

    def picture(self, size: tuple[int, int], *, damaged: bool, decode_s: float | None) -> None:
        """A decoded one."""
        with self._lock:
            before = self._report
            first_s = before.first_picture_s
            self._report = replace(
                before,
                size=size,
                pictures=before.pictures + 1,
                damaged=before.damaged + damaged,
                decode_s=before.decode_s if decode_s is None else decode_s,
                first_picture_s=(self._clock.now_ns() - self._begun_ns) / _S if first_s is None else first_s,
            )

    def packet(
        self, size_bytes: int, *, keyframe: bool, arrived_ns: int, pts_ns: int | None, dts_ns: int | None
    ) -> None:
        """A compressed one; of what is not compressed, 0 bytes."""
        with self._lock:
            self._flow.add(size_bytes, keyframe=keyframe, arrived_ns=arrived_ns, pts_ns=pts_ns, dts_ns=dts_ns)

    def segmented(self) -> None:
        """Packets come many at a time: when they come says nothing."""
        with self._lock:
            self._flow.live = False

    def ended(self) -> None:
        """Looking is over."""
        with self._lock:
            live = self._report.address.live
            self._report = replace(self._report, watched_s=self.open_s if live else self._flow.span_s)

    def report(self) -> Report:
        """All of it."""
        with self._lock:
            flow, report = self._flow, self._report
            times = flow.timeline
            found = replace(
                report,
                watched_s=report.watched_s or (self.open_s if report.address.live else flow.span_s),
                packets=flow.packets,
                measured_fps=flow.fps,
                stamps_off=flow.stamps_off,
            )
            if not flow.size_bytes:
                return found
            return replace(
                found,
                bits_per_s=flow.bits_per_s,
                keyframes=times.keyframes,
                keyframe_every_s=None if flow.by_disk else times.keyframe_every_s,
                no_keyframe_s=0.0 if flow.by_disk else times.no_keyframe_s,
                b_frames=flow.b_frames,
                jitter_s=flow.jitter_s,
            )
