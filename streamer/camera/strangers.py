"""What is asked of somebody else's source beside reading it; what it does then must not harm the camera."""

import logging
import threading
from collections.abc import Callable

from streamer.camera.tally import Tally
from streamer.contracts import Source

_log = logging.getLogger("freshframe")

RENEW_S = 1.0  # a renewal only makes an object; in real time, for it is real work


def renewed(camera: str, source: Source, tally: Tally) -> Source | None:
    """Another source for the same place; None where it has none to give, or not within a second.

    Nor where the camera is told to stop meanwhile.
    """
    renew: Callable[[], Source] | None = getattr(source, "renew", None)
    if renew is None:
        return None
    got: list[Source | None] = []

    def ask() -> None:
        answer: Source | None = None
        try:
            answer = renew()
        except Exception:  # as if it had none
            _log.exception("camera %s: its source failed to be renewed", camera)
        finally:
            with tally.changed:
                got.append(answer)
                tally.changed.notify_all()

    _apart(f"camera {camera} renewing", ask)
    with tally.changed:
        tally.changed.wait_for(lambda: got or tally.stopping, RENEW_S)
        return got[0] if got else None


def tell_to_stop(camera: str, source: Source) -> None:
    """Ask it to stop, and do not wait for it."""
    stop: Callable[[], None] | None = getattr(source, "stop", None)
    if stop is None:
        return

    def tell() -> None:
        try:
            stop()
        except Exception:
            _log.exception("camera %s: its source failed to stop", camera)

    _apart(f"camera {camera} stopping", tell)


def _apart(name: str, target: Callable[[], None]) -> None:
    """In a thread of its own: where the source hangs, what it is asked may wait for the same lock."""
    threading.Thread(target=target, name=name, daemon=True).start()
