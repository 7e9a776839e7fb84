"""A detector and a sink as users write them: they inherit nothing."""

import numpy as np

from streamer import Detections, Result


class Bright:
    """Reports the whole picture where its mean is above a threshold."""

    labels = ("bright",)

    def __init__(self, above: float = 0.0) -> None:
        self.above = above

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def detect(self, views):
        return [self._one(view) for view in views]

    def _one(self, view):
        width, height = view.size
        if view.bgr().mean() <= self.above:
            return Detections.none(self.labels)
        boxes = np.array([[0, 0, width, height]], np.float32)
        return Detections(self.labels, boxes, np.ones(1, np.float32), np.zeros(1, np.int32))


class Failing(Bright):
    """Never succeeds."""

    def detect(self, views):
        raise RuntimeError("out of ideas")


class Siren:
    """Prints what it sees."""

    takes = Result

    def __init__(self, label: str) -> None:
        self.label = label

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def write(self, result):
        seen = result.detections
        if any(seen.label(i) == self.label for i in range(len(seen))):
            print(f"{result.frame.camera} {result.frame.index} {self.label}!", flush=True)


class Dying(Siren):
    """Fails at the third result."""

    def write(self, result):
        if result.frame.index == 2:
            raise OSError("the siren is broken")
