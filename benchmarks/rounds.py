"""Measuring things beside each other: A B B A …, so that a machine's moods hit all of them alike."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.progress import tell

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Spread:
    """What several rounds gave."""

    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        return min(self.values)

    @property
    def high(self) -> float:
        return max(self.values)

    def text(self, digits: int = 1) -> str:
        """Median and range, as in `43.5 (41.0–44.2)`."""
        if not self.values:
            return "–"
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def ratio(ours: Spread, other: Spread) -> Spread:
    """Ours to the other's, round by round: what slows one round down slows both."""
    pairs = zip(ours.values, other.values, strict=True)
    return Spread([mine / theirs for mine, theirs in pairs if theirs])


Figures = Mapping[str, float]


def interleaved(
    contenders: Mapping[str, Callable[[], Figures]], rounds: int = ROUNDS
) -> dict[str, dict[str, Spread]]:
    """Run all in turn, every other round backwards. For each contender its figures by name."""
    found: dict[str, list[Figures]] = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
        for name in names:
            tell(f"round {number + 1} of {rounds}: {name}")
            found[name].append(contenders[name]())
    tell("")
    return {
        name: {figure: Spread([one[figure] for one in measured]) for figure in measured[0]}
        for name, measured in found.items()
    }
