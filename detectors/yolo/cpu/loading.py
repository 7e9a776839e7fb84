"""A network on the CPU: from its weights to the engine that runs it."""

import importlib
from functools import partial

from detectors.yolo.cpu.tuning import TunedEngine
from detectors.yolo.devices import INT8
from detectors.yolo.int8.quantized import quantized
from detectors.yolo.weights import Weights, discard, exported
from streamer.errors import DetectorError


def check_made(engine: str, weights: Weights, imgsz: int) -> None:
    """Raises DetectorError where the engine wants something that has to be made by hand first."""
    if engine == INT8:
        quantized(weights, imgsz)


def load_on_cpu(engine: str, weights: Weights, imgsz: int) -> TunedEngine:
    """The engine called onnx, openvino or openvino-int8, loaded. Raises DetectorError."""
    int8 = quantized(weights, imgsz) if engine == INT8 else None
    # Each imports its heavy library: only the one that is used may.
    if engine == "onnx":
        make = importlib.import_module("detectors.yolo.cpu.onnx_engine").OnnxEngine
    else:
        make = importlib.import_module("detectors.yolo.cpu.openvino_engine").OpenVinoEngine
        make = partial(make, int8=int8)
    loaded: TunedEngine
    if weights.sha256 is None:
        loaded = make(weights.path, imgsz)
        return loaded
    path = exported(weights, imgsz)
    try:
        loaded = make(path, imgsz, weights.sha256)
    except DetectorError:
        if int8 is not None:
            raise
        discard(path)  # a disk that was full, a write that was cut off: it can be made again
        loaded = make(exported(weights, imgsz), imgsz, weights.sha256)
    return loaded
