"""Weights, and the peers' own environments: what their users would install, at the versions that we pin."""

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.progress import tell
from benchmarks.report import FOLDER
from streamer import assets

CONSTRAINTS = Path("constraints.txt")
TIMEOUT_S = 900

EXPORT = """
import os, sys, shutil
os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
from ultralytics import YOLO
weights, target, dynamic = sys.argv[1:]
shutil.move(YOLO(weights).export(format="onnx", imgsz=640, dynamic=dynamic == "dynamic"), target)
"""


class Missing(Exception):
    """A peer that cannot be had here, and why, in one sentence."""


def python_with(name: str, requirements: Sequence[str], *, pinned: bool = True) -> str:
    """The interpreter of an environment with these packages, made once. Raises Missing."""
    folder = FOLDER.absolute() / "environments" / name
    python, ready = folder / "bin" / "python", folder / ".ready"
    key = hashlib.sha256(repr((requirements, CONSTRAINTS.read_text() if pinned else "")).encode()).hexdigest()
    if not ready.exists() or ready.read_text() != key:
        tell(f"installing {name}: {' '.join(requirements)}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        constraints = ["--constraint", CONSTRAINTS] if pinned else []
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*command, *constraints, *requirements], f"{name} cannot be installed")
        ready.write_text(key)
        tell("")
    return str(python)


def exported(python: str, weights: Path, kind: str) -> Path:
    """The .onnx that Ultralytics itself makes, `dynamic` or `static` (640×640), once. Raises Missing."""
    target = FOLDER.absolute() / "exports" / f"{weights.stem}-{kind}.onnx"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = target.parent / weights.name  # the export lands beside the weights
        copy.write_bytes(weights.read_bytes())
        _run([python, "-W", "ignore", "-c", EXPORT, str(copy), str(target), kind], "no export")
    return target


def weights_of(model: str) -> Path:
    """A catalogue model's file, in the cache. Raises what `assets.missing` says where it is not there."""
    asset = assets.find(model)
    path = assets.cached(asset)
    if path is None:
        raise assets.missing(asset)
    return path


def _run(command: Sequence[object], what: str) -> None:
    try:
        subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{what} within {TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise Missing(f"{what}: {lines[-1][:200]}") from error
