"""What people watch while it runs."""

import logging
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from streamer.cli.console import lines_to_stderr, shown
from streamer.cli.speaker import Speaker, Unbuffered
from streamer.cli.wording import left_behind, listed, milliseconds, span, without_address
from streamer.pipeline import Pipeline
from streamer.stats import CameraStats, SinkStats, Stats
from streamer.status import State

REFRESH_S = 0.25
RATE_OVER_S = 3.0
WIDE = 110  # columns of a terminal from which on there is room for the reasons of drops
MOST_NOTES = 8  # lines below the table
STUCK_S = 1.0  # a sink that is at one single thing for so long
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
        stderr = cast(TextIO, Unbuffered(sys.stderr))
        self._console = Console(file=stderr, markup=False, emoji=False)
        self._live: Live | None = None
        self._speaker: Speaker | None = None
        self._rates: dict[str, Rates] = {}
        self._next = 0.0
        self.width = self._console.width if self._console.is_terminal else 160
        self.log_handler: logging.Handler = lines_to_stderr()
        if self._console.is_terminal:
            self.log_handler = RichHandler(
                console=self._console, show_time=False, show_level=False, show_path=False, markup=False
            )

    @contextmanager
    def drawn_by(self, speaker: Speaker) -> Iterator[None]:
        """Have it drawn, while the block lasts, by whoever writes the log's lines: they stay above it."""
        if not self._console.is_terminal:
            yield
            return
        # What somebody prints is for stdout, and in another thread it would wait for this one.
        self._live = live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._speaker = speaker
        speaker.say(live.start)
        try:
            yield
        finally:
            self._live = self._speaker = None
            speaker.say(live.stop)

    def tick(self) -> None:
        """Draw it anew when it is time to; called by the main thread's loop."""
        now = time.monotonic()
        if self._live is None or self._speaker is None or now < self._next:
            return
        self._next = now + REFRESH_S
        self._speaker.show(partial(self._live.update, self._table(self._pipeline.stats(), now), refresh=True))

    def _table(self, stats: Stats, now: float) -> Group:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        wide = self._console.width >= WIDE
        # One line for each camera, whatever happens, and columns that stand still: a table that jumps
        # cannot be read. The last column takes what is left, and reasons have the lines below.
        names = max((len(camera.name) for camera in stats.cameras), default=0)
        columns = {"camera": min(max(names, 6), 20 if wide else 12), "state": 14, "fps in": 6, "inferred": 8}
        columns |= {"age p50": 7, "p99 ms": 6, "dropped": 24} if wide else {"age p50": 7, "dropped": 7}
        left = self._console.width - sum(columns.values()) - 2 * len(columns)
        for title, width in {**columns, "objects now": max(left, 10)}.items():
            justify: Literal["left", "right"] = "right" if title in NUMBERS else "left"
            table.add_column(title, width=width, no_wrap=True, overflow="ellipsis", justify=justify)
        for camera in stats.cameras:
            rates = self._rates.setdefault(camera.name, Rates())
            rates.add(now, camera)
            cells: dict[str, str | Text] = {
                "camera": camera.name,
                "state": self._state(camera, now, ready=stats.ready),
                "fps in": f"{rates.captured:.1f}",
                "inferred": f"{rates.processed:.1f}",
                "age p50": milliseconds(camera.age_p50_ms),
                "p99 ms": milliseconds(camera.age_p99_ms),
                "dropped": listed(camera.dropped) if wide else str(sum(camera.dropped.values())),
            }
            table.add_row(*(cells[title] for title in columns), _seen(camera))
        return Group(table, *notes(stats))

    def _state(self, camera: CameraStats, now: float, *, ready: bool) -> Text:
        state = camera.status.state
        word = state.value if camera.live or state is not State.LIVE else "reading"
        if state is State.LIVE and not ready:
            word = "loading"
        return Text(f"{word} {span(now - camera.status.since_ns / 1e9)}", style=COLOURS[state])


def _seen(camera: CameraStats) -> Text:
    """What is in front of it, or in one word why that cannot be said."""
    status = camera.status
    if status.state is not State.LIVE:
        return Text(status.cause.value if status.cause else "", style="yellow")
    words, objects = ", ".join(camera.quality.words), shown(listed(camera.objects))
    return Text.assemble((words, "yellow"), ": " if words and objects else "", objects)


def notes(stats: Stats) -> list[Text]:
    """What people may want to act on, a line each: sinks first, then cameras that are not live."""
    lines = [Text(shown(line), style="red") for sink in stats.sinks for line in _trouble(sink)]
    cameras = sorted(
        stats.cameras, key=lambda camera: (camera.status.state is State.LIVE, not camera.status.why)
    )
    for camera in cameras:
        parts = [without_address(camera.status.why)] if camera.status.why else []
        parts += [f"pictures {', '.join(camera.quality.words)}"] if camera.quality else []
        parts += [f"reconnects: {listed(camera.reconnects)}"] if camera.reconnects else []
        parts += [left_behind(camera.given_up)] if camera.given_up else []
        if parts:
            lines.append(Text(shown(f"{camera.name}: {'; '.join(parts)}"), style="yellow"))
    if len(lines) > MOST_NOTES:
        lines[MOST_NOTES - 1 :] = [Text(f"… and {len(lines) - MOST_NOTES + 1} more", style="yellow")]
    return lines


def _trouble(sink: SinkStats) -> list[str]:
    if sink.stuck_s >= STUCK_S:
        return [f"sink {sink.name}: stuck for {sink.stuck_s:.0f} s; dropped {sum(sink.dropped.values())}"]
    return [f"{sink.why}; dropped {sum(sink.dropped.values())}"] if sink.why else []


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
