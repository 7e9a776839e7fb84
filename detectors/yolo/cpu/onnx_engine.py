"""ONNX Runtime on the CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from detectors.yolo.cpu import tuning
from detectors.yolo.cpu.onnx_file import Contents, Value, check
from detectors.yolo.cpu.planes import Planes
from detectors.yolo.cpu.tuning import Plan
from detectors.yolo.letterbox import usual_shape
from streamer import assets
from streamer.cores import physical_cores
from streamer.errors import DetectorError


class OnnxEngine:
    """A detection network in an .onnx file, ours or a user's, with fixed or free sizes.

    How many threads it runs on is measured at the first start with this network and `imgsz`.
    `sha256` is that of the weights or of the file.
    """

    labels: Sequence[str] | None

    def __init__(self, path: Path, imgsz: int, sha256: str | None = None) -> None:
        self._path = path
        here = tuning.machine(
            sha256 or assets.sha256_of(path), imgsz, f"onnxruntime {onnxruntime.__version__}"
        )
        allowed = tuning.candidates(physical_cores())
        plan = tuning.recall(here, allowed)
        self._session = self._open(plan or allowed[0])
        self._contents = self._read()
        self.precision, self.stride = self._contents.precision, self._contents.stride
        self.shape, self.labels = self._contents.shape, self._contents.labels
        self._planes = Planes(self._contents.dtype)
        if plan is None:
            shape = self.shape or usual_shape(imgsz, self.stride)
            plan = tuning.measured(
                here,
                allowed,
                lambda plan: self._trial(plan, shape),
                batches=self._takes_several(shape),
            )
            self._session = self._open(plan)  # anew, without the memory that larger batches took
        self.max_batch = plan.batch

    def _open(self, plan: Plan) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = plan.threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        if plan.spin_us:
            options.add_session_config_entry("session.intra_op.spin_duration_us", str(plan.spin_us))
        else:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors, which are raised as well
        try:
            return onnxruntime.InferenceSession(self._path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own exceptions share no base but Exception
            text = f"{self._path} cannot be loaded; delete it or export it anew: {_first_line(error)}"
            raise DetectorError(text) from error

    def _read(self) -> Contents:
        inputs, outputs = (
            [Value(one.name, one.type, one.shape) for one in values]
            for values in (self._session.get_inputs(), self._session.get_outputs())
        )
        return check(self._path, inputs, outputs, self._session.get_modelmeta().custom_metadata_map)

    def _trial(self, plan: Plan, shape: tuple[int, int]) -> tuning.Run:
        session = self._open(plan)

        def run(count: int) -> None:
            self._infer(session, np.full((count, 3, *shape), 0.5, self._contents.dtype))

        return run

    def _takes_several(self, shape: tuple[int, int]) -> bool:
        """Some say that they do and answer for one."""
        if not self._contents.any_batch:
            return False
        try:
            output = self._infer(self._session, np.full((2, 3, *shape), 0.5, self._contents.dtype))
        except DetectorError:
            return False
        return bool(np.shape(output)[:1] == (2,))

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._planes.canvas(count, shape)

    def stage(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        """(B, height, width, 3) BGR 0…255 → (B, 3, height, width) RGB 0…1."""
        return self._planes.of(canvas)

    def run(self, staged: NDArray[Any]) -> NDArray[np.float32]:
        output = self._infer(self._session, staged)
        shape, count = np.shape(output), len(staged)
        if shape[:1] != (count,):
            raise DetectorError(f"the network's output has the shape {shape}; allowed is ({count}, …) here")
        self._planes.give(staged)
        return np.asarray(output, np.float32)

    def _infer(self, session: onnxruntime.InferenceSession, planes: NDArray[Any]) -> Any:
        try:
            (output,) = session.run(None, {self._contents.input: planes})
        except Exception as error:  # its own exceptions share no base but Exception
            text = f"the network failed on an input of {planes.shape}: {_first_line(error)}"
            raise DetectorError(text) from error
        return output


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
