"""ONNX Runtime on the CPU."""

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from detectors.yolo.buffers import Buffers
from detectors.yolo.devices import physical_cores
from detectors.yolo.engine import check_labels
from streamer.errors import DetectorError

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
SIDES = (32, 4096)  # pixels that a fixed input may have: from one stride to what fits into memory
LONGEST_METADATA = 1_000_000  # characters; a thousand labels are 20,000


class OnnxEngine:
    """A detection network in an .onnx file, ours or a user's, with fixed or free sizes."""

    labels: Sequence[str] | None = None

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffers = Buffers()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = physical_cores()
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        # Threads that spin take the cores that decoders need: with one busy process beside it 25.9
        # fps became 9.7, without spinning 14.2 (two cores).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors, which are raised as well
        try:
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own exceptions share no base but Exception
            text = f"{path} cannot be loaded; delete it or export it anew: {_first_line(error)}"
            raise DetectorError(text) from error
        self._read_input()
        self._read_metadata()

    def _read_input(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape if len(inputs) == 1 else None
        if shape is None or len(shape) != 4 or shape[1] != 3 or inputs[0].type not in DTYPES:
            found = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
            raise DetectorError(f"{self._path} takes {found}; allowed is one float (batch, 3, height, width)")
        if len(outputs) != 1:
            raise DetectorError(f"{self._path} has {len(outputs)} outputs; a detection network has one")
        batch, _, height, width = shape
        self._input, self._dtype = inputs[0].name, DTYPES[inputs[0].type]
        self.precision = "fp32" if self._dtype is np.float32 else "fp16"
        if isinstance(height, int) != isinstance(width, int):
            raise DetectorError(f"{self._path} has one free and one fixed side, {shape}; export it anew")
        self.shape = (height, width) if isinstance(height, int) else None
        if self.shape and not SIDES[0] <= min(self.shape) <= max(self.shape) <= SIDES[1]:
            text = f"{self._path} takes pictures of {width}x{height}"
            raise DetectorError(f"{text}; allowed are sides from {SIDES[0]} to {SIDES[1]}")
        if isinstance(batch, int) and batch != 1:
            raise DetectorError(f"{self._path} is made for batches of exactly {batch}; export it with 1")

    def _read_metadata(self) -> None:
        known = self._session.get_modelmeta().custom_metadata_map
        if known.get("task", "detect") != "detect":
            raise DetectorError(f"{self._path} is for the task {known['task']!r}; only 'detect' can be run")
        stride = known.get("stride", "32")
        if not stride.isdecimal() or not 1 <= int(stride) <= 1024:
            raise DetectorError(f"{self._path} states the stride {stride[:40]!r}; it must be a number")
        self.stride = max(int(stride), 32)
        if "names" in known:
            text = known["names"]
            try:
                names = ast.literal_eval(text) if len(text) <= LONGEST_METADATA else None
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                names = text
            self.labels = check_labels(names, str(self._path))

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._buffers.take((count, *shape, 3), np.uint8)

    def stage(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        """(B, height, width, 3) BGR 0…255 → (B, 3, height, width) RGB 0…1."""
        count, height, width, _ = canvas.shape
        planes = self._buffers.take((count, 3, height, width), self._dtype)
        for picture, rgb in zip(canvas, planes, strict=True):
            for plane, out in zip(cv2.split(picture), rgb[::-1], strict=True):
                np.divide(plane, np.float32(255), out=out, dtype=np.float32, casting="unsafe")
        self._buffers.give(canvas)
        return planes

    def run(self, staged: NDArray[Any]) -> NDArray[np.float32]:
        try:
            (output,) = self._session.run(None, {self._input: staged})
        except Exception as error:  # its own exceptions share no base but Exception
            text = f"the network failed on an input of {staged.shape}: {_first_line(error)}"
            raise DetectorError(text) from error
        shape, count = np.shape(output), len(staged)
        if shape[:1] != (count,):
            raise DetectorError(f"the network's output has the shape {shape}; allowed is ({count}, …) here")
        self._buffers.give(staged)
        return np.asarray(output, np.float32)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
