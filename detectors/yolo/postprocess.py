"""A network's output → boxes. What the output is, its shape says; nothing is assumed of the model's name.

Two layouts (ultralytics 8.4, `nn/modules/head.py`):

- end-to-end, (B, N, 6): x1, y1, x2, y2, score, class, best first; only to be filtered.
- classic, (B, 4 + C, A): centre x, centre y, width, height and C class scores for each of A places;
  the best class of each place counts, then non-maximum suppression within each class.

Limits are the defaults of `predict`: IoU 0.7, at most 300 boxes out of at most 30,000 candidates.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import DetectorError
from streamer.opencv import cv2

IOU = 0.7
MAX_BOXES = 300
MAX_CANDIDATES = 30_000


class Layout(Enum):
    """How an output is to be read."""

    END_TO_END = "end-to-end"
    CLASSIC = "classic"


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes in one input, best first, in pixels of the input."""

    xyxy: NDArray[np.float32]  # (N, 4)
    score: NDArray[np.float32]  # (N,)
    class_id: NDArray[np.int32]  # (N,)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """How outputs are to be read, and what of them is wanted."""

    kind: Layout
    conf: float
    wanted: NDArray[np.bool_]  # (classes,)

    def boxes(self, output: NDArray[np.float32]) -> "Iterator[Boxes]":
        """The boxes in each of B inputs; see `decode`."""
        return decode(output, self.kind, self.conf, self.wanted)


def layout(shape: tuple[int, ...], classes: int | None) -> Layout:
    """What an output of this shape is, where the model knows so many classes (None: it does not say).

    Raises DetectorError for anything else: grids that still have to be decoded (YOLOX), rows with
    an objectness (YOLOv5), masks, keypoints.
    """
    if len(shape) == 3:
        if shape[2] == 6:
            return Layout.END_TO_END
        if shape[1] == 4 + classes if classes is not None else 5 <= shape[1] < shape[2]:
            return Layout.CLASSIC
    wanted = "4 + classes" if classes is None else f"4 + {classes} classes"
    raise DetectorError(
        f"the network's output has the shape {shape}; allowed are (batch, N, 6) with x1, y1, x2, y2, score, "
        f"class and (batch, {wanted}, places). Export the model as an Ultralytics detection model"
    )


def decode(
    output: NDArray[np.float32], kind: Layout, conf: float, wanted: NDArray[np.bool_]
) -> Iterator[Boxes]:
    """The boxes in each of the B inputs that score above `conf` and whose class is `wanted`, (classes,).

    Raises DetectorError where the output is not a number or names a class that there is not.
    """
    one = _end_to_end if kind is Layout.END_TO_END else _classic
    for rows in output:
        yield one(rows, conf, wanted)


def _end_to_end(rows: NDArray[np.float32], conf: float, wanted: NDArray[np.bool_]) -> Boxes:
    _check(rows[:, 4])
    rows = rows[rows[:, 4] > conf]
    _check(rows)
    class_id = rows[:, 5].astype(np.int32)
    if len(class_id) and not 0 <= class_id.min() <= class_id.max() < len(wanted):
        raise DetectorError(
            f"the network speaks of classes {class_id.min()}…{class_id.max()}, its labels end at "
            f"{len(wanted) - 1}: give it the labels it was trained with"
        )
    kept = np.flatnonzero(wanted[class_id])[:MAX_BOXES]
    return Boxes(rows[kept, :4], rows[kept, 4], class_id[kept])


def _classic(columns: NDArray[np.float32], conf: float, wanted: NDArray[np.bool_]) -> Boxes:
    best = columns[4:].max(0)  # NaN where any class is
    _check(best)
    candidates = columns[:, best > conf]
    class_id = candidates[4:].argmax(0).astype(np.int32)
    kept = wanted[class_id]
    candidates, class_id = candidates[:, kept], class_id[kept]
    _check(candidates[:4])
    score = candidates[4:].max(0)
    if len(score) > MAX_CANDIDATES:
        top = np.argsort(-score, kind="stable")[:MAX_CANDIDATES]
        candidates, score, class_id = candidates[:, top], score[top], class_id[top]
    centre, half = candidates[:2].T, candidates[2:4].T * np.float32(0.5)
    xyxy = np.concatenate((centre - half, centre + half), 1)
    best_first = suppress(xyxy, score, class_id, IOU)[:MAX_BOXES]
    return Boxes(xyxy[best_first], score[best_first], class_id[best_first])


def suppress(
    xyxy: NDArray[np.float32], score: NDArray[np.float32], class_id: NDArray[np.int32], iou: float
) -> NDArray[np.int32]:
    """Non-maximum suppression within each class: the indices of what is left, best first.

    A box goes where its IoU with a better one of its class is above `iou`.
    """
    if not len(xyxy):
        return np.empty(0, np.int32)
    xywh = xyxy.astype(np.float64)  # in float32, the shift that keeps classes apart would round corners
    xywh[:, 2:] = np.maximum(xywh[:, 2:] - xywh[:, :2], 0)
    # It shifts each class by its largest corner: that has to be right of 0, and nothing left of it.
    xywh[:, :2] -= xywh[:, :2].min()
    by_class: Any = cv2.dnn.NMSBoxesBatched  # its stub wants lists; it takes arrays, and faster
    return np.asarray(by_class(xywh, score, class_id, -1.0, iou), np.int32)


def _check(numbers: NDArray[np.float32]) -> None:
    if not np.isfinite(numbers).all():
        raise DetectorError(
            "the network's output is not a number: its weights are damaged, or fp16 overflowed"
        )
