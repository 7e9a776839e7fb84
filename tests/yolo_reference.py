"""What ours is held against: Ultralytics' `predict`, one picture at a time; and pictures (test support)."""

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from detectors.yolo.network import silence
from streamer.detections import Detections
from streamer.frame import ArrayPicture, Frame, Quality, View


def view(pixels: NDArray[np.uint8], region: tuple[int, int, int, int] | None = None) -> View:
    return View(Frame("cam", 0, 0, 0, 0, None, None, True, Quality.FINE, ArrayPicture(pixels)), region)


def pictures(shared_data: Path, every: int = 1) -> dict[int, NDArray[np.uint8]]:
    """coco-mini's pictures, BGR, by image id."""
    paths = sorted((shared_data / "datasets/coco-mini/images").glob("*.jpg"))[::every]
    return {int(path.stem): cv2.imread(str(path)) for path in paths}


def ultralytics() -> Any:
    """The package, off the network, able to predict."""
    silence()
    importlib.import_module("torchvision_stub").install()
    return importlib.import_module("ultralytics")


def predict(
    weights: Path | str,
    images: Sequence[NDArray[np.uint8]],
    labels: Sequence[str],
    conf: float,
    **options: Any,
) -> list[Detections]:
    """What `predict` finds in each picture, best first."""
    model = ultralytics().YOLO(str(weights))
    found = []
    for image in images:
        boxes = model.predict(image, conf=conf, device="cpu", verbose=False, save=False, **options)[0].boxes
        rows = boxes.data.numpy().reshape(-1, 6)
        found.append(Detections(labels, rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int32)))
    return found


def export(weights: Path, **options: Any) -> Path:
    """An .onnx as a user would make it, beside the weights."""
    with warnings.catch_warnings():
        # Torch warns whoever exports the way Ultralytics does.
        warnings.simplefilter("ignore")
        model = ultralytics().YOLO(str(weights))
        return Path(model.export(format="onnx", simplify=False, device="cpu", verbose=False, **options))


def equal_share(ours: Sequence[Detections], theirs: Sequence[Detections], conf: float) -> tuple[float, int]:
    """The share of boxes with a score ≥ conf, of either side, that have an equal on the other; how many.

    Equal is: same class, IoU ≥ 0.99, scores within 0.01; each box has one partner at most.
    """
    equal = total = 0
    for mine, reference in zip(ours, theirs, strict=True):
        for a, b in ((mine, reference), (reference, mine)):
            free = np.ones(len(b), bool)
            for i in np.flatnonzero(a.score >= conf):
                good = free & (b.class_id == a.class_id[i]) & (np.abs(b.score - a.score[i]) <= 0.01)
                good &= iou(a.xyxy[i], b.xyxy) >= 0.99
                total += 1
                if good.any():
                    equal += 1
                    free[np.flatnonzero(good)[0]] = False
    return equal / max(total, 1), total


def iou(box: NDArray[Any], boxes: NDArray[Any]) -> NDArray[np.float64]:
    box, boxes = box.astype(np.float64), boxes.astype(np.float64).reshape(-1, 4)
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.maximum(sides, 0).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.asarray(common / np.maximum(area - common, 1e-9))


def average_precision(shared_data: Path, found: dict[int, Detections]) -> float:
    """AP over IoU .50 to .95 as COCO counts it."""
    truth = COCO(str(shared_data / "datasets/coco-mini/instances.json"))
    category = {one["name"]: one["id"] for one in truth.cats.values()}
    rows = [
        {"image_id": image_id, "category_id": category[seen.label(i)], "score": float(seen.score[i])}
        | {"bbox": [*map(float, seen.xyxy[i, :2]), *map(float, seen.xyxy[i, 2:] - seen.xyxy[i, :2])]}
        for image_id, seen in found.items()
        for i in range(len(seen))
    ]
    judge = COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=lambda *_: None)
    judge.params.imgIds = sorted(found)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return float(judge.stats[0])


def random_network(yaml: str, path: Path, images: Sequence[NDArray[np.uint8]], **changes: Any) -> Path:
    """An untrained network of a family, seeded, with scores and boxes that spread, saved as weights."""
    package, torch = ultralytics(), importlib.import_module("torch")
    torch.manual_seed(7)
    model = package.YOLO(yaml, verbose=False).model
    pixels = np.stack([cv2.resize(image, (320, 320)) for image in images])
    batch = torch.from_numpy(pixels).permute(0, 3, 1, 2).flip(1).float() / 255
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the statistics become those of this one batch
            module.reset_running_stats()
    with torch.no_grad():
        model.train()(batch)
        for name, module in model.model[-1].named_modules():
            last = isinstance(module, torch.nn.Conv2d) and module.bias is not None  # not followed by a norm
            if last and "cv3" in name:
                module.weight.normal_(0, 0.08)
                module.bias.fill_(-4)
            elif last and "cv2" in name:
                module.weight.mul_(0.1)  # distances from the centre that don't fall below 0
    model.task = package.nn.tasks.guess_model_task(model)
    for name, value in changes.items():
        setattr(model, name, value)
    torch.save({"model": model.eval(), "train_args": {}}, path)
    return path
