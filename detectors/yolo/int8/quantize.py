"""Making an int8 network: calibrated on given pictures, kept only where it is as accurate."""

import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import filelock

from detectors.yolo import child
from detectors.yolo.cpu.loading import load_network
from detectors.yolo.cpu.reading import CpuReading
from detectors.yolo.devices import INT8
from detectors.yolo.engine import ReadingEngine, check_imgsz
from detectors.yolo.int8.accuracy import Dataset
from detectors.yolo.int8.quantized import NETWORK, adopt
from detectors.yolo.weights import EXPORT_TIMEOUT_S, PRIVATE, Weights, exported, resolve
from detectors.yolo.yolo import SMALLEST_STRIDE, Yolo
from streamer import assets
from streamer.errors import ConfigError, DetectorError
from streamer.sources import open_source, parse_address

LOWEST = 0.001  # score of what counts for average precision
ALLOWED_LOSS = 0.005  # of average precision: goals.md, P10
TIMEOUT_S = 3600
WANTED = ("openvino", "nncf", "faster_coco_eval")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What making an int8 network came to."""

    name: str
    fp32: float  # average precision
    int8: float
    kept: Path | None  # None: it lost too much, nothing was kept


class _Candidate(Yolo):
    """Detects with an int8 network that is not kept yet."""

    def __init__(self, path: Path, network: Path, imgsz: int, *, trust_weights: bool) -> None:
        super().__init__(path, imgsz=imgsz, conf=LOWEST, engine="openvino", trust_weights=trust_weights)
        self._network = network

    def _load(self) -> ReadingEngine:
        return CpuReading(load_network(INT8, self._weights, self._imgsz, self._network))


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

    frames: a recording, folder or glob of pictures that show what the network will see. dataset: a
    JSON file in COCO's format; images: where its pictures are, by default `images` beside it.
    Takes a minute and more. Raises ConfigError, AssetError, DetectorError.
    """
    for module in WANTED:
        if importlib.util.find_spec(module) is None:
            raise DetectorError(
                f"making int8 networks wants {module}, which is not installed: pip install 'freshframe[int8]'"
            )
    check_imgsz(imgsz, SMALLEST_STRIDE)
    address = parse_address(frames)
    source = open_source(address)
    if source.live or not source.ends:
        raise ConfigError(f"--frames must be a recording or pictures, not {address.redacted}")
    truth = Dataset(Path(dataset), None if images is None else Path(images))
    weights = resolve(name_or_path, trust_weights=trust_weights)
    network = weights.path if weights.sha256 is None else exported(weights, imgsz)
    folder = assets.cache_folder() / "engines"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            filelock.FileLock(folder / ".lock", timeout=EXPORT_TIMEOUT_S),
            tempfile.TemporaryDirectory(prefix=PRIVATE, dir=folder) as private,
        ):
            made = Path(private) / "made" / NETWORK
            made.parent.mkdir()
            # What is looked at is a copy that nobody else swaps meanwhile.
            copy = Path(private) / "network.onnx"
            shutil.copyfile(network, copy)
            arguments = [str(copy), frames, str(imgsz), str(made)]
            child.run(
                "detectors.yolo.int8.quantizing", arguments, TIMEOUT_S, f"{weights.name} cannot be made int8"
            )
            fp32 = Yolo(
                weights.path, imgsz=imgsz, conf=LOWEST, engine="openvino", trust_weights=trust_weights
            )
            int8 = _Candidate(weights.path, made, imgsz, trust_weights=trust_weights)
            before, after = _precision(fp32, truth), _precision(int8, truth)
            if before - after > ALLOWED_LOSS:
                return Outcome(weights.name, before, after, None)
            return Outcome(weights.name, before, after, _keep(made.parent, weights, imgsz))
    except filelock.Timeout as error:
        raise DetectorError(f"{weights.name}: another process has been exporting for too long") from error
    except OSError as error:
        raise DetectorError(f"{weights.name} cannot be made int8 in {folder}: {error.strerror}") from error


def _precision(detector: Yolo, truth: Dataset) -> float:
    with detector:
        return truth.average_precision(detector)


def _keep(made: Path, weights: Weights, imgsz: int) -> Path:
    for file in made.iterdir():
        with file.open("rb+") as written:
            os.fsync(written.fileno())
    return adopt(made, weights, imgsz)
