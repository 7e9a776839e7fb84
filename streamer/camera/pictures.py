"""What is wrong with a camera's pictures now, as opposed to what is wrong with one of them."""

import logging
from typing import Protocol

from streamer.contracts import Captured
from streamer.errors import Stale
from streamer.frame import Quality

_log = logging.getLogger("freshframe")

# Damage comes by the frame, a lost packet here and there: without one for so long it is over.
HOLD_NS = 1_000_000_000
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

    The watch's flags stand as it says. DAMAGED and LATE begin with the first such frame and end after a
    second without one. `look` and `came` are for the reader, `holds` and `due_ns` for the camera's loop.
    """

    def __init__(self, camera: str, watch: PictureWatch | None) -> None:
        self._camera = camera
        self._watch = watch
        self._shows = _FINE
        self._damaged_until_ns = self._late_until_ns = 0

    def connected(self) -> None:
        """A new connection begins."""
        if self._watch is not None:
            try:
                self._watch.connected()
            except Exception:
                self._go_on_without()

    def look(self, captured: Captured, scene_ns: int) -> Quality:
        """What the watch says of the next picture; FINE where there is none."""
        if self._watch is None:
            return _FINE
        try:
            return self._watch.look(captured, scene_ns)
        except Stale:
            return self._shows  # overwritten before it was seen: what held goes on holding
        except Exception:
            self._go_on_without()
            return _FINE

    def came(self, shows: Quality, damaged: bool, late: bool, now_ns: int) -> bool:
        """A picture with these flags came: True where `holds` says something else now."""
        changed = shows is not self._shows and shows != self._shows
        self._shows = shows
        if damaged:
            changed = changed or self._damaged_until_ns <= now_ns
            self._damaged_until_ns = now_ns + HOLD_NS
        if late:
            changed = changed or self._late_until_ns <= now_ns
            self._late_until_ns = now_ns + HOLD_NS
        return changed

    def holds(self, now_ns: int) -> Quality:
        """What is wrong now."""
        quality = self._shows
        if self._damaged_until_ns > now_ns:
            quality |= Quality.DAMAGED
        if self._late_until_ns > now_ns:
            quality |= Quality.LATE
        return quality

    def due_ns(self, now_ns: int) -> int | None:
        """When the next flag ends, unless it comes again."""
        ends_ns = self._damaged_until_ns, self._late_until_ns
        return min((end_ns for end_ns in ends_ns if end_ns > now_ns), default=None)

    def _go_on_without(self) -> None:
        self._watch = None
        _log.exception("camera %s: looking after its pictures failed; it goes on without", self._camera)
