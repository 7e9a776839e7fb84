"""`freshframe fakecam`: real RTSP cameras out of clips, with faults at hand."""

import argparse
import os
import sys

from streamer.cli.console import say
from streamer.errors import ConfigError, SinkError
from streamer.fakecam import serve

EXAMPLES = """\
examples:
  freshframe fakecam gate.mp4 yard.mp4    rtsp://127.0.0.1:8554/cam0, …/cam1
  freshframe fakecam gate.mp4 --user me --password-env PASSWORD
  freshframe fakecam gate.mp4 --control 8555
  echo cam0 hang | nc 127.0.0.1 8555          while it runs
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `fakecam` to the command line."""
    parser = subparsers.add_parser(
        "fakecam", help="play clips as RTSP cameras, to try things out", epilog=EXAMPLES
    )
    add = parser.add_argument
    add(
        "clip",
        nargs="+",
        metavar="CLIP",
        help="served as /cam0, /cam1… in real time, over and over; one may be given several times",
    )
    add("--host", default="127.0.0.1", help="address to listen on; default %(default)s")
    add("--port", type=_port, default=8554, help="default %(default)s; 0 takes a free one")
    add("--user", help="ask for this user name")
    add(
        "--password-env",
        metavar="VAR",
        help="… and for the password in this environment variable: as it is, not percent-encoded",
    )
    add(
        "--watermark",
        action="store_true",
        help="paint camera and picture number into each picture; `freshframe watermark` reads them",
    )
    add("--log", metavar="FILE", help="write when each frame was sent, as JSON lines")
    add(
        "--control",
        type=_port,
        metavar="PORT",
        help="take faults there: `cam0 hang`, `cam0 loss 0.05`, `cam0 ok` (docs/faults.md has them all)",
    )
    add("--seed", type=int, default=0, help="of everything random in faults; default %(default)s")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    try:
        serve(
            args.clip,
            host=args.host,
            port=args.port,
            user=args.user,
            password=_password(args),
            log=args.log,
            control_port=args.control,
            ready=_say_ready,
            watermark=args.watermark,
            seed=args.seed,
        )
    except SinkError as error:  # its log, while it was running
        say(str(error))
        return 1
    return 0


def _password(args: argparse.Namespace) -> str | None:
    if (args.user is None) != (args.password_env is None):
        raise ConfigError("--user and --password-env go together: give both or neither")
    if args.password_env is None:
        return None
    password = os.environ.get(args.password_env)
    if not password:
        raise ConfigError(f"--password-env {args.password_env}: that environment variable is not set")
    return password


def _say_ready(url: str) -> None:
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed is 0 to 65535")
    return int(text)
