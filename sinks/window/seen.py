"""One camera as the window's process sees it: its picture, its words, its rate."""

from collections import deque
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from sinks.window import wording
from sinks.window.messages import Tile
from sinks.window.tile import Look

RATE_OVER_NS = 2_000_000_000
MOST_TIMES = 256
USUAL_OF = 4  # gaps; the longest of them is what is usual


class Seen:
    """Used by one thread."""

    def __init__(self) -> None:
        self.tile: Tile | None = None
        self.pixels: NDArray[np.uint8] | None = None
        self._spare: NDArray[np.uint8] | None = None  # fresh memory costs more than what is written into it
        self.number = 0  # of the record that was read last
        self.changed = False
        self.painted: Look | None = None
        self._times_ns: deque[int] = deque(maxlen=MOST_TIMES)  # when its last pictures were shown
        self.age_ns: int | None = None  # the greatest that its pictures had on the screen, lately
        self._worst_ns: int | None = None  # the same, since it was last worked out
        self.fps: float | None = None
        self.usual_ns = 0  # from one picture to the next

    @property
    def ratio(self) -> float | None:
        """Width by height of its pictures, where that is known."""
        shot = self.tile.shot if self.tile else None
        return shot.size[0] / shot.size[1] if shot else None

    def take(self, tile: Tile, pixels: NDArray[np.uint8] | None, now_ns: int) -> None:
        """What is newest of it; no pixels where they are those that are here already."""
        self.changed = True
        before = self.tile.shot if self.tile else None
        new = pixels is not None and tile.shot is not None
        new = new and (before is None or tile.shot is None or tile.shot.index != before.index)
        if new:
            self._times_ns.append(now_ns)
            self._see(now_ns)  # the one that it takes the place of was the oldest at its end
        self.tile = tile
        if pixels is not None:
            self.pixels, self._spare = pixels, self.pixels
        if new:
            self._see(now_ns)

    def copied(self, place: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy for `take`; where that is not called, for it was torn, `pixels` are as they were."""
        spare = self._spare
        if spare is None or spare.shape != place.shape:
            spare = self._spare = np.empty_like(place)
        spare[:] = place
        return spare

    def _see(self, now_ns: int) -> None:
        age_ns = wording.age_ns(self.tile, now_ns) if self.tile is not None else None
        if age_ns is not None:
            self._worst_ns = max(age_ns, self._worst_ns or 0)

    def take_words(self, tile: Tile) -> None:
        """How it is, but not what it shows."""
        old = self.tile
        if old is None:
            self.tile = msgspec.structs.replace(tile, shot=None, boxes=None)
        else:
            self.tile = msgspec.structs.replace(
                old,
                state=tile.state,
                since_ns=tile.since_ns,
                why=tile.why,
                quality=tile.quality,
                unreadable=tile.unreadable,
            )
        self.changed = True

    def count(self, now_ns: int) -> None:
        """Work out rate and age for people to read: called twice a second."""
        times = self._times_ns
        while len(times) > USUAL_OF and now_ns - times[0] > RATE_OVER_NS:
            times.popleft()
        recent = list(times)[-USUAL_OF:]
        self.usual_ns = max((after - before for before, after in pairwise(recent)), default=0)
        going = bool(times) and now_ns - times[-1] <= max(RATE_OVER_NS, 2 * self.usual_ns)
        self.fps = None
        if going and len(times) > 1 and times[-1] > times[0]:
            self.fps = (len(times) - 1) * 1e9 / (times[-1] - times[0])
        self._see(now_ns)
        self.age_ns, self._worst_ns = self._worst_ns, None

    def look(self, number: int, mode: str, now_ns: int, *, awaited: bool) -> Look | None:
        """How it is to be seen; None where nothing is known yet. `awaited`: pictures ought to come."""
        tile = self.tile
        if tile is None:
            return None
        headline, sentence = wording.trouble(tile, now_ns, self.usual_ns if awaited else None)
        recorded = tile.shot is not None and not tile.shot.live  # such a picture comes with its own boxes
        return Look(tile, number, headline, sentence, self.fps, self.age_ns, "exact" if recorded else mode)
