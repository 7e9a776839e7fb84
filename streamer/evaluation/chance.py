"""How far average precision would differ with other pictures of the same kind: a bootstrap over pictures.

Pictures are drawn anew, with replacement, as many as there are, and average precision is counted again:
a thousand times, seeded (Efron, "Bootstrap methods", Ann. Statist. 7, 1979). How far these lie apart is the
standard error. Their middle is not used: a class of one box is in a draw several times or not at all, which
lifts AP. Two detectors are compared on the same draws, for what is hard in a picture is hard for both.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from streamer.evaluation.matches import IOUS, Matches

DRAWS = 1000
SEED = 5
FEWEST = 10  # pictures that show something: fewer say nothing of others
_NORMAL_95 = 1.96  # standard errors
_RECALLS = np.linspace(0, 1, 101)  # where COCO's curve is read


def margin(one: Matches, other: Matches | None = None) -> float:
    """How far AP may be off for the choice of pictures, to either side, in 95 of 100 cases.

    With another detector on the same pictures: how far the difference of the two may be off.
    """
    count = one.wanted.shape[1]
    curves = [Curve(each) for each in (one, other) if each is not None]
    values = []
    for times in _draws(count):
        aps = [curve.ap(times) for curve in curves]
        if not np.isnan(aps).any():  # a draw may show nothing at all
            values.append(aps[1] - aps[0] if other is not None else aps[0])
    return _NORMAL_95 * float(np.std(values)) if values else float("nan")


def _draws(count: int) -> Iterator[NDArray[np.intp]]:
    """How often each picture is drawn."""
    random = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        yield np.bincount(random.integers(0, count, count), minlength=count)


class Curve:
    """Average precision of a detector where each picture counts any number of times.

    A picture that counts n times is as n pictures. Only right boxes raise recall, so COCO's curve has
    its corners there, and nothing else needs to be counted at each draw.
    """

    def __init__(self, matches: Matches) -> None:
        kinds = len(matches.wanted)
        self._matches = matches
        # One stretch for each class and IoU; its right boxes lie together, best first.
        level, place = np.nonzero(matches.right)
        kind = matches.kind[place]
        order = np.lexsort((place, level, kind))
        level, place, kind = level[order], place[order], kind[order]
        self._picture = matches.picture[place]
        self._place = place
        self._stretch = kind * len(IOUS) + level
        self._stretches = kinds * len(IOUS)
        self._begin = np.searchsorted(self._stretch, np.arange(self._stretches))
        self._class_begin = np.searchsorted(matches.kind, kind)
        self._ignored = [np.flatnonzero(row) for row in matches.ignored]
        self._level = level

    def ap(self, times: NDArray[np.intp]) -> float:
        """The mean over IoUs and over the classes that are there; NaN where there is none.

        times: (pictures,), how often each counts.
        """
        wanted = self._matches.wanted @ times
        there = wanted > 0
        if not there.any():
            return float("nan")
        by_class = self._areas(times, wanted).reshape(-1, len(IOUS)).mean(1)
        return float(by_class[there].mean())

    def _areas(self, times: NDArray[np.intp], wanted: NDArray[np.intp]) -> NDArray[np.float64]:
        """The area under each stretch's curve."""
        if not len(self._place):
            return np.zeros(self._stretches)
        right = np.cumsum(times[self._picture])
        before = np.concatenate(([0], right))[self._begin][self._stretch]
        right = right - before
        found = self._found(times)
        precision = np.divide(right, found, out=np.zeros(len(right)), where=found > 0)
        # The best precision at this recall or above, within a stretch: each lies two higher than the next.
        lift = 2.0 * (self._stretches - self._stretch)
        envelope = np.maximum.accumulate((precision + lift)[::-1])[::-1] - lift
        recall = right / np.maximum(wanted[self._stretch // len(IOUS)], 1)
        reached = np.searchsorted(_RECALLS, recall, side="right")
        first = np.concatenate(([True], self._stretch[1:] != self._stretch[:-1]))
        new = reached - np.where(first, 0, np.concatenate(([0], reached[:-1])))
        return np.bincount(self._stretch, envelope * new, self._stretches) / len(_RECALLS)

    def _found(self, times: NDArray[np.intp]) -> NDArray[np.intp]:
        """How many boxes of the class were found, down to each right one, without the ignored ones."""
        counts = times[self._matches.picture]
        total = np.concatenate(([0], np.cumsum(counts)))
        found = total[self._place + 1] - total[self._class_begin]
        for level, ignored in enumerate(self._ignored):
            if len(ignored):
                here = self._level == level
                left_out = np.concatenate(([0], np.cumsum(counts[ignored])))
                upto = np.searchsorted(ignored, self._place[here], side="right")
                begin = np.searchsorted(ignored, self._class_begin[here])
                found[here] -= left_out[upto] - left_out[begin]
        return found
