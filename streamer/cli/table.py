"""What people watch while it runs, and the account at the end."""

import io
import logging
import sys
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from streamer.cli.console import shown
from streamer.pipeline import Pipeline
from streamer.stats import CameraStats, Stats
from streamer.status import State

REFRESH_S = 0.25
RATE_OVER_S = 3.0
WIDE = 110  # columns of a terminal from which on there is room for the reasons of drops
NUMBERS = ("fps in", "inferred", "age p50", "p99 ms")

COLOURS = {
    State.CONNECTING: "yellow",
    State.LIVE: "green",
    State.SILENT: "yellow",
    State.RETRYING: "yellow",
    State.FAILED: "red",
    State.ENDED: "dim",
}


class LiveTable:
    """A table on a terminal that shows each camera's state; elsewhere nothing but the log's lines."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._console = Console(stderr=True, markup=False, emoji=False)
        self._live: Live | None = None
        self._rates: dict[str, Rates] = {}
        self._next = 0.0
        self.width = self._console.width if self._console.is_terminal else 160
        self.log_handler: logging.Handler = logging.StreamHandler(sys.stderr)
        if self._console.is_terminal:
            self.log_handler = RichHandler(
                console=self._console, show_time=False, show_level=False, show_path=False, markup=False
            )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)

    def tick(self) -> None:
        """Draw it anew when it is time to; called by the main thread's loop."""
        now = time.monotonic()
        if self._live is None or now < self._next:
            return
        self._next = now + REFRESH_S
        self._live.update(self._table(self._pipeline.stats(), now), refresh=True)

    def _table(self, stats: Stats, now: float) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        wide = self._console.width >= WIDE
        # One line for each camera, whatever happens, and columns that stand still: a table that jumps
        # cannot be read. The last column takes what is left.
        names = max((len(camera.name) for camera in stats.cameras), default=0)
        widths = [min(max(names, 6), 20 if wide else 12), 8, 6, 8, 7, 6, 24 if wide else 7]
        left = self._console.width - sum(widths) - 2 * len(widths)
        titles = ("camera", "state", "fps in", "inferred", "age p50", "p99 ms", "dropped", "objects now")
        for title, width in zip(titles, [*widths, max(left, 10)], strict=True):
            justify: Literal["left", "right"] = "right" if title in NUMBERS else "left"
            table.add_column(title, width=width, no_wrap=True, overflow="ellipsis", justify=justify)
        for camera in stats.cameras:
            rates = self._rates.setdefault(camera.name, Rates())
            rates.add(now, camera)
            state = camera.status.state
            word = state.value if camera.live or state is not State.LIVE else "reading"
            warming = state is State.LIVE and not stats.ready
            table.add_row(
                camera.name,
                Text("loading" if warming else word, style=COLOURS[state]),
                f"{rates.captured:.1f}",
                f"{rates.processed:.1f}",
                _ms(camera.age_p50_ms),
                _ms(camera.age_p99_ms),
                listed(camera.dropped) if wide else str(sum(camera.dropped.values())),
                Text(_without_address(shown(camera.status.why)), style="yellow")
                if camera.status.why
                else shown(listed(camera.objects)),
            )
        return table


class Rates:
    """Frames per second over the last few seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def add(self, now: float, camera: CameraStats) -> None:
        """Take note of the counters as they stand now."""
        self._seen.append((now, camera.captured, camera.processed))
        while now - self._seen[0][0] > RATE_OVER_S:
            self._seen.popleft()

    @property
    def captured(self) -> float:
        return self._rate(1)

    @property
    def processed(self) -> float:
        return self._rate(2)

    def _rate(self, column: int) -> float:
        first, last = self._seen[0], self._seen[-1]
        return (last[column] - first[column]) / (last[0] - first[0]) if last[0] > first[0] else 0.0


def summary(stats: Stats, width: int) -> str:
    """The account at the end: every frame is either processed or dropped for a reason."""
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None, markup=False, emoji=False)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("camera", no_wrap=True)
    for title in ("captured", "processed", "age p50", "p99 ms"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("dropped")
    table.add_column("ended")
    for camera in stats.cameras:
        table.add_row(
            camera.name,
            str(camera.captured),
            str(camera.processed),
            _ms(camera.age_p50_ms),
            _ms(camera.age_p99_ms),
            listed(camera.dropped),
            shown(camera.status.why),
        )
    console.print(table)
    for sink in stats.sinks:
        lost = f", dropped {listed(sink.dropped)}" if sink.dropped else ""
        why = f": {shown(sink.why)}" if sink.why else ""
        console.print(f"sink {sink.name}: {sink.written} results written{lost}{why}", highlight=False)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def listed(counts: Mapping[str, int]) -> str:
    """Counts as people read them: "3 person, 1 car"."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _without_address(why: str) -> str:
    """The cause alone: which camera it is stands in the same line, and the address in the message."""
    return why.partition(": ")[2] or why


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
