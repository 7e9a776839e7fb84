"""OpenVINO on the CPU, an extra: fp32 as the .onnx is, or an int8 network made of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.yolo.cpu import tuning
from detectors.yolo.cpu.onnx_contents import read_contents
from detectors.yolo.cpu.planes import Planes
from detectors.yolo.cpu.silent_openvino import openvino
from detectors.yolo.cpu.tuning import Plan
from detectors.yolo.letterbox import usual_shape
from streamer import assets
from streamer.cores import physical_cores
from streamer.errors import DetectorError


class OpenVinoEngine:
    """A detection network in an .onnx file, run by OpenVINO.

    `int8` is the .xml of a network that was quantised from it. How many threads it runs on is
    measured at the first start with this network and `imgsz`; `sha256` is that of the weights or of
    the file.
    """

    labels: Sequence[str] | None
    max_batch = 1  # several at once would gain nothing on a CPU

    def __init__(self, path: Path, imgsz: int, sha256: str | None = None, int8: Path | None = None) -> None:
        self._path = int8 or path
        self._contents = read_contents(path)
        self.precision = "int8" if int8 else self._contents.precision
        self.stride, self.shape, self.labels = (
            self._contents.stride,
            self._contents.shape,
            self._contents.labels,
        )
        self._planes = Planes(self._contents.dtype)
        self._core = openvino.Core()
        network = f"{sha256 or assets.sha256_of(path)} {self.precision}"
        here = tuning.machine(network, imgsz, f"openvino {openvino.__version__}")
        # Without spinning: OpenVINO's threads look for work as they like.
        allowed = tuning.candidates(physical_cores(), spins=(0,))
        shape = self.shape or usual_shape(imgsz, self.stride)
        plan = tuning.recall(here, allowed) or tuning.measured(
            here, allowed, lambda plan: self._trial(plan, shape), batches=False
        )
        self._request = self._open(plan)

    def _open(self, plan: Plan) -> Any:
        wanted = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # where it could take bf16, boxes would differ
            "INFERENCE_NUM_THREADS": plan.threads,
            "ENABLE_CPU_PINNING": False,  # a pinned thread waits where a decoder is on its core
        }
        try:
            network = self._core.read_model(self._path)
            return self._core.compile_model(network, "CPU", wanted).create_infer_request()
        except RuntimeError as error:
            text = f"{self._path} cannot be loaded; delete it or make it anew: {_first_line(error)}"
            raise DetectorError(text) from error

    def _trial(self, plan: Plan, shape: tuple[int, int]) -> tuning.Run:
        request = self._open(plan)

        def run(count: int) -> None:
            self._infer(request, np.full((count, 3, *shape), 0.5, self._contents.dtype))

        return run

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._planes.canvas(count, shape)

    def stage(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        """(B, height, width, 3) BGR 0…255 → (B, 3, height, width) RGB 0…1."""
        return self._planes.of(canvas)

    def run(self, staged: NDArray[Any]) -> NDArray[np.float32]:
        output = self._infer(self._request, staged)
        if output.shape[:1] != (len(staged),):
            allowed = f"({len(staged)}, …)"
            raise DetectorError(
                f"the network's output has the shape {output.shape}; allowed is {allowed} here"
            )
        self._planes.give(staged)
        # The request writes the next output over this one.
        return np.array(output, np.float32)

    def _infer(self, request: Any, planes: NDArray[Any]) -> NDArray[Any]:
        try:
            (output,) = request.infer([planes], share_inputs=True, share_outputs=True).values()
        except RuntimeError as error:
            text = f"the network failed on an input of {planes.shape}: {_first_line(error)}"
            raise DetectorError(text) from error
        return np.asarray(output)


def _first_line(error: Exception) -> str:
    """OpenVINO begins with where in its own source it was; what happened comes last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
