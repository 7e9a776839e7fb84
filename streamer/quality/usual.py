"""What this camera usually shows, learnt from pictures that are fine."""

import numpy as np
from numpy.typing import NDArray

from streamer.quality.measures import COLUMNS, ROWS, Blocks, Measures, likeness

# What is usual follows the day's light, and hardly what creeps over the lens within half a minute.
_MEMORY_S = 120.0
_DETAILED = 2.5, 2.0  # least fine and coarse detail, grey levels, of a block in which a change would show
_ALIKE = 0.6  # a block is background where its edges are usually this much alike
# Background that a fixed camera shows: share of the blocks with detail, and of all.
_MOSTLY, _ENOUGH = 0.6, 0.2


class Usual:
    """The background of one view. Used in one thread."""

    def __init__(self) -> None:
        self.seen_s = 0.0  # scene time that it has been learnt from
        self._pictures = 0
        none = np.zeros((ROWS, COLUMNS), np.float32)
        self.bright: Blocks = none
        self.fine: Blocks = none
        self.coarse: Blocks = none
        self.sharp: Blocks = none  # log of fine detail over coarse
        self._alike: Blocks = none
        self._compared: tuple[Measures, Blocks] | None = None
        self.edges: NDArray[np.float32] | None = None
        self.rough: NDArray[np.float32] | None = None
        self.background: NDArray[np.bool_] = none > 0  # blocks that are held against it
        self.fixed = False  # the camera stands still, as far as can be told

    def alike(self, seen: Measures) -> Blocks:
        """How much the edges are the usual ones, -1 to 1; worked out once for each picture."""
        if self._compared is None or self._compared[0] is not seen:
            none = np.ones((ROWS, COLUMNS), np.float32)
            self._compared = seen, none if self.edges is None else likeness(seen.edges, self.edges)
        return self._compared[1]

    def learn(self, seen: Measures, passed_s: float) -> None:
        """Take in a picture that is fine, `passed_s` after the one before."""
        self._pictures += 1
        self.seen_s += passed_s
        alike = self.alike(seen)
        if self.edges is None or self.rough is None:
            self.edges, self.rough = seen.edges, seen.rough
        weight = np.float32(max(1 / self._pictures, min(passed_s / _MEMORY_S, 0.2)))
        self.edges = self.edges + weight * (seen.edges - self.edges)
        self.rough = self.rough + weight * (seen.rough - self.rough)
        self.bright = self.bright + weight * (seen.bright - self.bright)
        self.fine = self.fine + weight * (seen.fine - self.fine)
        self.coarse = self.coarse + weight * (seen.coarse - self.coarse)
        self.sharp = self.sharp + weight * (sharpness(seen) - self.sharp)
        self._alike = self._alike + weight * (alike - self._alike)
        detailed = (self.fine > _DETAILED[0]) & (self.coarse > _DETAILED[1])
        self.background = detailed & (self._alike > _ALIKE)
        count = int(self.background.sum())
        self.fixed = count >= max(_MOSTLY * int(detailed.sum()), _ENOUGH * detailed.size)


def sharpness(seen: Measures) -> Blocks:
    """Log of fine detail over coarse: light and contrast change both alike."""
    return np.asarray(np.log(np.maximum(seen.fine, 0.05) / np.maximum(seen.coarse, 0.05)), np.float32)
