"""`freshframe check`: is a configuration right, and what does it come to?"""

import argparse
import json
import sys
from pathlib import Path

import yaml

from streamer.cli.wiring import build
from streamer.config import Config, DetectorConfig, Loaded, SinkConfig, read
from streamer.errors import ConfigError
from streamer.sources import open_source, parse_address


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`; it puts a function into `args.run` that gives the exit status."""
    parser = subparsers.add_parser("check", help="check a configuration and print what it comes to")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("config", nargs="?", type=Path, metavar="CONFIG.yaml", help="the file to check")
    what.add_argument("--schema", action="store_true", help="print the JSON Schema instead, for editors")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    if args.schema:
        sys.stdout.write(json.dumps(Config.model_json_schema(), indent=2) + "\n")
        return 0
    try:
        loaded = read(args.config)
        _make_boxes(loaded.config, args.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(_as_yaml(loaded))
    return 0


def _make_boxes(config: Config, file: Path) -> None:
    """Make sources and sinks, and detectors of one's own, as `run` would: that opens nothing."""
    sys.path.append(str(file.resolve().parent))
    problems = []
    for name, camera in config.cameras.items():
        try:
            open_source(parse_address(camera.source), camera.options)
        except ConfigError as error:
            problems.append(f"{file}: cameras.{name}: {error}")
    models = {"model": config.model}
    models |= {
        f"cameras.{name}.model": camera.model for name, camera in config.cameras.items() if camera.model
    }
    own: dict[str, DetectorConfig | SinkConfig]
    own = {where: model for where, model in models.items() if isinstance(model, DetectorConfig)}
    own |= {f"sinks.{i}": sink for i, sink in enumerate(config.sinks)}
    for where, part in own.items():
        try:
            build(
                part.use,
                part.arguments(),
                f"{file}: {where}",
                needs="detect" if isinstance(part, DetectorConfig) else "write",
            )
        except ConfigError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("\n".join(problems))


def _as_yaml(loaded: Loaded) -> str:
    unicode = sys.stdout.encoding.lower().startswith("utf")
    text: str = yaml.safe_dump(loaded.shown(), sort_keys=False, allow_unicode=unicode)
    return text
