"""Small datasets on disk, in COCO's and YOLO's format, and a detector that knows them (test support)."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from streamer import Detections, ModelInfo, View

NAMES = ("cat", "dog", "bird")
Row = tuple[int, float, float, float, float]  # class, left, top, width, height in pixels


@dataclass(frozen=True)
class Labelled:
    """Pictures whose first pixel says which one they are; and what is in them."""

    sizes: tuple[tuple[int, int], ...]
    rows: tuple[tuple[Row, ...], ...]

    def images(self, folder: Path) -> list[str]:
        """Write the pictures; names run against the order of the numbers."""
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"p{len(self.sizes) - number:03}.png" for number in range(len(self.sizes))]
        for number, (name, (width, height)) in enumerate(zip(names, self.sizes, strict=True)):
            pixels = np.full((height, width, 3), number, np.uint8)
            assert cv2.imwrite(str(folder / name), pixels)
        return names

    def tree(self, names: Sequence[str]) -> dict[str, Any]:
        """As COCO has it."""
        boxes = [(image, row) for image, rows in enumerate(self.rows) for row in rows]
        return {
            "images": [
                {"id": 7 * image, "file_name": name, "width": width, "height": height}
                for image, (name, (width, height)) in enumerate(zip(names, self.sizes, strict=True))
            ],
            "categories": [{"id": 10 + kind, "name": name} for kind, name in enumerate(NAMES)],
            "annotations": [
                {"id": number, "image_id": 7 * image, "category_id": 10 + kind, "bbox": box, "iscrowd": 0}
                for number, (image, (kind, *box)) in enumerate(boxes, 1)
            ],
        }

    def coco(self, folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
        """Write it, the tree changed before."""
        tree = self.tree(self.images(folder / "images"))
        change(tree)
        path = folder / "labels.json"
        path.write_text(json.dumps(tree))
        return path

    def yolo(self, folder: Path, split: str = "val") -> Path:
        """Write it."""
        names = self.images(folder / split / "images")
        (folder / split / "labels").mkdir()
        for name, (width, height), rows in zip(names, self.sizes, self.rows, strict=True):
            lines = [
                f"{kind} {(x + w / 2) / width!r} {(y + h / 2) / height!r} {w / width!r} {h / height!r}"
                for kind, x, y, w, h in rows
            ]
            (folder / split / "labels" / name).with_suffix(".txt").write_text("\n".join(lines))
        path = folder / "data.yaml"
        path.write_text(f"path: .\nval: {split}/images\nnames: [{', '.join(NAMES)}]\n")
        return path


def scattered(count: int, seed: int = 1) -> Labelled:
    """Pictures of several sizes with a few things each, seeded."""
    random = np.random.default_rng(seed)
    sizes = [(64 + 16 * int(random.integers(5)), 48 + 16 * int(random.integers(5))) for _ in range(count)]
    rows = []
    for width, height in sizes:
        here = []
        for _ in range(int(random.integers(1, 5))):
            w, h = random.uniform(8, width / 2), random.uniform(8, height / 2)
            x, y = random.uniform(0, width - w), random.uniform(0, height - h)
            here.append((int(random.integers(len(NAMES))), x, y, w, h))
        rows.append(tuple(here))
    return Labelled(tuple(sizes), tuple(rows))


class Knower:
    """A detector that finds what `find` says of each picture: rows of class, box and score."""

    info = ModelInfo("knower", "python", 64, "fp32")
    max_batch = 4

    def __init__(
        self, find: Callable[[int], Iterator[tuple[Row, float]]], labels: Sequence[str] = NAMES
    ) -> None:
        self.labels = labels
        self._find = find

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        return [self.seen(int(view.bgr()[0, 0, 0])) for view in views]

    def seen(self, number: int) -> Detections:
        """What it finds in a picture."""
        found = sorted(self._find(number), key=lambda one: -one[1])
        boxes = [(x, y, x + w, y + h) for (_, x, y, w, h), _ in found]
        scores, kinds = [score for _, score in found], [row[0] for row, _ in found]
        return Detections(self.labels, np.array(boxes), np.array(scores), np.array(kinds))
