"""What runs in the window's process: it looks at the board, paints, and tells which keys were pressed."""

import contextlib
import ctypes
import os
import resource
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path

from sinks.window.board import Board
from sinks.window.messages import Failed, Open, Quit, Said, Snap, encode
from sinks.window.pane import Pane
from sinks.window.process import LENGTH
from sinks.window.view import Wall
from streamer.opencv import cv2

FIRST_SIZE = (1280, 762)  # a 720p camera as it is, with its bar and the one at the foot
# A ring wakes us at once; keys and the window's size wait so long at the most. Of two keys within that time
# OpenCV tells only the second.
LOOK_S = 0.01
MOST_FPS = 75.0
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # linux/prctl.h
_OOM_SCORE = "500"


def main(descriptor: int, memory: int) -> None:
    """Show what the parent hangs up until it, or whoever watches, has enough. Never returns."""
    try:
        _confine()
        parent = socket.socket(fileno=descriptor)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        try:
            _show(parent, Board(memory))
        except cv2.error as error:
            _say(parent, Failed(why(error)))
        except OSError:
            pass  # the parent is gone
    finally:
        os._exit(0)  # the window goes with its connection; taking libraries down could only crash


def _show(parent: socket.socket, hung: Board) -> None:
    wall, pane = Wall(hung), Pane(FIRST_SIZE)
    wall.lay_out(pane.size)
    _paint(wall, pane)
    pane.key()
    if pane.closed:
        raise cv2.error("the window closed at once")
    _say(parent, Open())
    shown_s = 0.0
    while True:
        time.sleep(max(0.0, shown_s + 1 / MOST_FPS - time.monotonic()))  # what comes now comes together
        readable, _, _ = select.select([parent], [], [], LOOK_S)
        if readable and not parent.recv(4096):
            return
        wall.read()
        if (wanted := wall.lay_out(pane.size)) is not None:
            _say(parent, wanted)
        if _paint(wall, pane):
            shown_s = time.monotonic()
        key = pane.key()
        if key == "q" or pane.closed:
            _say(parent, Quit())
            return
        if key == "s" and wall.one is not None:
            _say(parent, Snap(wall.one))
        elif key:
            _press(key, wall, pane)


def _press(key: str, wall: Wall, pane: Pane) -> None:
    match key:
        case "f":
            pane.toggle_full()
        case " ":
            wall.pause()
        case "0":
            wall.choose(None)
        case "s":
            wall.keep()
        case _ if key in "123456789":
            wall.choose(int(key) - 1)


def _paint(wall: Wall, pane: Pane) -> bool:
    picture = wall.painted()
    if picture is None:
        return False
    pane.show(picture)
    return True


def _say(parent: socket.socket, said: Said) -> None:
    message = encode(said)
    parent.sendall(LENGTH.pack(len(message)) + message)


def why(error: cv2.error) -> str:
    """Why there can be no window, in words."""
    if not cv2.currentUIFramework():
        return (
            f"this OpenCV ({cv2.__version__}) was built without windows; "
            "`pip uninstall opencv-python-headless`, then `pip install --force-reinstall opencv-python`"
        )
    return f"OpenCV cannot open a window: {' '.join(str(error).split())[:300]}"


def _end_with(parent: socket.socket) -> None:
    """End the process when the parent has ended or hung up, whatever the window is at."""
    poll = select.poll()
    poll.register(parent, 0)  # being hung up is told without asking for it
    while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll()):
        continue
    os._exit(0)


def _confine() -> None:
    """Signals are for the parent; no dump of pictures; the first to go where memory is short."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if sys.platform == "linux":
        kernel = ctypes.CDLL(None, use_errno=True)
        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # with the thread that started it
        with contextlib.suppress(OSError):  # some containers forbid it
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, "ascii")
