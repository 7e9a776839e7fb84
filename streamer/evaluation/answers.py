"""What is in each picture beside what was found in it, both as arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.detections import Detections
from streamer.evaluation.dataset import Dataset, LabelledPicture
from streamer.evaluation.exam import Looked


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Things of the judged classes in one picture, in pixels."""

    kind: NDArray[np.intp]  # (N,) index into the classes
    xywh: NDArray[np.float64]  # (N, 4) left, top, width, height


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One picture."""

    true: Boxes
    area: NDArray[np.float64]  # (N,) of each true thing, square pixels
    crowd: NDArray[np.bool_]  # (N,)
    found: Boxes
    score: NDArray[np.float64]  # (M,)


def answers(dataset: Dataset, looked: Looked) -> tuple[tuple[str, ...], list[Answer]]:
    """The classes that are judged, those that the dataset shows, and each picture's answer.

    What was found of other classes is left out: of it nobody can say whether it is there.
    """
    classes = tuple(sorted({one.name for picture in dataset.pictures for one in picture.things}))
    return classes, list(_answers(dataset, looked, {name: number for number, name in enumerate(classes)}))


def _answers(dataset: Dataset, looked: Looked, number: dict[str, int]) -> Iterator[Answer]:
    of_label = np.array([number.get(label, -1) for label in looked.labels], np.intp)
    for picture, seen, size in zip(dataset.pictures, looked.seen, looked.sizes, strict=True):
        true, area = _true(picture, size, number)
        crowd = np.array([one.crowd for one in picture.things], np.bool_)
        found, score = _found(seen, of_label)
        yield Answer(true, area, crowd, found, score)


def _true(
    picture: LabelledPicture, size: Sequence[int], number: dict[str, int]
) -> tuple[Boxes, NDArray[np.float64]]:
    things = picture.things
    xywh = np.array([one.xywh for one in things], np.float64).reshape(-1, 4)
    if picture.fractions:
        xywh *= np.array([*size, *size], np.float64)
    area = np.array(
        [
            width * height if one.area is None else one.area
            for one, (_, _, width, height) in zip(things, xywh, strict=True)
        ],
        np.float64,
    )
    return Boxes(np.array([number[one.name] for one in things], np.intp), xywh), area


def _found(seen: Detections, of_label: NDArray[np.intp]) -> tuple[Boxes, NDArray[np.float64]]:
    kind = of_label[seen.class_id]
    judged = kind >= 0
    xywh = seen.xyxy[judged].astype(np.float64)
    xywh[:, 2:] -= xywh[:, :2]
    return Boxes(kind[judged], xywh), seen.score[judged].astype(np.float64)
