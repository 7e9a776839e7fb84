"""`freshframe detect`: look at sources, without a configuration file."""

import argparse

from streamer.cli.assemble import assemble
from streamer.cli.console import say
from streamer.cli.flags import add_network_flags, addresses_of, model_from_flags, sinks_from_flags
from streamer.cli.outputs import new_folders
from streamer.cli.plan import CameraPlan
from streamer.cli.session import positive_seconds, run
from streamer.errors import ConfigError
from streamer.sources.names import unique_names
from streamer.sources.options import TIME, SourceOptions, read_time

EXAMPLES = """\
examples:
  freshframe detect 'rtsp://user:${PASSWORD}@192.0.2.10/stream2' --show
  freshframe detect holiday.mp4 --jsonl found.jsonl --video found.mp4
  freshframe detect 'synthetic:?size=640x360&fps=30&seed=1' --for 10
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `detect` to the command line."""
    parser = subparsers.add_parser(
        "detect",
        help="look at cameras, videos or pictures",
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="rtsp://…, http://…, usb:0, a file, a folder of pictures or video files, synthetic:",
    )
    add(
        "--name",
        action="append",
        default=[],
        help="a camera's name, in the order of the sources; may be given again",
    )
    add_network_flags(parser)
    add(
        "--conf",
        type=float,
        default=0.25,
        metavar="F",
        help="the score that a thing has to be above; default %(default)s",
    )
    add("--classes", metavar="a,b", help="labels that are reported; default all")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--live", action="store_true", help="play files in real time and drop what is late")
    pace.add_argument(
        "--every-frame", action="store_true", help="look at every frame of a file (the default)"
    )
    add("--from", dest="from_s", metavar="TIME", help=f"of a file: nothing before this time; {TIME}")
    add("--to", dest="to_s", metavar="TIME", help="… and nothing from this time on")
    add("--for", dest="for_s", metavar="SECONDS", help="end after this time")
    add("--jsonl", metavar="PATH|-", help="write one JSON message a line")
    add("--zmq", metavar="ENDPOINT", help="publish over ZeroMQ, as on tcp://127.0.0.1:5555")
    add(
        "--video", metavar="PATH", help="write what is seen with boxes; {camera} stands for the camera's name"
    )
    add("--show", action="store_true", help="show it live in a window: q quits, f fills the screen")
    add(
        "--show-mode",
        choices=("predicted", "exact", "latest"),
        help="--show with boxes carried on by their motion to the newest picture (the default), with each "
        "picture's own boxes only, or with boxes where they were",
    )
    add("--insecure", action="store_true", help="let anybody in the network read what --zmq publishes")
    add(
        "--offline",
        action="store_true",
        help="use what is in the cache only; `detect` fetches nothing anyway",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    for_s = None if args.for_s is None else positive_seconds(args.for_s)
    addresses = addresses_of(args.source)
    names = unique_names(addresses, args.name)
    live_ones = [address.redacted for address in addresses if address.live]
    if args.every_frame and live_ones:
        raise ConfigError(
            f"--every-frame is for recordings; {live_ones[0]} is live: its old frames are dropped"
        )
    model = model_from_flags(args)
    options = SourceOptions(
        live=True if args.live else None,
        from_s=_time("--from", args.from_s),
        to_s=_time("--to", args.to_s),
    )
    cameras = [
        CameraPlan(name, address, model, options) for name, address in zip(names, addresses, strict=True)
    ]
    sinks = sinks_from_flags(args)
    pipeline = assemble(cameras, sinks)
    for line in new_folders(sinks):
        say(line)
    return run(pipeline, for_s)


def _time(flag: str, text: str | None) -> float | None:
    try:
        return None if text is None else read_time(text)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}") from error
