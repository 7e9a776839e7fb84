"""Looks at a camera's pictures a few times a second and says what is wrong with them."""

import numpy as np
from numpy.typing import NDArray

from streamer.contracts import Captured
from streamer.frame import LazyPicture, Quality
from streamer.opencv import cv2
from streamer.quality.frozen import Frozen
from streamer.quality.holding import Holding
from streamer.quality.judging import Evidence, judged
from streamer.quality.measures import Measures, measured
from streamer.quality.small import brightness, reduced
from streamer.quality.usual import Usual

NS = 1_000_000_000
EVERY_NS = 190_000_000  # five a second, with room for jitter
SLOWLY_NS = 480_000_000  # where each look costs a conversion
_GAP_NS = 5 * NS  # pictures further apart say nothing of each other
BEGIN_NS, END_NS = 900_000_000, 1_500_000_000
# A view is known after so long without a change; what a camera on the move shows for a moment is not.
KNOWN_S, STOOD_S, LONGEST_S = 10.0, 60.0, 600.0
PASSES_S = 10.0  # what hides a view that has stood for long, and leaves no flag
USUAL_AGAIN_S = 60.0  # a new view is then the usual one
_MOST_NOISE = 15.0


class PictureWatch:
    """The health of one camera's pictures. Used in one thread, the camera's."""

    def __init__(self) -> None:
        self._flags = Quality.FINE
        self._looked_ns: int | None = None
        self._keyed = False
        self._every_ns = EVERY_NS
        self._frozen = Frozen()
        self._holding = {
            flag: Holding(BEGIN_NS, END_NS)
            for flag in (Quality.DARK, Quality.COVERED, Quality.DEFOCUSED, Quality.MOVED)
        }
        self._strange_s = 0.0  # for so long the view has not been the usual one
        self._small: NDArray[np.uint8] | None = None
        self._before: Measures | None = None
        self._noise = _MOST_NOISE
        self._usual = Usual()
        self._other: Usual | None = None  # the view that the camera has moved to
        self._restless = 1.0  # how much longer than usual a view must stand to be known
        self._keyframe_ns: int | None = None

    def connected(self) -> None:
        """A new connection: times begin anew. The view is the one that was known; what held is kept."""
        self._interrupted()
        self._looked_ns = self._keyframe_ns = None
        self._keyed = False

    def look(self, captured: Captured, scene_ns: int) -> Quality:
        """The flags that hold now. To be called for each picture; about five a second are looked at.

        Raises what reading the picture raises.
        """
        key = captured.keyframe
        self._keyed = self._keyed or key
        due = _due(scene_ns, self._looked_ns, self._every_ns)
        # Keyframes are held against each other: each one counts, unless there is nothing else.
        key = key and _due(scene_ns, self._keyframe_ns, self._every_ns)
        if captured.damaged or not (due or key):
            return self._flags
        grey = brightness(captured.picture)
        if key:
            self._keyframe_ns = scene_ns
            self._frozen.keyframe(grey, scene_ns)
        return self._look(captured, grey, scene_ns) if due else self._flags

    def _look(self, captured: Captured, grey: NDArray[np.uint8], scene_ns: int) -> Quality:
        passed_ns = EVERY_NS if self._looked_ns is None else scene_ns - self._looked_ns
        if not 0 <= passed_ns <= _GAP_NS:
            self._interrupted()
            passed_ns = EVERY_NS
        small = reduced(grey)
        seen = measured(small)
        self._noise = self._noise_in(small)
        evidence = self._judged(seen)
        key = captured.keyframe
        frozen = self._frozen.picture(grey, seen.bright, scene_ns, keyed=self._keyed, key=key)
        # Black and blank pictures may well be equal: they have no noise to tell them apart.
        frozen = frozen and not (evidence.dark or evidence.covered)
        self._looked_ns, self._keyed = scene_ns, False
        self._small, self._before = small, seen
        self._flags = self._held(evidence, passed_ns) | (Quality.FROZEN if frozen else Quality.FINE)
        self._learn(seen, evidence, passed_ns / NS)
        lazy = isinstance(captured.picture, LazyPicture) and captured.picture.luma() is None
        self._every_ns = SLOWLY_NS if lazy else EVERY_NS
        return self._flags

    def _judged(self, seen: Measures) -> Evidence:
        known = self._usual.seen_s >= KNOWN_S * self._restless
        return judged(seen, self._before or seen, self._usual, self._noise, known=known)

    def _held(self, evidence: Evidence, passed_ns: int) -> Quality:
        stood = self._usual.seen_s >= STOOD_S * self._restless
        said = {
            Quality.DARK: evidence.dark,
            Quality.COVERED: evidence.covered,
            Quality.DEFOCUSED: evidence.defocused,
            Quality.MOVED: evidence.moved if stood else None,
        }
        flags = Quality.FINE
        for flag, holding in self._holding.items():
            if holding.told(said[flag], passed_ns):
                flags |= flag
        return flags

    def _learn(self, seen: Measures, evidence: Evidence, passed_s: float) -> None:
        if self._flags & Quality.MOVED:
            self._other = self._other or Usual()
            self._other.learn(seen, passed_s)
            if self._other.seen_s >= USUAL_AGAIN_S:
                self._change_view(self._other)
            return
        self._other = None
        if self._flags or evidence.hidden:
            return
        self._strange_s = self._strange_s + min(passed_s, 1.0) if evidence.strange else 0.0
        if not evidence.strange:
            self._usual.learn(seen, passed_s)
        elif self._strange_s > (PASSES_S if self._usual.seen_s > STOOD_S else 1.0):
            self._change_view(Usual())

    def _change_view(self, view: Usual) -> None:
        stood = self._usual.seen_s >= LONGEST_S
        self._restless = 2.0 if stood else min(2 * self._restless, LONGEST_S / STOOD_S)
        self._usual, self._other = view, None
        self._holding[Quality.MOVED] = Holding(BEGIN_NS, END_NS)
        self._strange_s = 0.0
        self._flags &= ~Quality.MOVED

    def _noise_in(self, small: NDArray[np.uint8]) -> float:
        """The fine detail that is noise: of the quietest parts, for there nothing moves."""
        if self._small is None:
            return self._noise
        change = cv2.absdiff(small, self._small)
        parts = cv2.resize(change[32:160].astype(np.float32), (16, 8), interpolation=cv2.INTER_AREA)
        # Of independent pixels, those beside each other differ as those after each other: twice, x and y.
        quiet = 2 * float(np.partition(parts.ravel(), 25)[25])
        return min(quiet, 1.5 * self._noise + 0.5, _MOST_NOISE)

    def _interrupted(self) -> None:
        self._frozen.interrupted()
        for holding in self._holding.values():
            holding.interrupted()
        self._small = self._before = None


def _due(now_ns: int, last_ns: int | None, every_ns: int) -> bool:
    return last_ns is None or not 0 <= now_ns - last_ns < every_ns
