"""Frames that a worker took and could not look at: counted, said once, fatal when there are only those."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping

from streamer.errors import DetectorError, Stale
from streamer.frame import Frame
from streamer.ring import CLOSED, Taken

_log = logging.getLogger("freshframe")

# A detector may stumble over one odd picture. One that fails on everything is broken.
BROKEN_AFTER = 20  # failed frames in a row


class Failures:
    """The account of one worker. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ever: dict[str, Counter[str]] = {}
        self._owed: dict[str, Counter[str]] = {}  # not yet reported with a later frame
        self._in_a_row = 0
        self._said: set[str] = set()

    def add(self, taken: Taken[Frame], error: Exception) -> None:
        """One frame could not be looked at. Raises DetectorError where nothing succeeds any more."""
        text = f"{type(error).__name__}: {error}"
        self._lose(taken, "overwritten" if isinstance(error, Stale) else "detector")
        with self._lock:
            self._in_a_row += 1
            broken = self._in_a_row >= BROKEN_AFTER
            new = text not in self._said and len(self._said) < BROKEN_AFTER
            self._said.add(text)
        if new:
            frame = taken.item
            _log.warning("%s: the detector could not look at frame %d: %s", frame.camera, frame.index, text)
        if broken:
            raise DetectorError(f"the detector failed on {BROKEN_AFTER} frames in a row, at last with {text}")

    def closed(self, taken: Taken[Frame]) -> None:
        """One frame was on its way to the device when everything ended."""
        self._lose(taken, CLOSED)

    def settle(self, taken: Taken[Frame]) -> Mapping[str, int]:
        """A success: returns what was lost in its camera since the one before."""
        with self._lock:
            self._in_a_row = 0
            owed = self._owed.pop(taken.item.camera, None)
        return taken.lost if owed is None else dict(owed + Counter(taken.lost))

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
