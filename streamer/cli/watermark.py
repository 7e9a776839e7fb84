"""`freshframe watermark`: which frames they really were, and how old."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from streamer.cli.console import say, shown
from streamer.errors import ConfigError, FreshframeError
from streamer.sources import Kind, open_source, parse_address
from streamer.watermark.account import Account, Ages, account
from streamer.watermark.sent import SentTimes, sent_times
from streamer.watermark.sighting import Sighting, in_messages, in_pictures
from streamer.wire import read_jsonl

_COUNTS = ("frames", "unreadable", "torn", "duplicates", "backwards", "skipped", "mixed up", "never sent")

EXAMPLES = """\
examples:
  freshframe watermark found.jsonl --log sent.jsonl      and how old were they?
  freshframe watermark found.mp4

docs/instrument.md tells how to test an installation with it.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `watermark` to the command line."""
    parser = subparsers.add_parser(
        "watermark",
        help="read which frames messages, videos and pictures show, and how old they were",
        description="Reads what `freshframe fakecam --watermark` and `synthetic:` painted into pictures.",
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add(
        "file",
        nargs="+",
        metavar="FILE",
        help="JSON lines made with the oracle, a video, a picture or folder",
    )
    add("--log", metavar="LOG", help="what `fakecam --log` wrote on this machine: gives true ages")
    add("--json", action="store_true", help="one JSON object a line for each camera")
    parser.set_defaults(run=_run, interrupted="not everything was read")


def _run(args: argparse.Namespace) -> int:
    sent = None if args.log is None else sent_times(args.log)
    readers = [_reader(file) for file in args.file]
    status = 0
    accounts: list[Account] = []
    for file, sightings in zip(args.file, readers, strict=True):
        failed: list[FreshframeError] = []
        found = account(_until_it_fails(sightings(), failed), sent)
        for error in failed:
            say(str(error))
            status = 1
        if not failed and not any(one.read or one.torn for one in found):
            say(f"{file}: no watermark can be read in it; was it made with --watermark, and the oracle?")
        accounts += found
    if args.json:
        for one in accounts:
            sys.stdout.write(json.dumps(_plain(one)) + "\n")
    elif accounts or not status:
        sys.stdout.write(report(accounts, sent))
    return status


def _reader(file: str) -> Callable[[], Iterable[Sighting]]:
    """How to read a file. Raises ConfigError where there is none that can be read."""
    address = parse_address(file)
    if not address.kind.local:
        raise ConfigError(f"{address.redacted}: is no file; record it first, or run it with the oracle")
    if address.kind is Kind.FILE:
        try:
            with Path(file).open("rb") as opened:
                first = opened.read(1)
        except OSError as error:
            raise ConfigError(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error
        # Nothing at all is what a run leaves that saw nothing: no messages, not a broken video.
        if first == b"{" or (not first and Path(file).suffix == ".jsonl"):
            return lambda: in_messages(read_jsonl(file))

    def pictures() -> Iterator[Sighting]:
        with open_source(address) as source:
            yield from in_pictures(address.name, source)

    return pictures


def _until_it_fails(sightings: Iterable[Sighting], failed: list[FreshframeError]) -> Iterator[Sighting]:
    """What could be read counts, also where the rest cannot."""
    try:
        yield from sightings
    except FreshframeError as error:
        failed.append(error)


def report(accounts: Sequence[Account], sent: SentTimes | None) -> str:
    """Accounts as people read them."""
    rows: list[tuple[str, ...]] = [("camera", "watermark", *_COUNTS)]
    for one in accounts:
        counts = [getattr(one, name.replace(" ", "_")) for name in _COUNTS]
        cells = [str(count) for count in counts]
        if sent is None:
            cells[-1] = "-"
        rows.append((shown(one.camera), _span(one), *cells))
    text = _aligned(rows)
    ages: list[tuple[str, ...]] = [("true age, ms", "", "p50", "p99", "max")]
    for one in accounts:
        if one.at_capture is not None and one.at_publication is not None:
            ages.append((shown(one.camera), "at capture", *_ms(one.at_capture)))
            ages.append(("", "at publication", *_ms(one.at_publication)))
    return text + ("\n" + _aligned(ages) if len(ages) > 1 else "")


def _ms(age: Ages) -> tuple[str, ...]:
    return tuple(f"{ms:.1f}" for ms in (age.p50, age.p99, age.max))


def _span(one: Account) -> str:
    """As in `camera 0: 12 to 311`."""
    if one.first is None or one.last is None:
        return "none"
    last = "" if one.first == one.last else f" to {one.last.frame}"
    return f"camera {one.first.camera}: {one.first.frame}{last}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns, the first two to the left and numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def _plain(one: Account) -> dict[str, object]:
    made = dataclasses.asdict(one)
    for name in ("first", "last"):
        mark = getattr(one, name)
        made[name] = None if mark is None else str(mark)
    for name in ("at_capture", "at_publication"):
        made[f"{name}_ms"] = made.pop(name)
    return made
