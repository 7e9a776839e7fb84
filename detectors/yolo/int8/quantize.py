"""Making an int8 network: calibrated on given pictures, kept only where it is as accurate."""

import importlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import filelock

from detectors.yolo import child
from detectors.yolo.cpu.reading import CpuReading
from detectors.yolo.engine import ReadingEngine, check_imgsz
from detectors.yolo.int8.quantized import NETWORK, adopt
from detectors.yolo.weights import exported, resolve
from detectors.yolo.yolo import SMALLEST_STRIDE, Yolo
from streamer import assets
from streamer.errors import ConfigError, DetectorError
from streamer.evaluation import CONF, FEWEST, Dataset, Exam, judged, read_dataset, some
from streamer.sources import open_source, parse_address

ALLOWED_LOSS = 0.005  # of average precision: goals.md, P10
# A network that finds less in the dataset was not made for it, and what int8 loses there says nothing.
LEAST_PRECISION = 0.05
TIMEOUT_S = 3600
PRIVATE = ".quantizing-"  # what folders with private copies are called
WANTED = ("openvino", "nncf")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What making an int8 network came to."""

    name: str
    fp32: float  # average precision
    int8: float
    kept: Path | None  # None: it lost too much, nothing was kept


class _Private(Yolo):
    """Detects with a private .onnx, or with the int8 network made of it, known as what it is a copy of."""

    def __init__(self, copy: Path, sha256: str, imgsz: int, int8: Path | None) -> None:
        super().__init__(copy, imgsz=imgsz, conf=CONF, engine="openvino")
        self._arguments = copy, imgsz, sha256, int8

    def _load(self) -> ReadingEngine:
        # Its heavy library is imported only when it is used.
        module = importlib.import_module("detectors.yolo.cpu.openvino_engine")
        return CpuReading(module.OpenVinoEngine(*self._arguments))


def quantize(
    name_or_path: str,
    *,
    frames: str,
    dataset: str,
    images: str | None = None,
    imgsz: int = 640,
    trust_weights: bool = False,
) -> Outcome:
    """Make an int8 network and keep it where AP on the dataset falls by no more than ALLOWED_LOSS.

    frames: a recording, folder or glob of pictures that show what the network will see. dataset: in
    COCO's or YOLO's format; images: where the pictures of a COCO file are, by default beside it.
    Takes a minute and more; one at a time. Raises ConfigError, AssetError, DetectorError.
    """
    for module in WANTED:
        if importlib.util.find_spec(module) is None:
            raise DetectorError(
                f"making int8 networks wants {module}, which is not installed; it is of the extra int8: "
                "pip install 'openvino>=2026' 'nncf>=3.4'"
            )
    check_imgsz(imgsz, SMALLEST_STRIDE)
    address = parse_address(frames)
    source = open_source(address)
    if source.live or not source.ends:
        raise ConfigError(f"--frames must be a recording or pictures, not {address.redacted}")
    truth = _truth(Path(dataset), None if images is None else Path(images))
    weights = resolve(name_or_path, trust_weights=trust_weights)
    network = weights.path if weights.sha256 is None else exported(weights, imgsz)
    folder = assets.cache_folder() / "engines"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A lock of its own: others' exports need not wait for minutes.
        with filelock.FileLock(folder / ".quantizing.lock", timeout=0):
            for left in folder.glob(f"{PRIVATE}*"):  # by runs that were killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=PRIVATE, dir=folder) as private:
                # From here on only the copy is looked at, which nobody else swaps meanwhile.
                copy = Path(private) / f"{weights.name}.onnx"
                shutil.copyfile(network, copy)
                sha256 = weights.sha256 or assets.sha256_of(copy)
                try:
                    before, after, made = _made(copy, sha256, frames, imgsz, truth)
                except DetectorError as error:
                    raise DetectorError(str(error).replace(str(copy), str(network))) from error
                if not (before - after <= ALLOWED_LOSS):  # so that what is no number is refused as well
                    return Outcome(weights.name, before, after, None)
                return Outcome(weights.name, before, after, _keep(made, sha256, imgsz))
    except filelock.Timeout as error:
        raise DetectorError(
            f"another process is making an int8 network in {folder} now; start again when it is done"
        ) from error
    except OSError as error:
        raise DetectorError(f"{weights.name} cannot be made int8 in {folder}: {error.strerror}") from error


def _made(copy: Path, sha256: str, frames: str, imgsz: int, truth: Dataset) -> tuple[float, float, Path]:
    """The precisions in fp32 and int8, and the folder with the int8 network, beside the copy."""
    before = _precision(_Private(copy, sha256, imgsz, None), truth)
    if not LEAST_PRECISION <= before <= 1:
        raise ConfigError(
            f"{copy.stem} itself has an average precision of {before:.4f} on the dataset; at least "
            f"{LEAST_PRECISION} is wanted, else nothing can be said about int8. Was the model made for this?"
        )
    made = copy.parent / "made" / NETWORK
    made.parent.mkdir()
    arguments = [str(copy), frames, str(imgsz), str(made)]
    child.run("detectors.yolo.int8.quantizing", arguments, TIMEOUT_S, f"{copy.stem} cannot be made int8")
    return before, _precision(_Private(copy, sha256, imgsz, made), truth), made.parent


def _truth(dataset: Path, images: Path | None) -> Dataset:
    truth = read_dataset(dataset, images)
    _check_enough(truth, "something")
    return truth


def _precision(detector: Yolo, truth: Dataset) -> float:
    """Average precision over the classes that the detector knows: others would only thin out what is lost.

    Raises ConfigError where they are none, or hardly ever seen.
    """
    looked = Exam(truth, detector, accept=partial(_check_known, truth)).run()
    ap = judged(_known(truth, looked.labels), looked).precision.ap
    return float("nan") if ap is None else ap


def _check_known(truth: Dataset, labels: Sequence[str]) -> None:
    if not set(truth.boxes) & set(labels):
        raise ConfigError(
            f"no category of {truth.where} is among the model's labels: it has {some(sorted(truth.boxes))}, "
            f"the model {some(labels)}"
        )
    _check_enough(_known(truth, labels), "something that the model has a label for")


def _known(truth: Dataset, labels: Sequence[str]) -> Dataset:
    return truth.only([name for name in truth.boxes if name in labels])


def _check_enough(truth: Dataset, what: str) -> None:
    count = truth.showing()
    if count < FEWEST:
        raise ConfigError(f"{count} pictures of {truth.where} show {what}; at least {FEWEST} are wanted")


def _keep(made: Path, sha256: str, imgsz: int) -> Path:
    for file in made.iterdir():
        with file.open("rb+") as written:
            os.fsync(written.fileno())
    return adopt(made, sha256, imgsz)
