"""A detector's answers, judged: the figures, and what a comparison of figures needs."""

from dataclasses import dataclass

from streamer.evaluation.answers import answers
from streamer.evaluation.dataset import Dataset
from streamer.evaluation.exam import Looked
from streamer.evaluation.matches import Matches, matches
from streamer.evaluation.precision import Precision, precision


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """How accurate a detector was."""

    precision: Precision
    matches: Matches


def judged(dataset: Dataset, looked: Looked) -> Judged:
    """Hold what was found against what is there, of the classes that the dataset shows."""
    classes, given = answers(dataset, looked)
    return Judged(precision(classes, given), matches(len(classes), given))
