"""Which of the boxes that were found are right, at each IoU: what average precision is counted from.

The rules are those of COCO's evaluation (pycocotools `cocoeval.py`, `evaluateImg`): each box that was
found, best first, takes the free true one that it overlaps most; crowds take any number and count
neither way. faster-coco-eval keeps this to itself, and `chance.py` wants it picture by picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.evaluation.answers import Answer

IOUS = np.linspace(0.5, 0.95, 10)
MOST = 100  # boxes of a class in a picture that count


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Boxes that were found, of each class best first, one class after the other."""

    kind: NDArray[np.intp]  # (N,) index into the classes
    picture: NDArray[np.intp]  # (N,)
    right: NDArray[np.bool_]  # (10, N) at each IoU
    ignored: NDArray[np.bool_]  # (10, N) on a crowd
    wanted: NDArray[np.intp]  # (classes, pictures) true things, without crowds


def matches(count: int, answers: Sequence[Answer]) -> Matches:
    """Match what was found of so many classes."""
    wanted = np.zeros((count, len(answers)), np.intp)
    kinds, pictures, scores, rights, ignoreds = [], [], [], [], []
    for number, one in enumerate(answers):
        wanted[:, number] = np.bincount(one.true.kind[~one.crowd], minlength=count)
        for kind in np.unique(one.found.kind).tolist():
            mine = np.flatnonzero(one.found.kind == kind)
            mine = mine[np.argsort(-one.score[mine], kind="stable")][:MOST]
            theirs = np.flatnonzero(one.true.kind == kind)
            overlap = _overlap(one.found.xywh[mine], one.true.xywh[theirs], one.crowd[theirs])
            right, ignored = _matched(overlap, one.crowd[theirs])
            kinds.append(np.full(len(mine), kind))
            pictures.append(np.full(len(mine), number))
            scores.append(one.score[mine])
            rights.append(right)
            ignoreds.append(ignored)
    if not kinds:
        nothing = np.zeros((len(IOUS), 0), np.bool_)
        return Matches(np.zeros(0, np.intp), np.zeros(0, np.intp), nothing, nothing, wanted)
    kind_of, picture_of, score = map(np.concatenate, (kinds, pictures, scores))
    order = np.lexsort((-score, kind_of))  # stable: equal scores stay in the order of the pictures
    return Matches(
        kind_of[order],
        picture_of[order],
        np.concatenate(rights, 1)[:, order],
        np.concatenate(ignoreds, 1)[:, order],
        wanted,
    )


def _overlap(
    found: NDArray[np.float64], true: NDArray[np.float64], crowd: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """IoU of each with each, (found, true); with a crowd the share of what was found that lies in it."""
    top_left = np.maximum(found[:, None, :2], true[None, :, :2])
    ends = np.minimum(found[:, None, :2] + found[:, None, 2:], true[None, :, :2] + true[None, :, 2:])
    common = np.maximum(ends - top_left, 0).prod(2)
    own = found[:, 2:].prod(1)[:, None]
    whole = np.where(crowd[None, :], own, own + true[:, 2:].prod(1)[None, :] - common)
    return np.asarray(common / np.where(whole > 0, whole, np.inf))


def _matched(
    overlap: NDArray[np.float64], crowd: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which found ones are right and which are ignored, (10, found) each."""
    right = np.zeros((len(IOUS), len(overlap)), np.bool_)
    ignored = np.zeros_like(right)
    single = np.flatnonzero(~crowd)
    likely = [
        (found, sorted(((overlap[found, true], true) for true in single.tolist()), reverse=True))
        for found in range(len(overlap))
        if overlap.shape[1] and overlap[found].max() >= IOUS[0]
    ]
    in_a_crowd = overlap[:, crowd].max(1, initial=0.0)
    for level, iou in enumerate(IOUS.tolist()):
        taken: set[int] = set()
        for found, nearest_first in likely:
            best = next((pair for pair in nearest_first if pair[1] not in taken), (0.0, -1))
            if best[0] >= iou:
                taken.add(best[1])
                right[level, found] = True
            elif in_a_crowd[found] >= iou:
                ignored[level, found] = True
    return right, ignored
