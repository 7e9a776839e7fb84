"""Average precision of a detector on a dataset in COCO's format, counted as COCO does."""

import importlib
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import cv2
import msgspec

from streamer.contracts import Detector
from streamer.detections import Detections
from streamer.errors import ConfigError
from streamer.frame import ArrayPicture, Frame, Quality, View

LARGEST_DATASET = 100_000_000  # bytes; of COCO's own files that would be 25,000 pictures
FEWEST = 10  # pictures with something in them; fewer say nothing

Length = Annotated[float, msgspec.Meta(ge=0)]


class _Category(msgspec.Struct):
    id: int
    name: str


class _Picture(msgspec.Struct):
    id: int
    file_name: str


class _Box(msgspec.Struct):
    image_id: int
    category_id: int
    bbox: tuple[float, float, Length, Length]  # left, top, width, height
    area: Length | None = None
    iscrowd: int = 0


class _Tree(msgspec.Struct):
    """What is read of such a file; it holds more."""

    images: list[_Picture]
    categories: list[_Category]
    annotations: list[_Box]


class Dataset:
    """Pictures with the boxes that are in them. Raises ConfigError when made."""

    def __init__(self, annotations: Path, images: Path | None) -> None:
        self._where = annotations
        tree = _read(annotations)
        folder = images or annotations.parent / "images"
        self.pictures = {one.id: folder / one.file_name for one in tree.images}
        self._categories = {one.id: one.name for one in tree.categories}
        names = set(self._categories.values())
        if len(self.pictures) < len(tree.images) or len(names) < len(tree.categories):
            raise ConfigError(f"{annotations} has the same picture or category twice")
        self._boxes = [
            one
            for one in tree.annotations
            if one.image_id in self.pictures and one.category_id in self._categories
        ]
        self._check_enough(self._boxes, "something")
        try:
            missing = [path for path in self.pictures.values() if not path.is_file()]
        except OSError as error:
            raise ConfigError(f"a picture of {annotations} cannot be read: {error.strerror}") from error
        if missing:
            raise ConfigError(
                f"{len(missing)} of {len(self.pictures)} pictures are missing, the first is {missing[0]}; "
                "--images says where they are"
            )

    def average_precision(self, detector: Detector) -> float:
        """AP over IoU .50 to .95 of an entered detector with a very low `conf`; 0 where it sees nothing.

        Of the categories that the detector knows: others would only thin out what is lost. Raises
        ConfigError where they are none, or hardly ever seen.
        """
        labels = set(detector.labels)
        known = {number: name for number, name in self._categories.items() if name in labels}
        if not known:
            raise ConfigError(
                f"no category of {self._where} is among the model's labels: it has "
                f"{_some(self._categories.values())}, the model {_some(detector.labels)}"
            )
        boxes = [one for one in self._boxes if one.category_id in known]
        self._check_enough(boxes, "something that the model has a label for")
        # Numbered anew: what numbers the file has is nothing that the judging library should see.
        pictures = {number: place for place, number in enumerate(sorted(self.pictures), 1)}
        categories = {number: place for place, number in enumerate(sorted(known), 1)}
        truth = {
            "images": [{"id": place} for place in pictures.values()],
            "categories": [{"id": categories[number], "name": name} for number, name in known.items()],
            "annotations": [
                {
                    "id": place,
                    "image_id": pictures[one.image_id],
                    "category_id": categories[one.category_id],
                    "bbox": list(one.bbox),
                    "area": one.bbox[2] * one.bbox[3] if one.area is None else one.area,
                    "iscrowd": int(one.iscrowd != 0),
                }
                for place, one in enumerate(boxes, 1)
            ],
        }
        place_of = {name: categories[number] for number, name in known.items()}
        rows = [
            {"image_id": place, **row}
            for number, place in pictures.items()
            for row in _rows(_seen(detector, self.pictures[number], place), place_of)
        ]
        return _judged(truth, rows) if rows else 0.0

    def _check_enough(self, boxes: Sequence[_Box], what: str) -> None:
        count = len({one.image_id for one in boxes})
        if count < FEWEST:
            raise ConfigError(f"{count} pictures of {self._where} show {what}; at least {FEWEST} are wanted")


def _read(annotations: Path) -> _Tree:
    try:
        with annotations.open("rb") as file:
            content = file.read(LARGEST_DATASET + 1)
    except OSError as error:
        raise ConfigError(f"{annotations} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_DATASET:
        raise ConfigError(f"{annotations} is larger than {LARGEST_DATASET // 10**6} MB")
    try:
        return msgspec.json.decode(content, type=_Tree)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"{annotations} is no dataset in COCO's format (JSON): {error}") from error


def _seen(detector: Detector, path: Path, number: int) -> Detections:
    try:
        pixels = cv2.imread(str(path))
    except cv2.error as error:
        raise ConfigError(f"{path} is no picture that can be read: {str(error).strip()[:200]}") from error
    if pixels is None:
        raise ConfigError(f"{path} is no picture that can be read")
    picture = ArrayPicture(pixels)  # type: ignore[arg-type]  # the stub forgets that it is uint8
    (seen,) = detector.detect(
        [View(Frame("dataset", 0, number, 0, 0, None, None, True, Quality.FINE, picture))]
    )
    return seen


def _rows(seen: Detections, categories: dict[str, int]) -> Iterator[dict[str, Any]]:
    for (x1, y1, x2, y2), score, kind in zip(
        seen.xyxy.tolist(), seen.score.tolist(), seen.class_id, strict=True
    ):
        if (category := categories.get(seen.labels[kind])) is not None:
            yield {"category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": score}


def _some(names: Collection[str]) -> str:
    """The first few, short enough for an error."""
    first = ", ".join(name[:40] for name in islice(names, 5))
    return f"{first} …" if len(names) > 5 else first or "none"


def _judged(truth: dict[str, Any], rows: Sequence[dict[str, Any]]) -> float:
    coco = importlib.import_module("faster_coco_eval")
    known = coco.COCO(truth)
    judge = coco.COCOeval_faster(known, known.loadRes(rows), "bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0])
