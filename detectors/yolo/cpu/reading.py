"""An engine on the CPU, and the reading of its output."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.yolo.engine import Engine
from detectors.yolo.postprocess import Boxes, Reading


class Staged:
    """A drawn canvas, and later what was found in it."""

    def __init__(self, inputs: Any) -> None:
        self.inputs = inputs  # what the engine made of the pixels
        self.boxes: Sequence[Boxes] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what the engine made."""
        shape: tuple[int, ...] = self.inputs.shape
        return shape


class CpuReading:
    """Gives the boxes that an engine's output holds: the device is the CPU, so `wait` does all the work."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.precision, self.labels = engine.precision, engine.labels
        self.stride, self.shape = engine.stride, engine.shape
        self._reading: Reading | None = None
        self._warm: set[tuple[int, int]] = set()

    def probe(self, shape: tuple[int, int]) -> tuple[int, ...]:
        self._warm.add(shape)
        canvas = self._engine.canvas(1, shape)
        canvas[...] = 0
        return self._engine.run(self._engine.stage(canvas)).shape

    def start(self, reading: Reading, shapes: Sequence[tuple[int, int]]) -> None:
        self._reading = reading
        for shape in shapes:  # one picture of each goes through before anybody waits for it
            if shape not in self._warm:
                self.probe(shape)

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._engine.canvas(count, shape)

    def stage(self, canvas: NDArray[np.uint8]) -> Staged:
        return Staged(self._engine.stage(canvas))

    def wait(self, staged: Staged) -> None:
        assert self._reading is not None
        staged.boxes = list(self._reading.boxes(self._engine.run(staged.inputs)))

    def boxes(self, staged: Staged) -> Sequence[Boxes]:
        return staged.boxes

    def close(self) -> None:
        """Nothing: it goes with the last reference."""
