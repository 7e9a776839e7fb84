"""`freshframe impair`: a bad network between a camera and whoever watches it."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from streamer.errors import ConfigError
from streamer.impair import Impairment, Proxy, serve
from streamer.impair.commands import rate_of, seconds_of
from streamer.serving.control import share_of
from streamer.serving.listening import LOOPBACK

_METAVARS: dict[Callable[[str], Any], str] = {seconds_of: "MS", share_of: "SHARE", rate_of: "BITS"}

EXAMPLES = """\
examples:
  freshframe impair rtsp://127.0.0.1:8554/cam0 --delay 50 --loss 0.01
  freshframe impair rtsp://192.0.2.10/stream2 --rate 2M --control 8557
  echo rate 500k | nc 127.0.0.1 8557          while it runs
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `impair` to the command line."""
    parser = subparsers.add_parser(
        "impair", help="lead a camera over a bad network, to try things out", epilog=EXAMPLES
    )
    add = parser.add_argument
    add("server", metavar="SERVER", help="rtsp://HOST:PORT/PATH, HOST:PORT (the same), tcp://… or udp://…")
    add("--listen", default=f"{LOOPBACK}:0", metavar="HOST:PORT", help="default %(default)s: any free port")
    for name, read, what in (
        ("delay", seconds_of, "ms for each packet"),
        ("jitter", seconds_of, "up to so many ms more, by chance"),
        ("loss", share_of, "of packets, from 0 to 1"),
        ("reorder", share_of, "of datagrams, that let others pass"),
        ("duplicate", share_of, "of datagrams, that come twice"),
        ("flip", share_of, "of packets, that have a wrong bit"),
        ("rate", rate_of, "per second, as 2M or 500k"),
    ):
        add(f"--{name}", type=_read(read), metavar=_METAVARS[read], help=what)
    add("--uplink", action="store_true", help="all that also from the client to the server")
    add("--seed", type=int, default=0, metavar="N", help="the same one brings the same luck; default 0")
    add("--control", type=int, metavar="PORT", help="take commands there: `rate 2M`, `reset`, `ok`")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    host, colon, port = args.listen.rpartition(":")
    if not colon or not port.isdecimal():
        raise ConfigError(f"--listen {args.listen}: allowed is HOST:PORT, as in {LOOPBACK}:8556")
    impairment = Impairment(
        delay_s=args.delay or 0.0,
        jitter_s=args.jitter or 0.0,
        loss=args.loss or 0.0,
        reorder=args.reorder or 0.0,
        duplicate=args.duplicate or 0.0,
        flip=args.flip or 0.0,
        rate_bps=args.rate,
        uplink=args.uplink,
    )
    proxy = Proxy(
        args.server,
        impairment,
        seed=args.seed,
        host=host.strip("[]"),
        port=int(port),
        control_port=args.control,
    )
    serve(proxy, _say_ready)
    return 0


def _say_ready(url: str) -> None:
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()


def _read(value: Callable[[str], float | None]) -> Callable[[str], float | None]:
    def read(text: str) -> float | None:
        try:
            return value(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return read
