"""Where int8 networks are kept: in the cache, under the hash of the weights that they were made of."""

import shutil
from pathlib import Path

from detectors.yolo.weights import Weights
from streamer import assets
from streamer.errors import DetectorError

NETWORK = "network.xml"  # with network.bin beside it


def place(sha256: str, imgsz: int) -> Path:
    """The folder of the int8 network made of weights with this hash, there or not."""
    return assets.cache_folder() / "engines" / f"{sha256}-openvino-{imgsz}-int8"


def quantized(weights: Weights, imgsz: int) -> Path:
    """The int8 network that was made of these weights for this size. Raises DetectorError."""
    try:
        sha256 = weights.sha256 or assets.sha256_of(weights.path)
    except OSError as error:
        raise DetectorError(f"{weights.path} cannot be read: {error.strerror}") from error
    network = place(sha256, imgsz) / NETWORK
    if not network.is_file() or not network.with_suffix(".bin").is_file():
        model = weights.path if weights.sha256 is None else weights.name
        size = "" if imgsz == 640 else f" --imgsz {imgsz}"
        raise DetectorError(
            f"there is no int8 network of {weights.name} for size {imgsz} yet. Make one: "
            f"`freshframe models quantize {model}{size} --frames FOLDER --dataset COCO.json`"
        )
    return network


def adopt(made: Path, sha256: str, imgsz: int) -> Path:
    """Move a folder with a network, on the same disk, to where `quantized` finds it. Raises OSError."""
    target = place(sha256, imgsz)
    if target.exists():
        # A folder cannot be replaced in one step; whoever looks in between is told to make it.
        old = made.with_name(f"{made.name}-old")
        target.replace(old)
        made.replace(target)
        shutil.rmtree(old, ignore_errors=True)
    else:
        made.replace(target)
    return target
