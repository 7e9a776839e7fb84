"""`freshframe chaos`: cameras fail on purpose; is anything stalled, or anything shown that is not true?"""

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from streamer.cli.console import lines_to_stderr, log_to, quiet, say
from streamer.cli.wiring import ORACLE
from streamer.cli.wording import counted
from streamer.errors import ConfigError, SourceError

PAPER = 130  # columns, where stdout is no terminal

EXAMPLES = """\
example:
  freshframe chaos configs/chaos/outages.yaml --json measured.json

docs/chaos.md describes scenarios; configs/chaos has some.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `chaos` to the command line."""
    parser = subparsers.add_parser(
        "chaos",
        help="let test cameras fail by a scenario, and see what becomes of it",
        description="Plays a scenario of failures with test cameras and the real pipeline, beside a run "
        "without them. The status is 0 if every camera came back and nothing was passed off as something "
        "else, otherwise 1.",
        epilog=EXAMPLES,
    )
    parser.add_argument("scenario", metavar="SCENARIO.yaml")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything measured there")
    parser.set_defaults(run=_run, interrupted="the scenario was not played to its end")


def _run(args: argparse.Namespace) -> int:
    from streamer.chaos import read_scenario, try_out  # noqa: PLC0415 - encoder and decoder load here
    from streamer.cli.networks import detector_for  # noqa: PLC0415
    from streamer.cli.trial_table import plain, show  # noqa: PLC0415
    from streamer.config.model import DetectorConfig  # noqa: PLC0415

    scenario = read_scenario(args.scenario)
    if args.json is not None:
        _check_writable(args.json)
    if scenario.scene.clip is not None:
        _check_clip(scenario.scene.clip)
    model = scenario.model or DetectorConfig(use=ORACLE)
    detector_for(model)  # what is wrong with it is to be known before the clips are made
    seen = counted(scenario.scene.count, "camera")
    say(f"seed {scenario.seed}; {seen}, {2 * scenario.for_s:g} s and a little more")
    handler = log_to(lines_to_stderr())
    try:
        trial = try_out(scenario, lambda: detector_for(model), say)
    except SourceError as error:  # while it was running
        say(str(error))
        return 1
    finally:
        quiet(handler)
    show(trial, Console(width=None if sys.stdout.isatty() else PAPER, highlight=False, markup=False))
    if args.json is not None:
        args.json.write_text(json.dumps(plain(trial), indent=2) + "\n", encoding="utf-8")
    return 0 if trial.passed else 1


def _check_clip(path: Path) -> None:
    from streamer.fakecam.recording import opened  # noqa: PLC0415 - the decoder loads here

    try:
        with opened(path):
            pass
    except SourceError as error:
        raise ConfigError(f"cameras.clip: {error}") from error


def _check_writable(path: Path) -> None:
    """A file that cannot be written is to be known before the minutes that it takes."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise ConfigError(f"--json {path}: {(error.strerror or str(error)).lower()}") from error
