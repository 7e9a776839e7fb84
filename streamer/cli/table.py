"""What people watch while it runs."""

import logging
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal, TextIO, cast

from rich.console import Console, Group
from rich.live import Live
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from streamer.cli.console import lines_to_stderr, shown
from streamer.cli.notes import notes
from streamer.cli.speaker import Speaker, Unbuffered
from streamer.cli.wording import clipped, counted, listed, milliseconds, span, with_unit
from streamer.pipeline import Pipeline
from streamer.stats import CameraStats, Stats
from streamer.status import State

REFRESH_S = 0.25
RATE_OVER_S = 3.0
WIDE = 110  # columns of a terminal from which on there is room for the reasons of drops
NARROW = 76  # … below which only what matters most has room
MOST_NOTES = 10  # lines below the table
FEWEST_NOTES = 3  # … where the terminal is low
FEWEST_LINES = 8
NUMBERS = ("fps in", "inferred", "at age", "at age p50", "p99 ms")  # ages when inference began

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
        for camera in stats.cameras:
            self._rates.setdefault(camera.name, Rates()).add(now, camera)
        width, lines = self._console.width, max(self._console.height - 2, FEWEST_LINES)
        cameras = _most_important(stats.cameras, lines)
        # One line for each camera, whatever happens, and columns that stand still: a table that jumps
        # cannot be read. The last column takes what is left, and reasons have the lines below.
        columns = _columns(width, max((len(camera.name) for camera in cameras), default=0))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title, wide in columns.items():
            right = title in NUMBERS or (title == "dropped" and width < WIDE)
            justify: Literal["left", "right"] = "right" if right else "left"
            table.add_column(title, width=wide, no_wrap=True, overflow="ellipsis", justify=justify)
        for camera in cameras:
            cells = self._cells(camera, now, columns, ready=stats.ready)
            table.add_row(*(cells[title] for title in columns))
        parts: list[Table | Text] = [table]
        if len(cameras) < len(stats.cameras):
            parts.append(Text(f"… and {counted(len(stats.cameras) - len(cameras), 'camera')} more", "dim"))
        most = min(MOST_NOTES, max(lines - len(cameras) - len(parts) + 1, FEWEST_NOTES))
        return Group(*parts, *notes(stats, width, most))

    def _cells(
        self, camera: CameraStats, now: float, columns: Mapping[str, int], *, ready: bool
    ) -> dict[str, str | Text]:
        rates = self._rates[camera.name]
        live = camera.status.state is State.LIVE  # what is away is as old as that, whatever it was before
        age_ms = camera.age_p50_ms if live else None
        return {
            "camera": clipped(camera.name, columns["camera"]),
            "state": self._state(camera, now, ready=ready),
            "fps in": f"{rates.captured:.1f}",
            "inferred": f"{rates.processed:.1f}",
            "at age": with_unit(age_ms),
            "at age p50": milliseconds(age_ms),
            "p99 ms": milliseconds(camera.age_p99_ms if live else None),
            "dropped": (listed(camera.dropped) if "p99 ms" in columns else str(sum(camera.dropped.values()))),
            "objects now": _seen(camera, columns["objects now"]),
        }

    def _state(self, camera: CameraStats, now: float, *, ready: bool) -> Text:
        state = camera.status.state
        word = state.value if camera.live or state is not State.LIVE else "reading"
        if state is State.LIVE and not ready:
            word = "loading"
        return Text(f"{word} {span(now - camera.status.since_ns / 1e9)}", style=COLOURS[state])


def _columns(width: int, longest_name: int) -> dict[str, int]:
    """Titles and widths for a terminal that is so wide."""
    wide = width >= WIDE
    columns = {"camera": min(max(longest_name, 6), 20 if wide else 12), "state": 14}
    if wide:
        columns |= {"fps in": 6, "inferred": 8, "at age p50": 10, "p99 ms": 6, "dropped": 21}
    elif width >= NARROW:
        columns |= {"fps in": 6, "inferred": 8, "at age": 6, "dropped": 7}
    else:
        columns |= {"at age": 6}
    left = width - sum(columns.values()) - 2 * len(columns)
    return {**columns, "objects now": max(left, 10)}


def _most_important(cameras: Sequence[CameraStats], lines: int) -> Sequence[CameraStats]:
    """All of them where there are so many lines; or else those first that are not live, in their order."""
    room = lines - FEWEST_NOTES - 2  # the titles, and how many more there are
    if len(cameras) <= lines - FEWEST_NOTES - 1:
        return cameras
    kept = sorted(range(len(cameras)), key=lambda number: cameras[number].status.state is State.LIVE)[:room]
    return [cameras[number] for number in sorted(kept)]


def _seen(camera: CameraStats, width: int) -> Text:
    """What is in front of it, or in one word why that cannot be said."""
    status = camera.status
    if status.state is not State.LIVE:
        return Text(status.cause.value if status.cause else "", style="yellow")
    words = ", ".join(camera.quality.words)
    between = ": " if words and camera.objects else ""
    objects = {shown(label): count for label, count in camera.objects.items()}
    return Text.assemble((words, "yellow"), between, listed(objects, width - len(words + between)))


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
