"""`freshframe check`: is a configuration right, and what does it come to?"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from streamer.cli.advice import advice
from streamer.cli.boxes import try_boxes
from streamer.cli.plan import plans
from streamer.config import Loaded, read
from streamer.config.json_schema import json_schema
from streamer.errors import ConfigError

EXAMPLES = """\
examples:
  freshframe check cameras.yaml
  freshframe check --schema > freshframe.schema.json   for editors
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`; it puts a function into `args.run` that gives the exit status."""
    parser = subparsers.add_parser(
        "check", help="check a configuration and print what it comes to", epilog=EXAMPLES
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("config", nargs="?", type=Path, metavar="CONFIG.yaml", help="the file to check")
    what.add_argument("--schema", action="store_true", help="print the JSON Schema instead, for editors")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    if args.schema:
        sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
        return 0
    try:
        loaded = read(args.config)
        warnings = [*try_boxes(loaded), *advice(loaded, plans(loaded.config))]
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    said = loaded.said(warnings, "warning: ")
    sys.stdout.write(_as_yaml(loaded))
    sys.stdout.flush()  # on a terminal what is wrong stands below all that is right
    sys.stderr.writelines(f"{line}\n" for line in said)
    sys.stderr.write(f"{args.config}: no problems{_counted(said)}\n")
    return 0


def _counted(warnings: Sequence[str]) -> str:
    return f", {len(warnings)} warning{'s' * (len(warnings) > 1)}" if warnings else ""


def _as_yaml(loaded: Loaded) -> str:
    unicode = sys.stdout.encoding.lower().startswith("utf")
    text: str = yaml.dump(loaded.shown(), Dumper=_Dumper, sort_keys=False, allow_unicode=unicode)
    return text


class _Dumper(yaml.SafeDumper):
    """What stands there twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - of nothing
        return True


def _sequence(dumper: _Dumper, data: list[Any]) -> yaml.SequenceNode:
    """Lists of words and numbers in a line."""
    flow = not any(isinstance(item, dict) for item in data)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow)


_Dumper.add_representer(list, _sequence)
