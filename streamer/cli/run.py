"""`freshframe run`: do what a configuration says."""

import argparse
import sys
from pathlib import Path

from streamer.cli.assemble import assemble
from streamer.cli.console import conceal, say
from streamer.cli.outputs import new_folders
from streamer.cli.plan import plans
from streamer.cli.session import positive_seconds, run
from streamer.config import read
from streamer.errors import ConfigError
from streamer.sources.address import parse_address
from streamer.sources.listing import FILM_SUFFIXES, PICTURE_SUFFIXES

EXAMPLES = """\
examples:
  freshframe init                             writes cameras.yaml
  freshframe run cameras.yaml
  freshframe run configs/demo.yaml --for 60
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run` to the command line."""
    parser = subparsers.add_parser("run", help="do what a configuration says", epilog=EXAMPLES)
    parser.add_argument("config", metavar="CONFIG.yaml", help="`freshframe check` tells whether it is right")
    parser.add_argument("--for", dest="for_s", metavar="SECONDS", help="end after this time")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    for_s = None if args.for_s is None else positive_seconds(args.for_s)
    _refuse_source(args.config)
    loaded = read(args.config)
    conceal(loaded.secrets)
    config = loaded.config
    # Classes of one's own may lie beside the configuration; last, so that they shadow nothing.
    sys.path.append(str(Path(args.config).resolve().parent))
    pipeline = assemble(plans(config, loaded.secrets), config.sinks)
    for line in new_folders(config.sinks):
        say(line)
    return run(pipeline, for_s)


def _refuse_source(text: str) -> None:
    """Say what `run` is not for, where it would only complain of YAML."""
    film = Path(text).suffix.lower() in (*FILM_SUFFIXES, *PICTURE_SUFFIXES)
    if film or "://" in text or text.startswith(("usb:", "synthetic:", "/dev/")):
        shown = parse_address(text).redacted
        raise ConfigError(f"{shown}: is a source, and no configuration; write: freshframe detect {shown}")
