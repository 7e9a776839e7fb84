"""The window's process, as the sink sees it: started, listened to, ended for certain."""

import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from sinks.window import board, messages
from sinks.window.board import Board
from streamer.errors import SinkError

GRACE_S = 0.2  # for the window to close; then it is killed
_KILLED_S = 1.0
LONGEST_BYTES = 64 << 10  # of a message
LAST_WORDS = 2000  # characters of what libraries complain about
LENGTH = struct.Struct("<I")

# No module from the current folder, no site hooks of the environment: this process's own list of places.
_START = (
    "import sys; sys.path += sys.argv[3:]; "
    "from sinks.window.child import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_ROOT = str(Path(__file__).parents[2])
# What a program with a window needs. The rest of the environment may hold cameras' passwords.
_KEPT = (
    *(
        "PATH",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "LANG",
        "LANGUAGE",
        "TMPDIR",
        "HOME",
        "USER",
        "LOGNAME",
    ),
    *("DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XMODIFIERS", "DBUS_SESSION_BUS_ADDRESS"),
    *("FONTCONFIG_FILE", "FONTCONFIG_PATH"),
)
_KEPT_BEGINNINGS = ("LC_", "QT_", "XDG_", "XKB_", "XCURSOR_", "__EGL", "LIBGL_")
_WHY = re.compile("could not|cannot|can't|failed|broke|error", re.IGNORECASE)
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def telling(words: str) -> str:
    """The line that says why, of what libraries complain about before they end a process."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    whys = [line for line in lines if _WHY.search(line)]
    return (whys or lines or [""])[0]


class Gone(SinkError):
    """The process has ended, and what it said at last."""


class Process:
    """A running child with its socket and its memory. Used by one thread, which outlives it."""

    def __init__(self) -> None:
        """Start it. Raises OSError where there is no room for another process, descriptor or memory."""
        with contextlib.ExitStack() as undo:
            memory = board.reserve()
            undo.callback(os.close, memory)
            self.board = Board(memory)
            ours, theirs = socket.socketpair()
            undo.callback(theirs.close)
            complaints, complaining = os.pipe()
            undo.callback(os.close, complaining)
            os.set_blocking(complaining, False)  # a library that says much must not wait for us
            os.set_blocking(complaints, False)
            try:
                self._child = self._start(theirs.fileno(), memory, complaining)
            except BaseException:
                ours.close()
                os.close(complaints)
                raise
        ours.setblocking(False)
        self._socket = ours
        self._complaints = complaints
        self._received = bytearray()
        self._last_words = ""
        self._over = False

    @staticmethod
    def _start(theirs: int, memory: int, complaining: int) -> "subprocess.Popen[bytes]":
        places = [_ROOT, *(str(Path(place).absolute()) for place in sys.path if place)]
        kept = {
            key: value
            for key, value in os.environ.items()
            if key in _KEPT or key.startswith(_KEPT_BEGINNINGS)
        }
        return subprocess.Popen(  # noqa: S603 - our own interpreter, nothing from outside
            [sys.executable, "-I", "-B", "-c", _START, str(theirs), str(memory), *dict.fromkeys(places)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaining,
            pass_fds=(theirs, memory),
            env=kept | _ONE_THREAD,
            start_new_session=True,  # the terminal's Ctrl-C is for the parent
        )

    @property
    def pid(self) -> int:
        return self._child.pid

    def ring(self) -> None:
        """Something new hangs on the board. It is enough that one ring lies there."""
        with contextlib.suppress(OSError):  # full of rings, or gone, which `heard` says
            self._socket.send(b"\1")

    def heard(self, timeout_s: float = 0.0) -> list[messages.Said]:
        """What it has said meanwhile. Raises SinkError where it is gone, or says what makes no sense."""
        if timeout_s:
            select.select([self._socket], [], [], timeout_s)
        self._listen()
        said = []
        while len(self._received) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._received)
            end = LENGTH.size + length
            if length > LONGEST_BYTES:
                raise SinkError(f"window: its process sent a message of {length} bytes")
            if len(self._received) < end:
                break
            try:
                said.append(messages.said(bytes(self._received[LENGTH.size : end])))
            except ValueError as error:
                raise SinkError(f"window: its process said what makes no sense ({error})") from error
            del self._received[:end]
        if self._over and not said:
            raise self._gone()
        return said

    def _listen(self) -> None:
        while not self._over:
            try:
                more = self._socket.recv(LONGEST_BYTES)
            except BlockingIOError:
                break
            except OSError:
                more = b""
            self._over = not more
            self._received += more
        with contextlib.suppress(OSError):
            while words := os.read(self._complaints, 4096):
                self._last_words = (self._last_words + words.decode(errors="replace"))[-LAST_WORDS:]

    def _gone(self) -> "Gone":
        status = self._wait(GRACE_S)
        self._listen()
        how = "its process does not end" if status is None else f"its process ended with status {status}"
        if status is not None and status < 0:
            how = f"its process died (signal {-status})"
        why = telling(self._last_words)
        return Gone(f"{how}: {why}" if why else how)

    def end(self) -> None:
        """Have it end, by force if need be, and close everything."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            for limit_s in (GRACE_S, _KILLED_S):
                if self._wait(limit_s) is not None:
                    return
                self._child.kill()
        finally:
            self._socket.close()
            os.close(self._complaints)

    def _wait(self, limit_s: float) -> int | None:
        try:
            return self._child.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None


def opened(limit_s: float) -> Process:
    """A process whose window is there. Raises SinkError, OSError."""
    process = Process()
    try:
        _wait_for(process, limit_s)
    except BaseException:
        process.end()
        raise
    return process


def _wait_for(process: Process, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while (left_s := deadline - time.monotonic()) > 0:
        for said in process.heard(left_s):
            if isinstance(said, messages.Failed):
                raise SinkError(f"window: {said.why}")
            if isinstance(said, messages.Open):
                return
    raise SinkError(f"window: it did not open within {limit_s:.0f} s")
