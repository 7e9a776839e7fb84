"""Detections → those that a camera wants."""

import difflib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.detections import Detections
from streamer.errors import ConfigError
from streamer.looking.looking import Looking


class Sieve:
    """Lets through what one camera wants. For one thread."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking
        self._by_class = looking.classes is not None or looking.conf is not None or bool(looking.conf_of)
        self._everything = not self._by_class and looking.region is None
        self._labels: Sequence[str] | None = None
        self._above = np.empty(0, np.float32)

    def __call__(self, seen: Detections, size: tuple[int, int]) -> Detections:
        """What of `seen`, in a picture of width, height, is wanted, in the same order."""
        if self._everything or not len(seen):
            return seen
        wanted = np.ones(len(seen), np.bool_)
        if self._by_class:
            wanted &= seen.score > self._scores(seen.labels)[seen.class_id]
        if self._looking.region is not None:
            wanted &= self._looking.region.standing(seen.xyxy, size)
        return seen if wanted.all() else seen[wanted]

    def _scores(self, labels: Sequence[str]) -> NDArray[np.float32]:
        """For each label the score to be above, (labels,); a detector mostly has the same ones each time."""
        if labels is not self._labels:
            looking = self._looking
            default = -1.0 if looking.conf is None else looking.conf
            self._above = np.array(
                [
                    looking.conf_of.get(label, default)
                    if looking.classes is None or label in looking.classes
                    else np.inf
                    for label in labels
                ],
                np.float32,
            )
            self._labels = labels
        return self._above


def check_known(looking: Looking, labels: Sequence[str], model: str, *, opened: bool = False) -> None:
    """Raises ConfigError for a class that there is not.

    A detector may get its labels when it is `opened` only; of one that has none then nothing can be asked.
    """
    if opened and looking.named and not labels:
        names = ", ".join(map(repr, looking.named))
        raise ConfigError(f"{names} cannot be asked of the model {model}, which names no labels")
    wrong = [unknown(name, labels, model) for name in looking.named if labels and name not in labels]
    if wrong:
        raise ConfigError("; ".join(wrong))


def unknown(name: str, labels: Sequence[str], model: str) -> str:
    """A class that a model does not know, in a sentence that names the nearest."""
    near = difflib.get_close_matches(name.lower(), labels, 3)
    some = labels[:10]
    hint = f"did you mean {' or '.join(near)}?" if near else f"it knows {', '.join(some)}"
    more = " …" if not near and len(labels) > len(some) else ""
    return f"the model {model} knows no {name!r}; {hint}{more}"
