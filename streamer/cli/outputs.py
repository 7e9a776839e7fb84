"""Folders that outputs make: said, for one that nobody expects may be a slip of the hand."""

from collections.abc import Sequence
from pathlib import Path

from streamer.config.sink import JsonlConfig, SinkConfig, VideoConfig

CAMERA = "{camera}"


def new_folders(sinks: Sequence[SinkConfig]) -> list[str]:
    """A sentence for each folder that is not there and that an output is going to make."""
    said = []
    for sink in sinks:
        if isinstance(sink, JsonlConfig | VideoConfig) and sink.path != "-":
            folder = Path(sink.path.partition(CAMERA)[0] + "…").parent  # as far as it is known by now
            if not _there(folder):
                said.append(f"{sink.use}: the folder {folder} is not there yet, and is made")
    return list(dict.fromkeys(said))


def _there(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # it may not be looked at: the sink says so
        return True
