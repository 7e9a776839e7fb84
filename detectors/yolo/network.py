"""Loads a detection network out of .pt weights, with all of Ultralytics' own ideas switched off.

Imports torch and ultralytics when it is called.
"""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectors.yolo.engine import check_labels
from streamer import assets
from streamer.errors import DetectorError


@dataclass(frozen=True, slots=True)
class Network:
    """A network as trained, not fused, on the CPU in fp32."""

    model: Any  # ultralytics' DetectionModel, a torch module
    labels: Sequence[str]
    stride: int


def silence() -> None:
    """Keep ultralytics off the network, from installing, from stdout and from the user's settings.

    It reads these when it is imported, so this comes first.
    """
    os.environ.update(
        YOLO_OFFLINE="true",
        YOLO_AUTOINSTALL="false",
        YOLO_VERBOSE="false",
        YOLO_CONFIG_DIR=str(assets.cache_folder() / "ultralytics"),
    )


def load(path: Path) -> Network:
    """Load weights. They are code: only files whose hash was checked. Raises DetectorError."""
    silence()
    tasks = importlib.import_module("ultralytics.nn.tasks")
    try:
        model, _ = tasks.load_checkpoint(path)
    except Exception as error:
        raise DetectorError(f"the weights are damaged or not Ultralytics'{_reason(error)}") from error
    task = getattr(model, "task", None)
    if task != "detect" or not isinstance(model, tasks.DetectionModel):
        raise DetectorError(f"these weights are for the task {task!r}; only 'detect' can be run here")
    channels = model.yaml.get("channels", 3)
    if channels != 3:
        raise DetectorError(f"these weights want pictures of {channels} channels; only 3 (colour) can be run")
    # The head that `predict` uses, if both are there: one-to-many, then suppression. In later
    # versions that is the default, in earlier ones (and in `load_checkpoint`) it is not.
    if hasattr(model, "end2end"):
        model.end2end = False
    return Network(model, check_labels(model.names, "the weights"), max(int(model.stride.max()), 32))


def _reason(error: Exception) -> str:
    """What a damaged pickle raised. Ultralytics' own texts are long and advise commands of its own."""
    cause = error.__cause__ or error
    text = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return "" if "ltralytics" in text else f": {text[:300]}"
