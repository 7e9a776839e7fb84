"""What an engine looks like to the detector: it takes pixels and gives the network's output, or boxes."""

import difflib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors.yolo.postprocess import Boxes, Reading
from streamer.errors import ConfigError, DetectorError


class Engine(Protocol):
    """One network on one device, loaded when it is made."""

    precision: str  # fp32 or fp16
    labels: Sequence[str] | None  # None where the model does not say
    stride: int  # sides of its input are multiples of this …
    shape: tuple[int, int] | None  # … or exactly this height and width

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Room for `count` pictures to be drawn into, (count, height, width, 3) BGR. Any thread."""

    def stage(self, canvas: NDArray[np.uint8]) -> Any:
        """Make a drawn canvas ready for `run`; it belongs to the engine from now on. Any thread."""

    def run(self, staged: Any) -> NDArray[np.float32]:
        """The network's output for the pictures of a canvas. One thread. Raises DetectorError."""


class ReadingEngine(Protocol):
    """An engine that gives boxes: on the CPU any Engine with `CpuReading` round it."""

    precision: str
    labels: Sequence[str] | None
    stride: int
    shape: tuple[int, int] | None

    def probe(self, shape: tuple[int, int]) -> tuple[int, ...]:
        """The shape of the network's output for one picture of this height and width. Before `start`."""

    def start(self, reading: Reading, shapes: Sequence[tuple[int, int]]) -> None:
        """Get ready for inputs of these shapes, which are usual; others are taken as well. Once."""

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """Room for `count` pictures to be drawn into, (count, height, width, 3) BGR. Any thread."""

    def stage(self, canvas: NDArray[np.uint8]) -> Any:
        """Take over a drawn canvas. A device with a queue of its own begins with it. Any thread."""

    def wait(self, staged: Any) -> None:
        """Return when the device is done with it and free for the next. One thread. Raises DetectorError."""

    def boxes(self, staged: Any) -> Sequence[Boxes]:
        """The boxes in each picture, once, after `wait`. The same thread. Raises DetectorError."""

    def close(self) -> None:
        """Let go of the device; what was staged and not waited for is lost."""


def check_imgsz(imgsz: int, stride: int) -> None:
    """Raises ConfigError, naming the nearest that can be, unless it is a positive multiple of `stride`."""
    if imgsz <= 0 or imgsz % stride:
        near = max(round(imgsz / stride), 1) * stride
        raise ConfigError(f"imgsz must be a positive multiple of {stride}, not {imgsz}; nearest is {near}")


def check_labels(names: object, where: str) -> tuple[str, ...]:
    """Labels as a model states them, a list or a mapping from 0, 1, 2…, as a tuple.

    Raises DetectorError where they are something else.
    """
    if isinstance(names, dict) and sorted(names, key=str) == sorted(range(len(names)), key=str):
        names = [names[i] for i in range(len(names))]
    if not isinstance(names, list | tuple) or not names or not all(isinstance(n, str) for n in names):
        raise DetectorError(f"{where}: its labels must be texts numbered from 0, not {str(names)[:80]!r}")
    if odd := [name for name in names if not name.isprintable()]:
        raise DetectorError(f"{where}: its label {odd[0][:80]!r} cannot be printed")
    return tuple(names)


def choose_classes(labels: Sequence[str], classes: Sequence[str] | None) -> NDArray[np.bool_]:
    """For each label whether it is wanted, (len(labels),). Raises ConfigError for an unknown class."""
    if classes is None:
        return np.ones(len(labels), np.bool_)
    for name in classes:
        if name not in labels:
            near = difflib.get_close_matches(name, labels, 3) or labels[:10]
            raise ConfigError(f"the model knows no class {name!r}; did you mean {', '.join(near)}?")
    return np.array([label in classes for label in labels], np.bool_)
