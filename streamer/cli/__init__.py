"""The command line: reads what the user wrote, wires the boxes, runs, and says how it went.

It imports neither detectors nor sinks: what it wires it finds by "module:Class", like anybody's.
"""

import argparse
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import NoReturn

from streamer.cli.console import say
from streamer.errors import FreshframeError

COMMANDS = (
    "detect",
    "run",
    "check",
    "listen",
    "models",
    "fakecam",
    "watermark",
    "impair",
    "bench",
    "demo",
    "chaos",
)


def program() -> NoReturn:
    """The command `freshframe`: ends the process with the exit status of `main`."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, from now on
    _open_streams()
    try:
        status = main()
    except Exception:  # a bug of ours: said as such, and the end is the same as otherwise
        traceback.print_exc()
        status = 1
    if any(thread.daemon for thread in threading.enumerate()):
        # A thread that was given up still hangs in native code. Taking the interpreter down round it
        # would crash (PyAV wakes into freed memory), so the process ends without that.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace()
    try:
        args = _parser(arguments).parse_args(arguments)
        status: int = args.run(args)
    except FreshframeError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        # What runs until it is stopped has done its work; what was to give an answer has not.
        if "interrupted" in args:
            say(f"interrupted: {args.interrupted}")
            return 1
        return 0
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk behind stdout
        say(f"the output cannot be written: {(error.strerror or str(error)).lower()}")
        return 1
    return status


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


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """All commands by name; only the one that is asked for is imported, for a quick start."""
    parser = argparse.ArgumentParser(
        prog="freshframe",
        description="Real-time video stream analyzer: what you act on is fresh, and it is true.",
    )
    if arguments[:1] == ["--version"]:
        parser.add_argument("--version", action="version", version=f"freshframe {version('freshframe')}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = [name for name in COMMANDS if name in arguments[:1]]
    for name in asked or COMMANDS:
        importlib.import_module(f"streamer.cli.{name}").add_parser(subparsers)
    return parser
