"""The command line: reads what the user wrote, wires the boxes, runs, and says how it went.

It imports neither detectors nor sinks: what it wires it finds by "module:Class", like anybody's.
"""

import argparse
import importlib
import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from streamer.cli.console import say
from streamer.errors import FreshframeError

COMMANDS = ("detect", "run", "check", "listen", "models", "fakecam", "demo")


def program() -> NoReturn:
    """The command `freshframe`: ends the process with the exit status of `main`."""
    status = main()
    if any(thread.daemon for thread in threading.enumerate()):
        # A thread that was given up still hangs in native code. Taking the interpreter down round it
        # would crash (PyAV wakes into freed memory), so the process ends without that.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _parser(arguments).parse_args(arguments)
        status: int = args.run(args)
    except FreshframeError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """All commands by name; only the one that is asked for is imported, for a quick start."""
    parser = argparse.ArgumentParser(
        prog="freshframe",
        description="Real-time video stream analyzer: what you act on is fresh, and it is true.",
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = [name for name in COMMANDS if name in arguments[:1]]
    for name in asked or COMMANDS:
        importlib.import_module(f"streamer.cli.{name}").add_parser(subparsers)
    return parser
