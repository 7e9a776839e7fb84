"""The account at the end of a run."""

import io

from rich.console import Console
from rich.table import Table

from streamer.cli.console import shown
from streamer.cli.wording import clipped, counted, left_behind, listed, milliseconds
from streamer.stats import CameraStats, SinkStats, Stats

NUMBERS_WIDTH = 47  # columns that the summary's numbers take, with what is between them
_LOST = {"sink": "left out for newer ones", "closed": "not written any more at the end"}
_LOST_IN_FAILURE = {**_LOST, "sink": "lost while it did not work or was busy"}


def summary(stats: Stats, width: int) -> str:
    """Every frame is either processed or dropped for a reason; what was lost or stood still is said."""
    if stats.cameras and all(camera.failed and not camera.captured for camera in stats.cameras):
        return "".join(f"{_sink(sink)}\n" for sink in stats.sinks if sink.why)  # the rest was said just now
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None, markup=False, emoji=False, highlight=False)
    drops = [listed(camera.dropped) for camera in stats.cameras]
    names = max((len(camera.name) for camera in stats.cameras), default=0)
    beside = width - names - NUMBERS_WIDTH >= max(map(len, drops), default=0)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("camera", no_wrap=True)
    for title in ("captured", "processed", "at age p50", "p99 ms"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("dropped", justify="left" if beside else "right", no_wrap=True)
    for camera, dropped in zip(stats.cameras, drops, strict=True):
        table.add_row(
            clipped(camera.name, max(width - NUMBERS_WIDTH - len("dropped"), 12)),
            str(camera.captured),
            str(camera.processed),
            milliseconds(camera.age_p50_ms),
            milliseconds(camera.age_p99_ms),
            dropped if beside else str(sum(camera.dropped.values())),
        )
    console.print(table)
    for camera in stats.cameras:
        if parts := _trouble(camera, with_drops=not beside):
            console.print(f"{camera.name}: {'; '.join(parts)}")
    for sink in stats.sinks:
        console.print(_sink(sink))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _trouble(camera: CameraStats, *, with_drops: bool) -> list[str]:
    parts = [f"dropped {listed(camera.dropped)}"] if with_drops and camera.dropped else []
    parts += [f"not live for {camera.away_s:.1f} s"] if camera.away_s >= 0.1 else []
    parts += [f"reconnects: {listed(camera.reconnects)}"] if camera.reconnects else []
    parts += [left_behind(camera.given_up)] if camera.given_up else []
    parts += [f"at the end: {shown(camera.status.why)}"] if camera.status.why else []
    return parts


def _sink(sink: SinkStats) -> str:
    parts = [f"{counted(sink.written, 'result')} written"]
    lost = _LOST_IN_FAILURE if sink.failures else _LOST
    parts += [
        f"{count} {lost.get(reason, f'dropped ({reason})')}"
        for reason, count in sink.dropped.items()
        if count
    ]
    if sink.stuck_s >= 1:
        parts.append(f"stuck for {sink.stuck_s:.0f} s")
    if sink.failures:
        parts.append("failed once" if sink.failures == 1 else f"failed {sink.failures} times")
    why = f": {shown(sink.why)}" if sink.why else ""
    return f"sink {sink.name}: {', '.join(parts)}{why}"
