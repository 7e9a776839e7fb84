"""`freshframe run`: do what a configuration says."""

import argparse
import sys
from pathlib import Path

from streamer.cli.assemble import assemble
from streamer.cli.plan import plans
from streamer.cli.session import positive_seconds, run
from streamer.config import load

EXAMPLES = """\
examples:
  freshframe init                             writes cameras.yaml
  freshframe run cameras.yaml
  freshframe run configs/demo.yaml --for 60
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run` to the command line."""
    parser = subparsers.add_parser("run", help="do what a configuration says", epilog=EXAMPLES)
    parser.add_argument(
        "config", type=Path, metavar="CONFIG.yaml", help="`freshframe check` tells whether it is right"
    )
    parser.add_argument("--for", dest="for_s", metavar="SECONDS", help="end after this time")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    for_s = None if args.for_s is None else positive_seconds(args.for_s)
    config = load(args.config)
    # Classes of one's own may lie beside the configuration; last, so that they shadow nothing.
    sys.path.append(str(args.config.resolve().parent))
    return run(assemble(plans(config), config.sinks), for_s)
