"""Where a camera stands, and why."""

from dataclasses import dataclass
from enum import StrEnum

from streamer.errors import Cause


class State(StrEnum):
    """Where a camera stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    SILENT = "silent"  # connected, but nothing has come for longer than it should take
    RETRYING = "retrying"  # will be tried again soon
    FAILED = "failed"  # somebody has to change something first; tried again slowly
    ENDED = "ended"  # for good


@dataclass(frozen=True, slots=True)
class Status:
    """A camera's state, since when (monotonic ns), and why, in one sentence."""

    state: State
    since_ns: int
    why: str = ""
    cause: Cause | None = None
