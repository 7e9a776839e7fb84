"""Average precision as COCO counts it, by faster-coco-eval.

AP is over IoU .50 to .95, of at most 100 boxes of a class in a picture; small is below 32², large
above 96² pixels (https://cocodataset.org/#detection-eval).
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.evaluation.answers import Answer


@dataclass(frozen=True, slots=True)
class ClassPrecision:
    """How well one class is found; None where nothing of it is there but crowds."""

    name: str
    boxes: int
    ap: float | None
    ap50: float | None


@dataclass(frozen=True, slots=True)
class Precision:
    """How well everything is found: means over the classes; None where there is nothing to be found."""

    ap: float | None
    ap50: float | None
    ap75: float | None
    small: float | None
    medium: float | None
    large: float | None
    classes: tuple[ClassPrecision, ...]  # in alphabetical order


def precision(classes: Sequence[str], answers: Sequence[Answer]) -> Precision:
    """Judge what was found, class by class: the library wants a mapping for each box, too many at once."""
    curves = np.stack([_curves(kind, answers) for kind in range(len(classes))])
    boxes = sum(
        (np.bincount(one.true.kind[~one.crowd], minlength=len(classes)) for one in answers),
        np.zeros(len(classes), np.intp),
    )
    return Precision(
        ap=_mean(curves[..., 0]),
        ap50=_mean(curves[:, 0, :, 0]),
        ap75=_mean(curves[:, 5, :, 0]),
        small=_mean(curves[..., 1]),
        medium=_mean(curves[..., 2]),
        large=_mean(curves[..., 3]),
        classes=tuple(
            ClassPrecision(name, int(count), _mean(curve[..., 0]), _mean(curve[0, :, 0]))
            for name, count, curve in zip(classes, boxes, curves, strict=True)
        ),
    )


def _curves(kind: int, answers: Sequence[Answer]) -> NDArray[np.float64]:
    """Precision of one class: (IoU from .50 to .95, recall from 0 to 1, all and small and medium and large).

    -1 where nothing is to be found.
    """
    annotations: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for image, one in enumerate(answers, 1):
        for place in np.flatnonzero(one.true.kind == kind).tolist():
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": one.true.xywh[place].tolist(),
                    "area": float(one.area[place]),
                    "iscrowd": int(one.crowd[place]),
                }
            )
        for place in np.flatnonzero(one.found.kind == kind).tolist():
            box, score = one.found.xywh[place].tolist(), float(one.score[place])
            rows.append({"image_id": image, "category_id": 1, "bbox": box, "score": score})
    # The library wants something to be found: a box without any extent is on nothing.
    rows = rows or [{"image_id": 1, "category_id": 1, "bbox": [0.0, 0.0, 0.0, 0.0], "score": 0.0}]
    coco = importlib.import_module("faster_coco_eval")  # heavy, so only when it is used
    images = [{"id": image} for image in range(1, len(answers) + 1)]
    truth = coco.COCO({"images": images, "categories": [{"id": 1, "name": ""}], "annotations": annotations})
    judge = coco.COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    return np.asarray(judge.eval["precision"])[:, :, 0, :, -1]  # of at most 100 boxes in a picture


def _mean(values: NDArray[np.float64]) -> float | None:
    """Over the points that there are: the library writes -1 where nothing is to be found."""
    there = values[values > -1]
    return float(there.mean()) if there.size else None
