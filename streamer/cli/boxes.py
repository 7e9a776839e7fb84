"""Every box of a configuration is made as `run` would make it, which opens nothing and loads no network."""

import sys
from dataclasses import replace
from pathlib import Path

from streamer.cli.networks import check_classes, detector_of, groups
from streamer.cli.plan import CameraPlan, plans
from streamer.cli.wiring import build
from streamer.config import DetectorConfig, Loaded, ModelConfig
from streamer.config.hidden import MASK, redacted
from streamer.config.problems import KeyPath, Problem
from streamer.contracts import Detector
from streamer.errors import AssetError, ConfigError, DetectorError, SinkError
from streamer.sources import open_source, parse_address


def try_boxes(loaded: Loaded) -> list[Problem]:
    """What is not there yet, or not on this machine: `run` refuses it.

    Raises ConfigError with all that is wrong.
    """
    # Classes of one's own may lie beside the configuration; last, so that they shadow nothing.
    sys.path.append(str(Path(loaded.file).resolve().parent))
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
