"""All commands: which one is meant, and what its end means for the exit status."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from streamer.cli.console import say
from streamer.cli.parser import Parser
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
    "eval",
    "demo",
    "init",
    "chaos",
    "doctor",
    "completion",
)
ANSWERING = ("bench", "chaos", "doctor", "eval", "watermark")  # interrupted before a word, they have failed


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace()
    try:
        args = parser_of(arguments).read(arguments)
        status: int = args.run(args)
    except FreshframeError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        # What runs until it is stopped has done its work; what was to give an answer has not.
        if "interrupted" in args or ("run" not in args and arguments[:1] and arguments[0] in ANSWERING):
            say(f"interrupted: {getattr(args, 'interrupted', 'nothing was done')}")
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


def parser_of(arguments: Sequence[str]) -> Parser:
    """All commands by name; only the one that is asked for is imported, for a quick start."""
    parser = Parser(
        prog="freshframe",
        description="Real-time video stream analyzer: what you act on is fresh, and it is true.",
    )
    said = _version() if arguments[:1] == ["--version"] else ""  # looking it up takes as long as all the rest
    parser.add_argument("--version", action="version", version=f"freshframe {said}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    asked = [name for name in COMMANDS if name in arguments[:1]]
    for name in asked or COMMANDS:
        importlib.import_module(f"streamer.cli.{name}").add_parser(subparsers)
    return parser


def _version() -> str:
    try:
        return version("freshframe")
    except PackageNotFoundError:
        return "of a checkout that is not installed; `make setup` installs it"
