"""What people may want to act on, below the table."""

from rich.text import Text

from streamer.cli.console import shown
from streamer.cli.wording import left_behind, listed, without_address
from streamer.stats import SinkStats, Stats
from streamer.status import State

STUCK_S = 1.0  # a sink that is at one single thing for so long


def notes(stats: Stats, width: int, most: int) -> list[Text]:
    """A note each: sinks first, then cameras that are not live; no more than fit into `most` lines."""
    found = [Text(shown(line), style="red") for sink in stats.sinks for line in _of_sink(sink)]
    cameras = sorted(
        stats.cameras, key=lambda camera: (camera.status.state is State.LIVE, not camera.status.why)
    )
    for camera in cameras:
        parts = [without_address(camera.status.why)] if camera.status.why else []
        parts += [f"pictures {', '.join(camera.quality.words)}"] if camera.quality else []
        parts += [f"reconnects: {listed(camera.reconnects)}"] if camera.reconnects else []
        parts += [left_behind(camera.given_up)] if camera.given_up else []
        if parts:
            found.append(Text(shown(f"{camera.name}: {'; '.join(parts)}"), style="yellow"))
    return _fitting(found, width, most)


def _fitting(found: list[Text], width: int, most: int) -> list[Text]:
    left = most
    for number, note in enumerate(found):
        lines = -(-len(note) // width)
        last = number == len(found) - 1
        if lines > left - (not last):  # a line is kept for how many more there are
            return [*found[:number], Text(f"… and {len(found) - number} more", style="yellow")]
        left -= lines
    return found


def _of_sink(sink: SinkStats) -> list[str]:
    if sink.stuck_s >= STUCK_S:
        return [f"sink {sink.name}: stuck for {sink.stuck_s:.0f} s; dropped {sum(sink.dropped.values())}"]
    return [f"{sink.why}; dropped {sum(sink.dropped.values())}"] if sink.why else []
