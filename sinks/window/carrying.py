"""Where things are by now: boxes of the last result, carried on by how they moved up to then.

Pure arithmetic on the results of one camera. There is no tracker behind it: from one result to the next
things are matched by class, overlap and nearness, and each goes on at constant velocity (of its centre and
size, so of its edges), for a short while. What that is worth: docs/decisions/0013-the-window-is-a-process.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamer.detections import Detections
from streamer.result import Result

HORIZON_NS = 500_000_000  # a box goes on for so long, then it stands
# Seen so lately, a box counts as seen: at full rate nearly all are carried for a picture or two, and marking
# those makes boxes flicker and hides the ones that nobody has seen for long.
LATELY_NS = 150_000_000
SHOWN_NS = 2_000_000_000  # and after so long it is not shown any more: nobody knows what is there now
# Results that are compared: nearer, a pixel of jitter is a great speed; farther, it may be something else.
NEAREST_NS, FARTHEST_NS = 5_000_000, 1_000_000_000
# A velocity settles over about this time: boxes jitter by some hundredths of their size from frame to frame.
SETTLES_NS = 200_000_000
# Things that do not overlap: how many of its longer sides one may have moved, how often its area changed.
REACH, GROWTH = 0.75, 2.0


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was seen in one frame; boxes in pixels of that frame, times in ns of scene time."""

    epoch: int
    index: int
    scene_ns: int
    size: tuple[int, int]  # width, height
    detections: Detections

    @classmethod
    def of(cls, result: Result) -> "Seen":
        """The part of a result that is needed here: it holds no picture."""
        frame = result.frame
        return cls(frame.epoch, frame.index, frame.scene_ns, frame.size, result.detections)


@dataclass(frozen=True, slots=True, eq=False)
class Speeds:
    """How the boxes of one result move: their edges, (N, 4), pixels a second, 0 where not `known`, (N,)."""

    velocity: NDArray[np.float64]
    known: NDArray[np.bool_]


class Motion:
    """One camera's newest result, and how what is in it moves. Results that come late are left out."""

    def __init__(self) -> None:
        self.newest: Seen | None = None
        self._speeds: Speeds | None = None

    def add(self, seen: Seen) -> None:
        """One more result."""
        if self.newest is None or seen.index > self.newest.index:
            self._speeds = speeds(self.newest, self._speeds, seen)
            self.newest = seen

    def at(self, epoch: int, index: int, scene_ns: int, *, moved: bool = True) -> Detections | None:
        """The boxes for the frame with this place and time; None where the last result says nothing of it.

        Boxes that were seen longer than LATELY_NS before it are marked as not observed. Not `moved`: they
        stay where they were seen.
        """
        seen = self.newest
        if seen is None or seen.epoch != epoch or not 0 <= scene_ns - seen.scene_ns <= SHOWN_NS:
            return None
        if seen.index == index:
            return seen.detections
        if not moved:
            return _marked(seen, scene_ns)
        assert self._speeds is not None
        return carried(seen, self._speeds.velocity, scene_ns)


def carried(seen: Seen, velocity: NDArray[np.float64], to_ns: int) -> Detections:
    """The boxes where they are at a later time, within the picture. What has left it is left out.

    velocity: (N, 4), of the edges, pixels a second.
    """
    by_s = min(max(0, to_ns - seen.scene_ns), HORIZON_NS) / 1e9
    boxes = seen.detections.xyxy + velocity * by_s
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(0, boxes[:, 2:] - boxes[:, :2]) / 2
    edges = np.array(seen.size * 2, np.float64)
    boxes = np.clip(np.hstack((middle - half, middle + half)), 0, edges)
    inside = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
    inside |= (velocity == 0).all(axis=1)  # what does not move does not leave either
    detections = replace(_marked(seen, to_ns), xyxy=boxes.astype(np.float32))
    return detections if inside.all() else detections[inside]


def _marked(seen: Seen, at_ns: int) -> Detections:
    if at_ns - seen.scene_ns <= LATELY_NS:
        return seen.detections
    return replace(seen.detections, observed=np.zeros(len(seen.detections), np.bool_))


def speeds(before: Seen | None, known: Speeds | None, after: Seen) -> Speeds:
    """How the boxes of the later of two results move; `known`: what is known of those of the earlier one."""
    count = len(after.detections)
    now = Speeds(np.zeros((count, 4)), np.zeros(count, np.bool_))
    if before is None or before.epoch != after.epoch or before.size != after.size:
        return now
    gap_ns = after.scene_ns - before.scene_ns
    if not NEAREST_NS <= gap_ns <= FARTHEST_NS:
        return now
    share = gap_ns / (gap_ns + SETTLES_NS)
    for i, j in matches(before.detections, after.detections):
        step = after.detections.xyxy[j].astype(np.float64) - before.detections.xyxy[i]
        velocity = step / (gap_ns / 1e9)
        if known is not None and known.known[i]:
            velocity = share * velocity + (1 - share) * known.velocity[i]
        now.velocity[j], now.known[j] = velocity, True
    return now


def matches(before: Detections, after: Detections) -> Iterator[tuple[int, int]]:
    """Pairs of the same thing, (place before, place after), one to one.

    The same track where there are tracks. Else the same class: what overlaps most first, then what is
    nearest and of about the same size.
    """
    if not len(before) or not len(after):
        return
    if before.track_id is not None and after.track_id is not None:
        places = {track: i for i, track in enumerate(before.track_id.tolist())}
        yield from ((places[track], j) for j, track in enumerate(after.track_id.tolist()) if track in places)
        return
    ones, others = before.xyxy.astype(np.float64), after.xyxy.astype(np.float64)
    same = before.class_id[:, None] == after.class_id[None]
    common = np.where(same, overlap(ones, others), 0)
    near = np.where(same & (common == 0), _nearness(ones, others), 0)
    # Any overlap comes before any nearness: both are in 0…1.
    worth = np.where(common > 0, 1 + common, near)
    left, right = np.nonzero(worth)
    taken_before: set[int] = set()
    taken_after: set[int] = set()
    for place in np.argsort(-worth[left, right], kind="stable"):
        i, j = int(left[place]), int(right[place])
        if i not in taken_before and j not in taken_after:
            taken_before.add(i)
            taken_after.add(j)
            yield i, j


def overlap(ones: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of each with each, (N, M)."""
    low = np.maximum(ones[:, None, :2], others[None, :, :2])
    high = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    common = np.maximum(0, high - low).prod(axis=2)
    both = _areas(ones)[:, None] + _areas(others)[None] - common
    share: NDArray[np.float64] = common / np.maximum(both, 1e-9)
    return share


def _nearness(ones: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 for the same centre, 0 from REACH longer sides on, and where the sizes do not go together, (N, M)."""
    apart = np.linalg.norm(_middles(ones)[:, None] - _middles(others)[None], axis=2)
    sides = np.maximum(_longer(ones)[:, None], _longer(others)[None])
    areas = _areas(ones)[:, None], _areas(others)[None]
    alike = np.maximum(*areas) <= GROWTH * np.minimum(*areas)
    return np.where(alike, np.maximum(0, 1 - apart / np.maximum(REACH * sides, 1e-9)), 0)


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = np.maximum(0, boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return areas


def _middles(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _longer(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    longer: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return longer
