"""Is there a display at all? Asked before anything is started, for an answer in words."""

import os
import re
import socket
import sys

from streamer.errors import SinkError

ADVICE = "run it in a desktop session, or write --video PATH instead"
_LOCAL = re.compile(r"(?:unix)?:(\d{1,5})(?:\.\d+)?")
ANSWERS_S = 1.0


def missing() -> str:
    """Why there can be no window; empty where it is worth trying."""
    if sys.platform == "darwin":
        return ""
    display = os.environ.get("DISPLAY", "")
    if not display and not os.environ.get("WAYLAND_DISPLAY"):
        return "DISPLAY is not set"
    local = _LOCAL.fullmatch(display)
    return f"nobody serves DISPLAY={display}" if local and not _served(int(local[1])) else ""


def look() -> None:
    """Raise SinkError where there can be no window."""
    if why := missing():
        raise SinkError(f"window: there is no display: {why}; {ADVICE}")


def refused(words: str) -> str:
    """Why there can be no window, where one was tried in vain and that is what it said."""
    display = os.environ.get("DISPLAY")
    if display:
        return f"the display {display} cannot be used: {words}; {ADVICE}"
    if os.environ.get("WAYLAND_DISPLAY"):
        return f"DISPLAY is not set, and OpenCV's windows want X11 (or XWayland): {words}; {ADVICE}"
    return f"the screen cannot be used: {words}"


def _served(number: int) -> bool:
    """Whether an X server listens there (X(7), display names)."""
    path = f"/tmp/.X11-unix/X{number}"  # noqa: S108 - where X servers listen
    for address in (f"\0{path}", path):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(ANSWERS_S)
            try:
                probe.connect(address)
            except OSError:
                continue
            return True
    return False
