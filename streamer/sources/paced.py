"""A recording played in real time, as if it came from a camera."""

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from streamer.clock import Clock
from streamer.contracts import Captured, Source
from streamer.sources.schedule import Schedule

# Pictures without a presentation time are shown one a second.
_UNTIMED_STEP_NS = 1_000_000_000


class Paced:
    """Yields a recording's pictures when they are due, counted from the first one.

    `captured_ns` is the time at which a picture was due: a decoder that falls behind makes old
    pictures, not a slow film. The end is final, as the recording's own is. Raises what it raises.
    """

    live = True
    ends = True

    def __init__(self, recording: Source, clock: Clock) -> None:
        self._recording = recording
        self._clock = clock
        self._schedule = Schedule(clock)

    def __enter__(self) -> Self:
        self._recording.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._recording.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Captured]:
        started_ns: int | None = None
        for index, captured in enumerate(self._recording):
            at_ns = index * _UNTIMED_STEP_NS if captured.pts_ns is None else captured.pts_ns
            if started_ns is None:
                started_ns = self._clock.now_ns() - at_ns
            if not self._schedule.wait_until(started_ns + at_ns):
                return
            yield replace(captured, captured_ns=started_ns + at_ns)

    def stop(self) -> None:
        """End the iteration, also while it waits. From any thread."""
        self._schedule.stop()
