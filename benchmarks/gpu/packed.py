"""What was carried along: wheels put on the path, weights, pictures."""

import importlib
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

FOLDER = Path(".bench/gpu")
PICTURES = 24


def unpack_wheels() -> None:
    """Make the wheels importable, behind whatever the machine has itself. For this interpreter's version."""
    if sys.version_info[:2] != (3, 12):
        return
    folder = tempfile.mkdtemp(prefix="wheels-")
    for wheel in sorted((FOLDER / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    sys.path.append(folder)


def keep_quiet() -> None:
    """Ultralytics: no network, no installing, no settings of the user's. Before it is imported."""
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="ultralytics-"))


def weights() -> Path:
    """The default model's weights. Raises FileNotFoundError."""
    path = FOLDER / "yolo26n.pt"
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing: run `python -m benchmarks.gpu.pack` where there is a network"
        )
    return path


def random_weights(name: str, folder: Path) -> Path:
    """An untrained network of a family and size, as a file: for speed only."""
    # After the wheels are on the path.
    torch, ultralytics = importlib.import_module("torch"), importlib.import_module("ultralytics")
    torch.manual_seed(7)
    model: Any = ultralytics.YOLO(f"{name}.yaml", task="detect", verbose=False).model
    model.task = "detect"
    path = folder / f"{name}.pt"
    torch.save({"model": model.eval(), "train_args": {}}, path)
    return path


def pictures(count: int = PICTURES) -> tuple[list[np.ndarray], str]:
    """Pictures to find things in, BGR: those carried along, else synthetic ones; and which these are."""
    folder = FOLDER / "pictures"
    paths = sorted(folder.glob("*.jpg"))[:count]
    if paths:
        return [np.asarray(cv2.imread(str(path)), np.uint8) for path in paths], f"{len(paths)} of {folder}"
    return synthetic(count, (1280, 720)), f"{count} synthetic ones, for {folder} has none"


def synthetic(count: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Seeded pictures of moving shapes, (height, width, 3) BGR."""
    scene = importlib.import_module("streamer.sources.synthetic").Scene(size, seed=3)
    return [scene.paint(index, index / 30) for index in range(count)]
