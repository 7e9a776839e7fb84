"""`freshframe models`: what can be fetched, fetching it, and where it lies."""

import argparse
import sys

from rich.console import Console
from rich.table import Table

from streamer.assets import cached, catalogue, fetch, find, missing
from streamer.assets.display import shown
from streamer.errors import AssetError, FreshframeError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models`; each of its commands puts a function into `args.run` that gives the exit status."""
    parser = subparsers.add_parser("models", help="models and clips that can be fetched")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("list", help="show what there is")
    command.set_defaults(run=_list)

    command = commands.add_parser("pull", help="fetch into the cache")
    command.add_argument("name", nargs="+", metavar="NAME")
    command.add_argument("--offline", action="store_true", help="only check that it is in the cache")
    command.set_defaults(run=_pull)

    command = commands.add_parser("path", help="print where it lies")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_path)


def _list(_: argparse.Namespace) -> int:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("name", "kind", "size", "licence", "cached"):
        table.add_column(title, no_wrap=True, justify="right" if title == "size" else "left")
    table.add_column("about", overflow="fold")
    for asset in catalogue().values():
        size = f"{asset.size / 1e6:.1f} MB"
        here = "yes" if cached(asset) else "no"
        table.add_row(asset.name, asset.kind, size, asset.licence, here, f"{asset.about}; by {asset.made_by}")
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 1000  # a pipe has no edge to wrap at
    console.print(table)
    return 0


def _pull(args: argparse.Namespace) -> int:
    status = 0
    try:
        assets = [find(name) for name in args.name]
    except FreshframeError as error:
        return _refuse(error)
    for asset in assets:
        try:
            with shown() as progress:
                fetch(asset, offline=args.offline, progress=progress)
        except AssetError as error:
            status = _refuse(error)
    return status


def _path(args: argparse.Namespace) -> int:
    try:
        asset = find(args.name)
    except FreshframeError as error:
        return _refuse(error)
    path = cached(asset)
    if path is None:
        return _refuse(missing(asset))
    sys.stdout.write(f"{path}\n")
    return 0


def _refuse(error: FreshframeError) -> int:
    sys.stderr.write(f"{error}\n")
    return 2
