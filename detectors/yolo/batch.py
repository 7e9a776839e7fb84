"""Views on their way through a network: which input each one lies in, and where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.yolo.letterbox import Fit, draw
from detectors.yolo.postprocess import Boxes
from streamer.detections import Detections
from streamer.frame import View


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the batch one view is, and where in its frame."""

    index: int
    fit: Fit
    corner: tuple[int, int]  # of the view in its frame

    @classmethod
    def of(cls, index: int, view: View, where: Fit) -> "Place":
        """The place of a view, the `index`-th of its batch."""
        return cls(index, where, view.region[:2] if view.region else (0, 0))

    def draw(self, view: View, picture: NDArray[np.uint8]) -> None:
        """Draw the view into its input, (*fit.shape, 3). Raises Stale where it is gone."""
        draw(view.bgr(), self.fit, picture)

    def detections(self, boxes: Boxes, labels: Sequence[str]) -> Detections:
        """Boxes in the input → detections in the frame."""
        xyxy = self.fit.to_picture(boxes.xyxy)
        # What lies in the border only, or has no area, is nothing in the picture.
        kept = (xyxy[:, 0] < xyxy[:, 2]) & (xyxy[:, 1] < xyxy[:, 3])
        xyxy = xyxy[kept] + np.array(self.corner * 2, np.float32)
        return Detections(labels, xyxy, boxes.score[kept], boxes.class_id[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Views whose inputs have one shape."""

    places: Sequence[Place]
    staged: Any  # what the engine made of their pixels


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Views made ready for the device; to be inferred once."""

    count: int
    parts: Sequence[Part]


def by_shape(places: Sequence[Place], at_most: int) -> Iterator[Sequence[Place]]:
    """Places whose inputs have the same shape, `at_most` together."""
    shapes: dict[tuple[int, int], list[Place]] = {}
    for place in places:
        shapes.setdefault(place.fit.shape, []).append(place)
    for same in shapes.values():
        for start in range(0, len(same), at_most):
            yield same[start : start + at_most]
