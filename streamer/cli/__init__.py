"""The command line: reads what the user wrote, wires the boxes, runs, and says how it went.

It imports neither detectors nor sinks: what it wires it finds by "module:Class", like anybody's. Here is only
how the process begins and ends: nothing else may be loaded before signals are in good hands.
"""

import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from types import FrameType
from typing import NoReturn

OURS = ("", "streamer", "detectors", "sinks")
IMPORT_S, AGAIN_S = 1.5, 0.01
TOGETHER_S = 0.3  # who ends a group of processes often signals its members one by one too


class Interrupt:
    """The first signal raises KeyboardInterrupt; another one, after a moment, ends the process the hard way.

    What is being put away after the first one is to be put away whole.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None

    @property
    def came(self) -> bool:
        return self._first_s is not None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
            self._interrupt(signal.SIGALRM, frame)
        elif now_s - self._first_s > TOGETHER_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # Native modules swallow it while they load, or make another error of it: so it waits for the end
        # of an import, but not for ever.
        assert self._first_s is not None
        if time.monotonic() - self._first_s > IMPORT_S or not _importing(frame):
            raise KeyboardInterrupt
        signal.signal(number, self._interrupt)
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def program() -> NoReturn:
    """The command `freshframe`: ends the process with the exit status of `main`."""
    interrupt = Interrupt()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, interrupt)
        _open_streams()
        from streamer.cli.commands import main  # noqa: PLC0415 - interrupted while it loads, too

        status = main()
    except KeyboardInterrupt:  # before or after everything
        status = _interrupted()
    except ImportError as error:
        # Interrupted while it loads, NumPy makes that an error of its own.
        status = _interrupted() if interrupt.came else _unfit(error)
    except Exception:  # a bug of ours: said as such, and the end is the same as otherwise
        traceback.print_exc()
        status = 1

    def at_once(*_: object) -> None:
        os._exit(status)

    signal.setitimer(signal.ITIMER_REAL, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, at_once)  # all is done; what comes now changes nothing of how it went
    if interrupt.came or any(thread.daemon for thread in threading.enumerate()):
        # A thread that was given up still hangs in native code. Taking the interpreter down round it
        # would crash (PyAV wakes into freed memory), so the process ends without that.
        # And where an interrupt met `exec`, as in dataclasses, CPython would make its own status of it.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    for number in (signal.SIGINT, signal.SIGTERM):
        # While the interpreter ends it takes back handlers that are Python's; this one stays.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(status)


def _interrupted() -> int:
    with suppress(OSError, ValueError):
        sys.stderr.write("freshframe: interrupted\n")
    return 1


def _unfit(error: ImportError) -> int:
    """A library is missing: this is another Python than the one that we were installed for, mostly."""
    root = (error.name or "").partition(".")[0]
    if root in OURS or not isinstance(error, ModuleNotFoundError):
        traceback.print_exc()
        return 1
    sys.stderr.write(
        f"freshframe: the library {root} is not installed for {sys.executable}; start .venv/bin/freshframe, "
        "which `make setup` makes, or install freshframe for this Python\n"
    )
    return 2


def _open_streams() -> None:
    """A stream that the shell closed (`>&-`) must be none that a sink opens next.

    stdout becomes one that cannot be written, so that what was to go there is an error; stdin and
    stderr lead nowhere.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, mode)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
