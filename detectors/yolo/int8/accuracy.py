"""Average precision of a detector on a dataset in COCO's format, counted as COCO does."""

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2

from streamer.contracts import Detector
from streamer.errors import ConfigError
from streamer.frame import ArrayPicture, Frame, Quality, View

LARGEST_DATASET = 1_000_000_000  # bytes; COCO's own 118,000 pictures are half of it


class Dataset:
    """Pictures with the boxes that are in them. Raises ConfigError when made."""

    def __init__(self, annotations: Path, images: Path | None) -> None:
        folder = images or annotations.parent / "images"
        try:
            if annotations.stat().st_size > LARGEST_DATASET:
                raise ConfigError(f"{annotations} is larger than {LARGEST_DATASET // 10**6} MB")
            tree = json.loads(annotations.read_bytes())
            self._categories = {str(one["name"]): int(one["id"]) for one in tree["categories"]}
            named = {int(one["id"]): str(one["file_name"]) for one in tree["images"]}
            if not tree["annotations"] or not named:
                raise ConfigError(f"{annotations} has no annotated pictures")
        except OSError as error:
            raise ConfigError(f"{annotations} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"{annotations} is no dataset in COCO's format (JSON): {error!r}") from error
        self._annotations = annotations
        self.pictures = {number: folder / name for number, name in named.items()}
        missing = [path for path in self.pictures.values() if not path.is_file()]
        if missing:
            raise ConfigError(
                f"{len(missing)} of {len(named)} pictures are missing, the first is {missing[0]}; "
                "--images says where they are"
            )

    def average_precision(self, detector: Detector) -> float:
        """AP over IoU .50 to .95 of an entered detector with a very low `conf`. Raises ConfigError."""
        rows: list[dict[str, Any]] = []
        for number, path in self.pictures.items():
            pixels = cv2.imread(str(path))
            if pixels is None:
                raise ConfigError(f"{path} is no picture that can be read")
            picture = ArrayPicture(pixels)  # type: ignore[arg-type]  # the stub forgets that it is uint8
            frame = Frame("dataset", 0, number, 0, 0, None, None, True, Quality.FINE, picture)
            (seen,) = detector.detect([View(frame)])
            for box, score, kind in zip(seen.xyxy.tolist(), seen.score.tolist(), seen.class_id, strict=True):
                if seen.labels[kind] in self._categories:
                    x1, y1, x2, y2 = box
                    rows.append(
                        {
                            "image_id": number,
                            "category_id": self._categories[seen.labels[kind]],
                            "bbox": [x1, y1, x2 - x1, y2 - y1],
                            "score": score,
                        }
                    )
        if not rows:
            return 0.0
        return _judged(self._annotations, rows)


def _judged(annotations: Path, rows: Sequence[Mapping[str, Any]]) -> float:
    coco = importlib.import_module("faster_coco_eval")
    truth = coco.COCO(str(annotations))
    judge = coco.COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0])
