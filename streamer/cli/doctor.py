"""`freshframe doctor`: what is wrong with this machine, or with a camera, and what to do about it."""

import argparse
import logging
import threading
from importlib.metadata import PackageNotFoundError, version

from streamer.cli.console import say
from streamer.cli.doctor_page import Page
from streamer.doctor.advice import sections
from streamer.doctor.examination import examine
from streamer.doctor.finding import Level, Section, broken, problem
from streamer.doctor.machine import child
from streamer.doctor.machine.engines import Speed
from streamer.doctor.probing import FIRST_PICTURE_S, Probe
from streamer.doctor.settings import settings
from streamer.errors import ConfigError, FreshframeError, text_of
from streamer.sources.address import Address, Kind, parse_address
from streamer.sources.options import TRANSPORTS, SourceOptions

WATCHED_S = 5.0
# After a stop: what is in native code for longer is left there.
STOP_S = 1.0
# Where the network has to be exported and its threads measured first.
SPEED_S = 180.0
# To connect and to read, beyond the time that was asked for: what takes longer hangs.
BEYOND_S = FIRST_PICTURE_S + 45.0

EXAMPLES = """\
examples:
  freshframe doctor                            what is wrong here
  freshframe doctor rtsp://192.0.2.10/stream1  what comes from it, and settings
  freshframe doctor usb:0 --for 20             watch it for longer
  freshframe doctor rtsp://192.0.2.11/live --transport udp
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `doctor` to the command line."""
    parser = subparsers.add_parser(
        "doctor",
        help="say what is wrong here, or with a camera, and what to do",
        description="Looks at Python, libraries, engines, codecs, display, cameras, cache and disk; or "
        "connects to SOURCE, watches it for some seconds, and recommends settings. Nothing is fetched. "
        "The status is 1 where something is broken.",
        epilog=EXAMPLES,
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help="anything that `detect` takes")
    parser.add_argument(
        "--for", dest="for_s", metavar="SECONDS", help=f"watch SOURCE for so long; default {WATCHED_S:g}"
    )
    parser.add_argument(
        "--transport",
        choices=TRANSPORTS,
        help="of an rtsp:// SOURCE; default tcp; over udp, which is all that a few cameras have, lost "
        "packets damage pictures",
    )
    parser.set_defaults(run=_run, interrupted="not everything was looked at")


def _run(args: argparse.Namespace) -> int:
    for_s = WATCHED_S if args.for_s is None else _seconds(args.for_s)
    # What is said there is in the report.
    logging.getLogger("freshframe").addHandler(logging.NullHandler())
    if args.source is not None:
        address = _address(args.source)
        return _look_at(address, _options(address, args.transport), for_s)
    if args.for_s is not None:
        raise ConfigError("--for is how long SOURCE is watched, and there is no SOURCE")
    if args.transport is not None:
        raise ConfigError("--transport is how SOURCE sends, and there is no SOURCE")
    return _look_round()


def _options(address: Address, transport: str | None) -> SourceOptions:
    if transport is None:
        return SourceOptions()
    if address.kind not in (Kind.RTSP, Kind.RTSPS):
        raise ConfigError(f"{address.redacted}: --transport is for rtsp:// cameras, and tcp for rtsps://")
    return SourceOptions(transport=transport)


def _address(source: str) -> Address:
    if "${" not in source:
        return parse_address(source)
    from streamer.cli.flags import addresses_of  # noqa: PLC0415 - loads what may be broken here

    (address,) = addresses_of([source])
    return address


def _seconds(text: str) -> float:
    from streamer.cli.session import positive_seconds  # noqa: PLC0415 - loads what may be broken here

    return positive_seconds(text)


def _look_round() -> int:
    page = Page()
    page.title(f"Freshframe {_own_version()}, this machine")
    warnings = problems = 0
    say("about ten seconds, and more where a network is made ready first…")
    for section in examine(_measure):
        page.section(section)
        warnings += sum(one.level is Level.WARNING for one in section.findings)
        problems += sum(one.level is Level.PROBLEM for one in section.findings)
    page.line(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}.")
    return 1 if problems else 0


def _measure(engine: str, device: str) -> Speed:
    """One engine's speed, in a process that may crash."""
    answer = child.ask(["-m", "streamer.cli.doctor_speed", engine, device], SPEED_S)
    if not answer.lines:
        return Speed(failure=answer.failure or "it said nothing")
    said = answer.lines[-1]
    failure = str(said.get("failure", ""))
    return Speed(
        said.get("ms"), str(said.get("precision", "")), failure, not_made="models quantize" in failure
    )


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _own_version() -> str:
    try:
        return version("freshframe")
    except PackageNotFoundError:
        return "(a checkout that is not installed)"


class Look:
    """A probe in a thread of its own, which may hang in native code."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, name="probe", daemon=True)

    def _work(self) -> None:
        try:
            self._probe.run()
        except BaseException as error:  # a library may raise anything; it is said in the main thread
            self.error = error


def _look_at(address: Address, options: SourceOptions, for_s: float) -> int:
    page, probe = Page(), Probe(address, options, for_s)
    page.title(address.redacted)
    say(f"connecting, and watching for {for_s:g} s…" if address.live else "reading…")
    look = Look(probe)
    look.thread.start()
    interrupted = False
    try:
        look.thread.join(for_s + BEYOND_S)
    except KeyboardInterrupt:
        interrupted = True
        probe.stop()
        look.thread.join(STOP_S)
    if isinstance(look.error, FreshframeError):
        raise look.error
    report = probe.report()
    found = list(sections(report))
    if look.error is not None:
        found.append(_broken(address, look.error))
    elif look.thread.is_alive() and not interrupted:
        text = "it hangs in native code, and was given up"
        found.append(
            Section("Looking", (problem("failed", text, "isolation: process keeps such a camera apart"),))
        )
    for section in found:
        page.section(section)
    yaml = settings(report)
    if yaml is not None:
        page.block("Recommended settings", yaml)
    if interrupted:
        page.line("interrupted: this is what was found so far")
    return 1 if broken(found) or (interrupted and not report.pictures) else 0


def _broken(address: Address, error: BaseException) -> Section:
    text = address.redact(f"{type(error).__name__}: {text_of(error)}")
    advice = "run `freshframe doctor` without a source: it looks at the libraries"
    return Section("Looking", (problem("failed", text[:500], advice),))
