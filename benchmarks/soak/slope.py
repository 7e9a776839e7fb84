"""How fast does it grow, and how sure is that?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

Z_95 = 1.959964
BLOCKS, LEAST = 40, 5  # of samples; so many in each at least


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope with the ends of its 95 % confidence interval, in units of y per unit of x."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> "Slope":
        return Slope(self.value * factor, self.low * factor, self.high * factor)

    def text(self, digits: int = 2) -> str:
        """As in `0.31 (-0.20…0.85)`."""
        return f"{self.value:.{digits}f} ({self.low:.{digits}f}…{self.high:.{digits}f})"


def floors(xs: Sequence[float], ys: Sequence[float], count: int = BLOCKS) -> tuple[list[float], list[float]]:
    """Samples in so many blocks of equal length, of each its middle x and its lowest y.

    What is there for a moment only (pictures in flight, a connection being opened) is no growth: what
    stays shows in the lowest value. Blocks also take most of the dependence of samples on the one before.
    """
    count = max(1, min(count, len(xs) // LEAST))
    edges = [round(index * len(xs) / count) for index in range(count + 1)]
    blocks = [slice(first, last) for first, last in pairwise(edges)]
    return [median(xs[block]) for block in blocks], [min(ys[block]) for block in blocks]


def theil_sen(xs: Sequence[float], ys: Sequence[float]) -> Slope:
    """The median of the slopes between all pairs of points, which a few outliers cannot move.

    The interval is Sen's (P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau",
    JASA 63, 1968, in its normal approximation): the slopes whose ranks lie C/2 from the middle one's, where
    C = z √(n(n−1)(2n+5)/18). Memory now depends on memory a moment ago, which makes that too narrow: the
    variance is multiplied by (1+r)/(1−r), r the correlation of neighbouring residuals (S. Yue and C. Wang,
    "The Mann-Kendall test modified by effective sample size", Water Resources Management 18, 2004; for
    large n). Raises ValueError for fewer than four points that differ in x.
    """
    pairs = combinations(zip(xs, ys, strict=True), 2)
    slopes = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs if x2 != x1)
    count = len(xs)
    if count < 4 or not slopes:
        raise ValueError(f"{count} points with {len(slopes)} slopes between them; allowed: 4 points or more")
    value = median(slopes)
    residuals = [y - value * x for x, y in zip(xs, ys, strict=True)]
    inflation = _inflation(_neighbours(residuals))
    spread = Z_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18 * inflation)
    first = math.floor((len(slopes) - spread) / 2)
    last = math.ceil((len(slopes) + spread) / 2)
    # Beyond the outermost slope nothing is known: the interval is open there.
    low = slopes[first] if first >= 0 else -math.inf
    high = slopes[last] if last < len(slopes) else math.inf
    return Slope(value, low, high)


def _neighbours(values: Sequence[float]) -> float:
    """The correlation of each value with the next; 0 where they do not vary."""
    mean = sum(values) / len(values)
    apart = [value - mean for value in values]
    square = sum(each * each for each in apart)
    return sum(one * next_ for one, next_ in pairwise(apart)) / square if square else 0.0


def _inflation(correlation: float) -> float:
    within = min(max(correlation, 0.0), 0.95)  # less than independent is chance
    return (1 + within) / (1 - within)
