"""Is there a display for a window? Asked of the environment and of whoever serves it: nothing heavy loads."""

import contextlib
import os
import re
import socket
import sys
import threading
from collections.abc import Mapping

ANSWERS_S = 1.0  # for a server on this machine, or one address of another
REMOTE_S = 2.0  # for all of it: finding the name too, which cannot be told how long it may take
# X(7), display names, and what libxcb makes of them: [protocol/][host]:display[.screen], or a socket's path.
_NAME = re.compile(r"(?:(\w+)/)?(.*):(\d{1,5})(?:\.\d+)?")
_FIRST_PORT, _LAST_PORT = 6000, 65535


def missing(environment: Mapping[str, str] = os.environ) -> str:
    """Why no window can be shown; empty where it is worth trying.

    OpenCV's windows speak X11 on Linux (its Qt comes with that plugin alone): Wayland by itself is none.
    """
    if sys.platform in ("darwin", "win32"):
        return ""
    if display := environment.get("DISPLAY"):
        return "" if _served(display) else f"nobody serves DISPLAY={display}"
    if environment.get("WAYLAND_DISPLAY"):
        return "DISPLAY is not set, and OpenCV's windows cannot do with Wayland alone: they want XWayland"
    return "DISPLAY is not set"


def _served(display: str) -> bool:
    if display.startswith("/"):
        return _answers(display)
    if (match := _NAME.fullmatch(display)) is None:
        return False
    protocol, host, number = match[1], match[2], int(match[3])
    if protocol != "unix" and host not in ("", "unix"):
        return _host_answers(host.removeprefix("[").removesuffix("]"), _FIRST_PORT + number)
    path = f"/tmp/.X11-unix/X{number}"  # noqa: S108 - where X servers listen
    if _answers(f"\0{path}") or _answers(path):
        return True
    return protocol is None and _host_answers("localhost", _FIRST_PORT + number)


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(ANSWERS_S)
        try:
            one.connect(path)
        except OSError:  # a path that is too long is one too
            return False
        return True


def _host_answers(host: str, port: int) -> bool:
    if port > _LAST_PORT:
        return False
    answered = threading.Event()

    def ask() -> None:
        # UnicodeError: no name of a host at all.
        with (
            contextlib.suppress(OSError, UnicodeError),
            socket.create_connection((host, port), ANSWERS_S),
        ):
            answered.set()

    asking = threading.Thread(target=ask, name="display", daemon=True)
    asking.start()
    asking.join(REMOTE_S)
    return answered.is_set()
