"""What one picture says, held against what is usual: True, False, or None where it cannot tell."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.quality.measures import Blocks, Measures, correlation, likeness
from streamer.quality.usual import Usual, sharpness

# Grey levels. Black is 16 in most streams and 0 in some.
BLACK, NOTHING_LIT = 30.0, 44.0
# Detail without noise that no eye sees, grey levels from one pixel to the next, fine and coarse.
_FLAT_FINE, _FLAT_COARSE = 1.2, 1.0
UNIFORM = 0.97  # share of flat blocks with which there is no picture at all
_COLLAPSED_FINE, _COLLAPSED_COARSE, _GONE = 0.25, 0.35, 0.4  # of what is usual; likeness of the edges
COVERED_FROM, COVERED_TO = 0.48, 0.35  # share of the background that is gone
_FEW = 6  # blocks
# Logarithms: fine detail over coarse, and fine detail alone, against what is usual.
SOFT_FROM, SOFT_TO, _SOFTER, _WEAKER = -0.35, -0.2, -0.12, -0.3
LOST, _SAME_LIGHT = -0.65, 0.3
_NEARLY_ALL = 0.85
_SAME_SCENE, _SURELY_SAME = 0.6, 0.75  # correlation without any detail
_MATCHED, _OTHER, _STEADY = 0.5, 0.3, 0.6  # likeness of edges
MOVED_FROM, MOVED_TO, _ELSEWHERE = 0.25, 0.5, 0.4  # shares of the background


@dataclass(frozen=True, slots=True)
class Evidence:
    """For and against each flag."""

    dark: bool | None = None
    covered: bool | None = None
    defocused: bool | None = None
    moved: bool | None = None
    strange: bool = False  # the view is not the usual one, whether or not that is known well enough

    @property
    def hidden(self) -> bool:
        """The view cannot be seen as it is."""
        return bool(self.dark or self.covered or self.defocused)


def judged(seen: Measures, before: Measures, usual: Usual, noise: float, *, known: bool) -> Evidence:
    """`before`: the picture before; `noise`: the fine detail that is noise; `known`: `usual` may be held."""
    flat = (seen.fine < _FLAT_FINE + 1.4 * noise) & (seen.coarse < _FLAT_COARSE + 0.45 * noise)
    lit = ~flat | (seen.brightest > NOTHING_LIT)
    if not lit.any():
        return Evidence(dark=True)
    dark = False if int(lit.sum()) > 2 else None
    if flat.mean() >= UNIFORM and float(seen.bright.mean()) > BLACK:
        return Evidence(dark, covered=True)
    if usual.edges is None:
        return Evidence(dark, covered=False)
    alike = usual.alike(seen)
    background = usual.background
    if background.sum() < _FEW:
        other = int(((alike < _OTHER) & ~flat).sum())
        return Evidence(dark, covered=False, strange=other > 0.7 * max(_FEW, int((~flat).sum())))
    here = float((alike >= _MATCHED)[background].mean())
    known = known and usual.fixed
    # First, for far out of focus little is left of the edges that a cover takes away.
    defocused = _defocused(seen, usual, noise) if known else None
    covered = None if defocused else _covered(seen, usual, flat, alike)
    strange = here <= MOVED_FROM and not (covered or defocused)
    if not known:
        return Evidence(dark, covered=False, strange=strange)
    moved = False if here >= MOVED_TO else None
    if strange:
        steady = likeness(seen.edges, before.edges) > _STEADY
        elsewhere = (alike < _OTHER) & steady & ~flat
        moved = float(elsewhere[background].mean()) >= _ELSEWHERE or None
    return Evidence(dark, covered, None if covered else defocused, moved, strange)


def _covered(seen: Measures, usual: Usual, flat: NDArray[np.bool_], alike: Blocks) -> bool | None:
    background = usual.background
    gone = flat | (
        (seen.fine < _COLLAPSED_FINE * usual.fine) & (seen.coarse < _COLLAPSED_COARSE * usual.coarse)
    )
    gone &= background & (alike < _GONE)
    left = background & ~gone
    share = gone.sum() / background.sum()
    if share < COVERED_TO:
        return False
    if share < COVERED_FROM:
        return None
    some = int(left.sum()) >= _FEW
    if float((seen.bright[gone] < BLACK).mean()) > 0.5:
        # Black is a lamp that went out, unless all that is left is as bright as ever.
        change = np.abs(seen.bright[left] / np.maximum(usual.bright[left], 1) - 1)
        return some and float((change < 0.3).mean()) >= 0.3
    # What is left is the usual view, else the camera looks at something plain.
    return not some or float((alike[left] >= _GONE).mean()) >= 0.5


def _defocused(seen: Measures, usual: Usual, noise: float) -> bool | None:
    background = usual.background
    assert usual.rough is not None
    weaker = np.log(np.maximum(seen.fine, 0.05) / np.maximum(usual.fine, 0.05))[background]
    softer = (sharpness(seen) - usual.sharp)[background]
    clear = (seen.coarse > 1.0 + 0.5 * noise)[background]
    if clear.mean() < 0.4:
        return None  # too little contrast left
    middle = float(np.median(softer[clear]))
    soft = middle <= SOFT_FROM and float((softer[clear] < _SOFTER).mean()) >= _NEARLY_ALL
    if soft and float(np.median(weaker[clear])) <= _WEAKER:
        return correlation(seen.rough, usual.rough) >= _SAME_SCENE or None
    # Far out of focus, the coarse detail goes as well. Only the light takes that too, and it has not changed.
    light = abs(float(np.log(max(1.0, seen.bright.mean()) / max(1.0, usual.bright.mean()))))
    lost = float(np.median(weaker)) <= LOST and float(np.quantile(weaker, _NEARLY_ALL)) <= _WEAKER
    if lost and light < _SAME_LIGHT:
        return correlation(seen.rough, usual.rough) >= _SURELY_SAME or None
    return False if middle > SOFT_TO and float(np.median(weaker)) > _WEAKER else None
