"""What is asked of somebody else's source beside reading it; what it does then must not harm the camera."""

import logging
import threading
from collections.abc import Callable

from streamer.contracts import Source

_log = logging.getLogger("freshframe")


def renewed(camera: str, source: Source) -> Source | None:
    """Another source for the same place; None where it has no such thing to give."""
    renew: Callable[[], Source] | None = getattr(source, "renew", None)
    if renew is None:
        return None
    try:
        return renew()
    except Exception:  # as if it had none
        _log.exception("camera %s: its source failed to be renewed", camera)
        return None


def tell_to_stop(camera: str, source: Source) -> None:
    """In a thread of its own: where the source hangs, its `stop` may wait for the same lock."""
    stop: Callable[[], None] | None = getattr(source, "stop", None)
    if stop is None:
        return

    def tell() -> None:
        try:
            stop()
        except Exception:
            _log.exception("camera %s: its source failed to stop", camera)

    threading.Thread(target=tell, name=f"camera {camera} stopping", daemon=True).start()
