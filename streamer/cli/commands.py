"""All commands: which one is meant, and what its end means for the exit status."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from streamer.cli.console import conceal, say
from streamer.cli.parser import Parser
from streamer.errors import FreshframeError

# What each does, as its own parser says too: the list of all is shown without loading any of them.
COMMANDS = {
    "detect": "look at cameras, videos or pictures",
    "run": "do what a configuration says",
    "check": "check a configuration and print what it comes to",
    "listen": "show what a publisher says",
    "models": "models and clips that can be fetched",
    "fakecam": "play clips as RTSP cameras, to try things out",
    "watermark": "read which frames messages, videos and pictures show, and how old they were",
    "impair": "lead a camera over a bad network, to try things out",
    "bench": "measure how many cameras this machine carries",
    "eval": "measure how accurate a model is, or compare two",
    "demo": "watch two live cameras made of a real clip",
    "init": "find cameras and write a configuration for them",
    "chaos": "let test cameras fail by a scenario, and see what becomes of it",
    "doctor": "say what is wrong here, or with a camera, and what to do",
    "completion": "print a script for the shell that completes commands, flags and files",
}
ANSWERING = ("bench", "chaos", "doctor", "eval", "watermark")  # interrupted before a word, they have failed


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = argparse.Namespace()
    conceal(())
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
    """For these words: only the command that is asked for is imported, for a quick start."""
    # Looking the version up takes as long as all the rest.
    parser, commands = _program(_version() if arguments[:1] == ["--version"] else "")
    asked = next((word for word in arguments if not word.startswith("-")), "")
    if asked in COMMANDS:
        _command(asked).add_parser(commands)
    else:
        for name, does in COMMANDS.items():
            commands.add_parser(name, help=does)
    return parser


def whole_parser() -> Parser:
    """With all that every command takes."""
    parser, commands = _program("")
    for name in COMMANDS:
        _command(name).add_parser(commands)
    return parser


def _program(version_said: str) -> tuple[Parser, "argparse._SubParsersAction[Parser]"]:
    parser = Parser(
        prog="freshframe",
        description="Real-time video stream analyzer: what you act on is fresh, and it is true.",
    )
    parser.add_argument("--version", action="version", version=f"freshframe {version_said}")
    return parser, parser.add_subparsers(metavar="COMMAND", required=True)


def _command(name: str) -> ModuleType:
    return importlib.import_module(f"streamer.cli.{name}")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it takes 20 ms to load

    try:
        return version("freshframe")
    except PackageNotFoundError:
        return "of a checkout that is not installed; `make setup` installs it"
