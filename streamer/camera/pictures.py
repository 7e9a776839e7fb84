"""What is wrong with a camera's pictures now, as opposed to what is wrong with one of them."""

import logging
from typing import Protocol

from streamer.contracts import Captured
from streamer.errors import Stale
from streamer.frame import Quality

_log = logging.getLogger("freshframe")

# Damage comes by the frame, a lost packet here and there: without one for so long it is over.
HOLD_NS = 2_000_000_000
# One picture may be odd, and so may a second's worth of them: the watch is a stranger's too.
MOST_FAILURES = 100
# Composing flags costs a microsecond, looking at none a tenth of that.
_FINE = Quality.FINE


class PictureWatch(Protocol):
    """Tells what is wrong with what a camera shows: dark, covered, frozen … Used by one thread at a time."""

    def connected(self) -> None:
        """A new connection begins: its pictures may have another size, and time has passed."""

    def look(self, captured: Captured, scene_ns: int) -> Quality:
        """What is wrong with it as of this picture. Called for each one that comes, and returns soon."""


class Pictures:
    """Keeps account of one camera's quality flags.

    The watch's flags (`shows`) stand as it says, and go on standing where it fails. DAMAGED and LATE begin
    with the first such frame and end after two seconds without one. `look` is for the reader; `came` too,
    and `holds` and `due_ns` for the camera's loop: these three with the tally's lock held.
    """

    def __init__(self, camera: str, watch: PictureWatch | None) -> None:
        self._camera = camera
        self._watch = watch
        self.shows = _FINE
        self._failures = 0  # of the watch, in a row
        self._said = False
        self._held = _FINE  # what the loop has heard
        self._damaged_until_ns = self._late_until_ns = 0

    def connected(self) -> None:
        """A new connection begins."""
        if self._watch is not None:
            try:
                self._watch.connected()
            except Exception:
                self._failed()

    def look(self, captured: Captured, scene_ns: int) -> Quality:
        """What the watch says of the next picture; where it cannot say, what held goes on holding."""
        if self._watch is None:
            return self.shows
        try:
            shows = self._watch.look(captured, scene_ns)
        except Stale:  # overwritten before it was seen
            return self.shows
        except Exception:
            self._failed()
            return self.shows
        self._failures = 0
        return shows

    def came(self, shows: Quality, damaged: bool, late: bool, now_ns: int) -> bool:
        """A picture with these flags came: True where that is not what `holds` said last."""
        changed = shows is not self.shows and shows != self.shows
        self.shows = shows
        if damaged or late:
            held, until_ns = self._held, now_ns + HOLD_NS
            if damaged:
                changed = changed or Quality.DAMAGED not in held
                self._damaged_until_ns = until_ns
            if late:
                changed = changed or Quality.LATE not in held
                self._late_until_ns = until_ns
        return changed

    def holds(self, now_ns: int) -> Quality:
        """What is wrong now; whoever asks says it."""
        quality = self.shows
        if self._damaged_until_ns > now_ns:
            quality |= Quality.DAMAGED
        if self._late_until_ns > now_ns:
            quality |= Quality.LATE
        self._held = quality
        return quality

    def due_ns(self, now_ns: int) -> int | None:
        """When the next flag ends, unless it comes again."""
        ends_ns = self._damaged_until_ns, self._late_until_ns
        return min((end_ns for end_ns in ends_ns if end_ns > now_ns), default=None)

    def _failed(self) -> None:
        self._failures += 1
        if not self._said:
            self._said = True
            _log.exception("camera %s: a picture could not be looked after; what held goes on", self._camera)
        if self._failures >= MOST_FAILURES:
            self._watch = None
            _log.error(
                "camera %s: %d pictures in a row could not be looked after; nobody does any more, what held "
                "is not taken back",
                self._camera,
                self._failures,
            )
