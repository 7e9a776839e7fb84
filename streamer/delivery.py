"""What goes over a leg to a sink, and what a sink says that it wants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streamer.contracts import Sink
from streamer.errors import ConfigError
from streamer.frame import Frame
from streamer.health import Health
from streamer.result import Result

KINDS = (Result, Health, Frame)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A result on its way to one sink, and whom to tell when the sink has it."""

    result: Result
    done: Callable[[], None]


Item = Delivery | Health | Frame


def carried(item: Item) -> Mapping[str, int]:
    """What a result that is dropped on its way answers for."""
    return item.result.dropped if isinstance(item, Delivery) else {}


def camera_of(item: Result | Health | Frame) -> str:
    """Whose it is."""
    return item.frame.camera if isinstance(item, Result) else item.camera


def takes_of(sink: Sink[Any], name: str) -> tuple[type, ...]:
    """What a sink wants. Raises ConfigError where nobody makes that."""
    takes = getattr(sink, "takes", None)
    wanted = takes if isinstance(takes, tuple) else (takes,)
    strange = [kind for kind in wanted if kind not in KINDS] if wanted else [takes]
    if strange:
        what = getattr(strange[0], "__name__", strange[0])
        raise ConfigError(
            f"sink {name} takes {what}; allowed: Result, Health, Frame, or a tuple; nothing else is made"
        )
    return wanted


def backlog_of(sink: Sink[Any], name: str) -> int:
    """How many results of a live camera may wait for it. Raises ConfigError."""
    backlog = getattr(sink, "backlog", 1)
    if not isinstance(backlog, int) or backlog < 1:
        raise ConfigError(f"sink {name}: its backlog is {backlog!r}; allowed is a whole number above 0")
    return backlog


def idle_of(sink: Sink[Any], name: str) -> Callable[[], None] | None:
    """What it wants to have called when nothing comes. Raises ConfigError."""
    idle: Callable[[], None] | None = getattr(sink, "idle", None)
    if idle is not None and not callable(idle):
        raise ConfigError(f"sink {name}: its idle is {idle!r}; allowed is a method")
    return idle
