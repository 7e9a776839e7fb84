"""What is to happen to which camera, and when."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

# What is over as soon as it is done: nothing has to be switched off again.
AT_ONCE = frozenset({"drop", "reset", "half_open"})


@dataclass(frozen=True, slots=True)
class Scene:
    """The cameras: so many, playing a clip of one's own or the synthetic scene."""

    count: int = 4
    clip: Path | None = None
    size: tuple[int, int] = (640, 360)
    fps: int = 15


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. `words` are the test camera's, with `network` the bad network's."""

    at_s: float  # since all cameras are there
    cameras: tuple[int, ...]
    words: str
    network: bool = False
    for_s: float | None = None  # None: once, or to the end

    @property
    def word(self) -> str:
        """What it is, without its value."""
        return self.words.split()[0]

    @property
    def end_s(self) -> float | None:
        """When the camera is to be all right again; None: it isn't any more."""
        if self.for_s is not None:
            return self.at_s + self.for_s
        return self.at_s if self.word in AT_ONCE else None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything about a trial but the detector's class. The same seed brings the same faults."""

    for_s: float
    faults: tuple[Fault, ...] = ()
    scene: Scene = Scene()
    seed: int = 0
    transport: Literal["tcp", "udp"] = "tcp"
    isolation: Literal["thread", "process"] = "thread"
    model: Any = None  # as in a configuration; None: the oracle

    @property
    def networked(self) -> tuple[int, ...]:
        """The cameras that have to be reached by a way that can be spoilt."""
        return tuple(sorted({camera for fault in self.faults if fault.network for camera in fault.cameras}))

    @property
    def faulty(self) -> frozenset[int]:
        """The cameras that anything happens to."""
        return frozenset(camera for fault in self.faults for camera in fault.cameras)
