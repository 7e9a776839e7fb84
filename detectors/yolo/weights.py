"""A model's name or path → a file that may be loaded; and its export, made once and kept.

Nothing is downloaded here: what is not in the cache is an error that says how to get it.
"""

import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import filelock

from detectors.yolo import child
from streamer import assets
from streamer.errors import ConfigError, DetectorError

_log = logging.getLogger("freshframe")

EXPORT_TIMEOUT_S = 900
SUFFIXES = (".pt", ".onnx")
READER = "detectors.yolo.cpu.onnx_contents"  # imports the onnx library
PRIVATE = ".loading-"  # what folders with private copies are called


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's file."""

    name: str  # what results call it
    path: Path
    sha256: str | None  # of a .pt file, whose hash decides whether it is loaded; an .onnx is not code

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()


def resolve(name_or_path: str | os.PathLike[str], *, trust_weights: bool) -> Weights:
    """A name of the catalogue, or the path of a .pt or .onnx file.

    Raises ConfigError for what is neither, AssetError where it is not in the cache or not trusted.
    """
    path = Path(name_or_path)
    if path.suffix.lower() in SUFFIXES or path.name != str(name_or_path):
        if path.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"a model's file ends in {' or '.join(SUFFIXES)}, {path} does not")
        if not path.is_file():
            raise ConfigError(f"there is no model file {path}; `freshframe models list` shows known models")
        name = path.stem
    else:
        try:
            asset = assets.find(str(name_or_path), "weights")
        except ConfigError as error:
            others = f"for any other model give the path of its {' or '.join(SUFFIXES)} file"
            raise ConfigError(f"{str(error).rstrip('.')}; {others}") from error
        name = asset.name
        if asset.kind != "weights":
            raise ConfigError(f"{name} is a {asset.kind}, not a model")
        cached = assets.cached(asset)
        if cached is None:
            raise assets.missing(asset)
        path = cached
    pickled = path.suffix.lower() == ".pt"
    return Weights(name, path, assets.verify_weights(path, trust_weights=trust_weights) if pickled else None)


def known_labels(weights: Weights) -> Sequence[str]:
    """What weights of the catalogue recognise, without loading them; else nothing."""
    for asset in assets.catalogue().values():
        if asset.kind == "weights" and asset.sha256 == weights.sha256:
            return tuple(asset.labels)
    return ()


def readable_labels(weights: Weights) -> Sequence[str]:
    """What a model's .onnx, or one that was made of its weights before, says that it recognises.

    Nothing where there is none, or it does not say. The network is not loaded, but its file is read.
    Raises DetectorError where that is no network.
    """
    path = weights.path
    if weights.suffix != ".onnx":
        made = sorted((assets.cache_folder() / "engines").glob(f"{weights.sha256}-onnxruntime-*-fp32.onnx"))
        if not made:
            return ()
        path = made[0]
    labels: Sequence[str] | None = importlib.import_module(READER).read_contents(path).labels
    return labels or ()


@contextmanager
def private_copy(weights: Weights, folder: Path | None = None) -> Iterator[Path]:
    """The verified bytes in a file that only this process knows, gone afterwards: load this one.

    Whoever swaps the original after the look changes nothing. A DetectorError from the block names
    the original instead of the copy. Raises AssetError, DetectorError.
    """
    # Trust was decided by `resolve`; here it must be those bytes still.
    content, sha256 = assets.read_weights(weights.path, trust_weights=True)
    if sha256 != weights.sha256:
        raise DetectorError(f"{weights.path} was changed while it was being loaded; start again")
    with tempfile.TemporaryDirectory(prefix=PRIVATE, dir=folder) as private:
        copy = Path(private) / "weights.pt"
        copy.write_bytes(content)
        try:
            yield copy
        except DetectorError as error:
            text = str(error)
            for name in (str(copy), str(copy.resolve()), private):
                text = text.replace(name, weights.path.name)
            raise DetectorError(f"{weights.path}: {text}") from error


def exported(weights: Weights, imgsz: int) -> Path:
    """The .onnx made of .pt weights, traced at this size; sizes and batch stay free in it.

    Made in another process, so that this one stays free of torch, the first time; then kept under
    the weights' hash. Safe in any number of threads and processes. Raises DetectorError.
    """
    folder = assets.cache_folder() / "engines"
    target = folder / f"{weights.sha256}-onnxruntime-{imgsz}-fp32.onnx"
    if target.exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / ".lock", timeout=EXPORT_TIMEOUT_S):
            if not target.exists():
                _sweep(folder)
                _log.info("%s: being made ready for ONNX Runtime, once; a few seconds", weights.name)
                with private_copy(weights, folder) as copy:
                    made = _export(weights, copy, imgsz)
                    with made.open("rb+") as file:
                        os.fsync(file.fileno())
                    made.replace(target)
    except filelock.Timeout as error:
        raise DetectorError(f"{weights.name}: another process has been exporting for too long") from error
    except OSError as error:
        raise DetectorError(f"{weights.name} cannot be exported into {folder}: {error.strerror}") from error
    return target


def discard(export: Path) -> None:
    """Delete an export that turned out to be damaged. Raises DetectorError."""
    try:
        export.unlink(missing_ok=True)
    except OSError as error:
        text = f"{export} is damaged and cannot be deleted: {error.strerror}; delete it yourself"
        raise DetectorError(text) from error


def _sweep(folder: Path) -> None:
    """Remove what runs left that were killed; who holds the lock is the only one that exports."""
    for left in folder.glob(f"{PRIVATE}*"):
        shutil.rmtree(left, ignore_errors=True)


def _export(weights: Weights, copy: Path, imgsz: int) -> Path:
    what = f"{weights.name} cannot be exported for ONNX Runtime"
    child.run("detectors.yolo.export", [str(copy), str(imgsz)], EXPORT_TIMEOUT_S, what)
    made = copy.with_suffix(".onnx")
    if not made.exists():
        raise DetectorError(f"{what}: the exporting process wrote nothing")
    return made
