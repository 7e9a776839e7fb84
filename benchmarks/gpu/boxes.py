"""Are the device's boxes those of the CPU in fp32?"""

from collections.abc import Sequence

import numpy as np

from streamer import ArrayPicture, Detections, Frame, Quality, View


def view(pixels: np.ndarray) -> View:
    """A picture as a detector gets it."""
    return View(Frame("memory", 0, 0, 0, 0, None, None, True, Quality.FINE, ArrayPicture(pixels.copy())))


def equal_share(ours: Sequence[Detections], theirs: Sequence[Detections]) -> tuple[float, int]:
    """The share of boxes of either side that have an equal on the other, and how many there are.

    Equal is: same class, IoU ≥ 0.99, scores within 0.01; each box has one partner at most.
    """
    equal = total = 0
    for mine, reference in zip(ours, theirs, strict=True):
        for a, b in ((mine, reference), (reference, mine)):
            free = np.ones(len(b), bool)
            for index in range(len(a)):
                total += 1
                good = free & (b.class_id == a.class_id[index]) & (np.abs(b.score - a.score[index]) <= 0.01)
                good &= _iou(a.xyxy[index], b.xyxy) >= 0.99
                if good.any():
                    equal += 1
                    free[np.flatnonzero(good)[0]] = False
    return equal / max(total, 1), total


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.maximum(sides, 0).prod(1)
    area = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1)
    return np.asarray(common / np.maximum(area - common, 1e-9))
