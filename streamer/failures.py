"""Frames that a worker took and could not look at: counted, said once, fatal when there are only those."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from streamer.clock import Clock
from streamer.errors import DetectorError, Stale, text_of
from streamer.frame import Frame, Picture
from streamer.lane import CLOSED, Taken

_log = logging.getLogger("freshframe")

# A detector may stumble over one odd picture, or over every picture of one odd camera. One that
# fails on everything, for longer than any camera that is well takes to its next frame, is broken.
BROKEN_AFTER = 20  # failed frames in a row
BROKEN_FOR_NS = 2_000_000_000  # without a success


class Failures:
    """The account of one step of a worker: frames pass it in order, or fail in it. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._succeeded = False
        self._failing_since_ns = 0
        self._lock = threading.Lock()
        self._ever: dict[str, Counter[str]] = {}
        self._owed: dict[str, Counter[str]] = {}  # not yet reported with a later frame
        self._in_a_row = 0
        self._said: set[str] = set()
        self._latest = ""

    def add(self, taken: Taken[Frame], error: Exception) -> None:
        """One frame could not be looked at."""
        text = f"{type(error).__name__}: {text_of(error)}"
        overwritten = isinstance(error, Stale)
        self._lose(taken, "overwritten" if overwritten else "detector")
        its_fault = not overwritten and not _unreadable(taken.item.picture, error)
        about = "Stale" if overwritten else text  # each one's text has another number in it
        with self._lock:
            if not overwritten:
                self._latest = text
            if its_fault:
                if not self._in_a_row:
                    self._failing_since_ns = self._clock.now_ns()
                self._in_a_row += 1
            new = about not in self._said and len(self._said) < BROKEN_AFTER
            if new:
                self._said.add(about)
        frame = taken.item
        if new and overwritten:
            _log.warning(
                "%s: frame %d was not looked at: %s; from now on these are only counted",
                frame.camera,
                frame.index,
                text_of(error),
            )
        elif new:
            _log.warning("%s: the detector could not look at frame %d: %s", frame.camera, frame.index, text)

    def check(self) -> None:
        """For when a whole batch is accounted for. Raises DetectorError where nothing succeeds any more."""
        with self._lock:
            count, for_ns = self._in_a_row, self._clock.now_ns() - self._failing_since_ns
        if count >= BROKEN_AFTER and for_ns >= BROKEN_FOR_NS:
            raise DetectorError(
                f"the detector failed on {count} frames in a row, at last with {self._latest}"
            )

    def check_end(self) -> None:
        """For the end of a run. Raises DetectorError where nothing ever succeeded."""
        with self._lock:
            broken = self._latest and not self._succeeded
        if broken:
            raise DetectorError(f"the detector failed on every frame, at last with {self._latest}")

    def closed(self, taken: Taken[Frame]) -> None:
        """One frame was on its way to the device when everything ended."""
        self._lose(taken, CLOSED)

    def settle(self, taken: Taken[Frame]) -> Taken[Frame]:
        """A success: from here on it answers for what was lost in its camera since the one before."""
        with self._lock:
            self._succeeded = True
            self._in_a_row = 0
            owed = self._owed.pop(taken.item.camera, None)
        return taken if owed is None else replace(taken, lost=dict(owed + Counter(taken.lost)))

    def of(self, camera: str) -> Mapping[str, int]:
        """A camera's failures ever, by reason."""
        with self._lock:
            return dict(self._ever.get(camera, {}))

    def _lose(self, taken: Taken[Frame], reason: str) -> None:
        camera = taken.item.camera
        with self._lock:
            self._ever.setdefault(camera, Counter())[reason] += 1
            self._owed.setdefault(camera, Counter()).update(Counter(taken.lost) + Counter({reason: 1}))
        taken.done()


def _unreadable(picture: Picture, error: Exception) -> bool:
    """Whether an error is the picture's own: one that cannot be converted raises the same at each look."""
    try:
        picture.bgr()
    except Exception as its_own:
        return its_own is error
    return False
