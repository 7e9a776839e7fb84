"""`freshframe listen`: show what a publisher says, the newest of each camera."""

import argparse
import math
import os
import sys
import time
from collections import Counter
from datetime import datetime
from typing import Any

from streamer import wire
from streamer.cli.console import say, shown
from streamer.cli.session import TICK_S, Stop, positive_seconds
from streamer.cli.wiring import SUBSCRIBER, build
from streamer.cli.wording import listed, without_address
from streamer.errors import ConfigError
from streamer.sources.names import check_name

LONGEST = 400  # characters of what is said of one camera: whoever publishes may send anything
HINT = "does it run, with this camera, without keys?"
HINT_AFTER_S = 10.0  # a publisher that starts for the first time makes its model ready before

EXAMPLES = """\
examples:
  freshframe listen tcp://127.0.0.1:5555       what is seen, a line each
  freshframe listen tcp://127.0.0.1:5555 --camera gate --json --count 10
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `listen` to the command line."""
    parser = subparsers.add_parser(
        "listen",
        help="show what a publisher says",
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add("endpoint", metavar="ENDPOINT", help="as in tcp://127.0.0.1:5555")
    add("--camera", action="append", default=[], metavar="NAME", help="only this one; may be given again")
    add("--json", action="store_true", help="one JSON message a line, detections only")
    add("--count", metavar="N", help="end after so many messages of detections")
    add("--for", dest="for_s", metavar="SECONDS", help="end after this time")
    add(
        "--server-key",
        metavar="KEY",
        help="the publisher's public key; FRESHFRAME_SECRET_KEY in the environment is this side's",
    )
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    for_s = None if args.for_s is None else positive_seconds(args.for_s)
    count = None if args.count is None else _positive(args.count)
    for name in args.camera:
        check_name(name)
    arguments: dict[str, Any] = {"endpoint": args.endpoint, "cameras": args.camera or None}
    if not args.json:
        arguments["health"] = True
    if args.server_key is not None:
        secret_key = os.environ.get("FRESHFRAME_SECRET_KEY")
        if not secret_key:
            raise ConfigError("--server-key wants this side's key in the environment: FRESHFRAME_SECRET_KEY")
        arguments |= {"server_key": args.server_key, "secret_key": secret_key}
    deadline = None if for_s is None else time.monotonic() + for_s
    left = count
    heard, hint_at = False, time.monotonic() + HINT_AFTER_S
    healths = Healths()
    with Stop() as stop, build(SUBSCRIBER, arguments, "listen") as subscriber:
        while not stop.asked and left != 0 and (deadline is None or time.monotonic() < deadline):
            message = subscriber.receive(TICK_S)
            if message is None:
                if not heard and time.monotonic() >= hint_at:
                    hint_at = math.inf
                    say(f"nothing from {args.endpoint} yet: {HINT}")
                continue
            heard = True
            if isinstance(message, wire.HealthMessage):
                text = healths.news(message)
            else:
                text = wire.encode(message).decode() if args.json else line(message)
                left = None if left is None else left - 1
            if text:
                with stop.interrupting():  # whoever reads us may have paused
                    sys.stdout.write(text + "\n")
                    sys.stdout.flush()
        if any(subscriber.lost.values()):
            say(f"lost on the way: {listed(subscriber.lost)}")
    if not heard and not stop.asked and hint_at != math.inf:
        say(f"nothing came from {args.endpoint}: {HINT}")
    return 0


class Healths:
    """What has been said of each camera's health, so that it is not said again every few seconds."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def news(self, message: wire.HealthMessage) -> str:
        """A message as people read it; empty where it says what was said before."""
        what = f"{message.state} since {_clock(message.since)[:-4]}"
        if message.cause:
            what += f" ({message.cause})"
        if message.why:
            what += f": {without_address(message.why)}"
        if message.quality:
            what += f"; its pictures: {', '.join(message.quality)}"
        what = what[:LONGEST]
        if self._said.get(message.camera) == what:
            return ""
        self._said[message.camera] = what
        return shown(f"{_clock(message.time)}  {message.camera}  {what}")


def line(message: wire.DetectionsMessage) -> str:
    """A message as people read it."""
    when = _clock(message.captured)
    seen = listed(Counter(thing.label for thing in message.detections)) or "nothing"
    total_ms = message.latency_ms.total
    what = f"{when}  {message.camera}  frame {message.frame}  {total_ms:.0f} ms  {seen}"
    return shown(what if len(what) <= LONGEST else what[: LONGEST - 1] + "…")


def _clock(unix_s: float) -> str:
    """The time of day, to the millisecond."""
    try:
        return datetime.fromtimestamp(unix_s).astimezone().strftime("%H:%M:%S.%f")[:-3]
    except (OverflowError, ValueError, OSError):
        return "??:??:??.???"  # a time that no calendar has


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"--count {text}: allowed is a whole number above 0")
    return int(text)
