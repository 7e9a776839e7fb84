"""`freshframe models`: what can be fetched, fetching it, and where it lies."""

import argparse
import importlib
import sys

from rich.console import Console
from rich.table import Table

from streamer.assets import cached, catalogue, fetch, find, missing
from streamer.assets.display import shown
from streamer.cli.console import say
from streamer.errors import AssetError, FreshframeError

QUANTIZE = "detectors.yolo.int8.quantize"  # imported when it is asked for: it is a detector's business

EXAMPLES = """\
examples:
  freshframe models list
  freshframe models pull yolo26n         fetch it, once; nothing else does
  freshframe models path yolo26n         where it lies
"""
QUANTIZE_EXAMPLES = """\
example:
  freshframe models quantize yolo26n --frames gate.mp4 --dataset instances.json
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `models`; each of its commands puts a function into `args.run` that gives the exit status."""
    parser = subparsers.add_parser("models", help="models and clips that can be fetched", epilog=EXAMPLES)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser("list", help="show what there is")
    command.set_defaults(run=_list)

    command = commands.add_parser("pull", help="fetch into the cache")
    command.add_argument("name", nargs="+", metavar="NAME", help="as `freshframe models list` shows it")
    command.add_argument("--offline", action="store_true", help="only check that it is in the cache")
    command.set_defaults(run=_pull)

    command = commands.add_parser("path", help="print where it lies")
    command.add_argument("name", metavar="NAME", help="as `freshframe models list` shows it")
    command.set_defaults(run=_path)

    command = commands.add_parser(
        "quantize",
        help="make a faster int8 network for --engine openvino-int8",
        description="Calibrates on --frames, compares average precision on --dataset, and keeps the int8 "
        "network only where it loses next to nothing; the status is 1 where it loses more.",
        epilog=QUANTIZE_EXAMPLES,
    )
    command.add_argument(
        "name", metavar="NAME|PATH", help="as `freshframe models list` shows it, or a .pt or .onnx file"
    )
    command.add_argument(
        "--frames", required=True, metavar="SOURCE", help="recording or pictures as your cameras take them"
    )
    command.add_argument(
        "--dataset", required=True, metavar="DATASET", help="pictures of known content, as `eval` takes them"
    )
    command.add_argument("--images", metavar="FOLDER", help="the pictures of a JSON file; default: beside it")
    command.add_argument(
        "--imgsz",
        type=int,
        default=640,
        metavar="N",
        help="longer side of the network's input; default %(default)s",
    )
    command.add_argument(
        "--trust-weights", action="store_true", help="load a .pt file of unknown hash: it can run any code"
    )
    command.set_defaults(run=_quantize, interrupted="nothing was kept")


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


def _quantize(args: argparse.Namespace) -> int:
    module = importlib.import_module(QUANTIZE)
    made = module.quantize(
        args.name,
        frames=args.frames,
        dataset=args.dataset,
        images=args.images,
        imgsz=args.imgsz,
        trust_weights=args.trust_weights,
    )
    sys.stdout.write(f"{made.name}: AP fp32 {made.fp32:.4f}, int8 {made.int8:.4f}\n")
    if made.kept is None:
        loss = made.fp32 - made.int8
        text = f"it would lose {loss:.4f}, allowed is {module.ALLOWED_LOSS}: nothing was kept"
        say(text)
        return 1
    sys.stdout.write(f"kept: {made.kept}; use it with --engine openvino-int8\n")
    return 0


def _refuse(error: FreshframeError) -> int:
    say(str(error))
    return 2
