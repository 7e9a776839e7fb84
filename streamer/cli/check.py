"""`freshframe check`: is a configuration right, and what does it come to?"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

import yaml

from streamer.cli.advice import advice
from streamer.cli.networks import check_classes, detector_of, groups
from streamer.cli.plan import CameraPlan, plans
from streamer.cli.wiring import build
from streamer.config import DetectorConfig, Loaded, ModelConfig, read
from streamer.config.hidden import MASK, redacted
from streamer.config.json_schema import json_schema
from streamer.config.problems import KeyPath, Problem
from streamer.contracts import Detector
from streamer.errors import AssetError, ConfigError, DetectorError, SinkError
from streamer.sources import open_source, parse_address

EXAMPLES = """\
examples:
  freshframe check cameras.yaml
  freshframe check --schema > freshframe.schema.json   for editors
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`; it puts a function into `args.run` that gives the exit status."""
    parser = subparsers.add_parser(
        "check", help="check a configuration and print what it comes to", epilog=EXAMPLES
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("config", nargs="?", type=Path, metavar="CONFIG.yaml", help="the file to check")
    what.add_argument("--schema", action="store_true", help="print the JSON Schema instead, for editors")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    if args.schema:
        sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
        return 0
    try:
        loaded = read(args.config)
        warnings = [*_try_boxes(loaded, args.config), *advice(loaded, plans(loaded.config))]
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stderr.writelines(f"{line}\n" for line in loaded.said(warnings, "warning: "))
    sys.stdout.write(_as_yaml(loaded))
    return 0


def _try_boxes(loaded: Loaded, file: Path) -> list[Problem]:
    """Make every box as `run` would, which opens nothing. Raises ConfigError with all that is wrong.

    Gives what is not there yet, or not on this machine: `run` refuses it.
    """
    # Classes of one's own may lie beside the configuration; last, so that they shadow nothing.
    sys.path.append(str(file.resolve().parent))
    wrong, missing = _try_detectors(loaded)
    for name, camera in loaded.config.cameras.items():
        try:
            open_source(parse_address(camera.source), camera.options)
        except ConfigError as error:
            path: KeyPath = ("cameras", name, "source")
            text = str(error).replace(redacted(camera.source), loaded.text_at(path, camera.source))
            wrong.append(Problem(("cameras", name), text))
    for number, sink in enumerate(loaded.config.sinks):
        what = f"sinks.{number}"
        try:
            build(sink.use, sink.arguments(), what, needs="write")
        except ConfigError as error:
            wrong.append(Problem(("sinks", number), loaded.told(str(error).removeprefix(f"{what}: "))))
        except SinkError as error:
            missing.append(Problem(("sinks", number), loaded.told(str(error))))
    if wrong:
        raise ConfigError("\n".join(loaded.said(wrong)))
    return missing


def _try_detectors(loaded: Loaded) -> tuple[list[Problem], list[Problem]]:
    """What is wrong, and what is missing."""
    wrong: list[Problem] = []
    missing: list[Problem] = []
    for group in groups(plans(loaded.config)):
        path = _model_path(loaded, group[0])
        try:
            detector = detector_of(group)
        except ConfigError as error:
            wrong.append(Problem(path, _told(error, loaded, path, group[0].model)))
            continue
        except (AssetError, DetectorError) as error:
            missing.append(Problem(path, _told(error, loaded, path, group[0].model)))
            continue
        for plan in group:
            if unknown := _unknown_classes(plan, detector):
                path = _model_path(loaded, plan)
                by_model = str(_unknown_classes(replace(plan, looking=None), detector)) == str(unknown)
                where = path if by_model else ("cameras", plan.name)
                wrong.append(Problem(where, _told(unknown, loaded, path, plan.model)))
    return wrong, missing


def _model_path(loaded: Loaded, plan: CameraPlan) -> KeyPath:
    own = loaded.config.cameras[plan.name].model is not None
    return ("cameras", plan.name, "model") if own else ("model",)


def _unknown_classes(plan: CameraPlan, detector: Detector) -> Exception | None:
    try:
        check_classes(plan, detector, thoroughly=True)
    except (ConfigError, DetectorError) as error:
        return error
    return None


def _told(error: Exception, loaded: Loaded, path: KeyPath, model: ModelConfig | DetectorConfig) -> str:
    text = str(error).removeprefix("model: ")
    from_environment = {path, (*path, "name"), (*path, "use")} & set(loaded.hidden)
    name = model.use if isinstance(model, DetectorConfig) else model.name
    return loaded.told(text.replace(name, MASK) if from_environment else text)


def _as_yaml(loaded: Loaded) -> str:
    unicode = sys.stdout.encoding.lower().startswith("utf")
    text: str = yaml.safe_dump(loaded.shown(), sort_keys=False, allow_unicode=unicode)
    return text
