"""`freshframe completion`: a script by which a shell completes our commands, flags and files."""

import argparse
import sys
from collections.abc import Iterator

import shtab

from streamer.assets import catalogue

SHELLS = ("bash", "zsh", "tcsh")
EXAMPLES = """\
examples:
  source <(freshframe completion bash)             # in ~/.bashrc
  eval "$(freshframe completion zsh)"        # in ~/.zshrc, behind compinit
"""
FOLDERS = ("FOLDER",)
FILES = ("CLIP", "CONFIG.yaml", "DATASET", "FILE", "LOG", "PATH", "PATH|-", "SCENARIO.yaml", "SOURCE")
NETWORKS = ("NAME|PATH",)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `completion` to the command line."""
    parser = subparsers.add_parser(
        "completion",
        help="print a script for the shell that completes commands, flags and files",
        epilog=EXAMPLES,
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from streamer.cli.commands import whole_parser  # noqa: PLC0415 - that one imports this one

    whole = whole_parser()
    for action in _actions(whole):
        _tell(action)
    sys.stdout.write(shtab.complete(whole, args.shell) + "\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
        else:
            yield action


def _tell(action: argparse.Action) -> None:
    """Say what may stand there, as far as the name of the value in the help says so."""
    if action.metavar in FILES:
        action.complete = shtab.FILE  # type: ignore[attr-defined] # so shtab wants it
    elif action.metavar in FOLDERS:
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined] # as above
    elif action.metavar in NETWORKS:
        action.choices = [name for name, asset in catalogue().items() if asset.kind == "weights"]
