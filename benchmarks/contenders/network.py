"""What people write round an .onnx of YOLO: letterbox, blob, run, suppression."""

from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray


class Network:
    """An .onnx with free sides, run at the shape that a wide picture needs, with ONNX Runtime's defaults."""

    def __init__(self, path: str) -> None:
        self._session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def boxes(self, pixels: NDArray[np.uint8]) -> int:
        """How many boxes above 0.25 are left after suppression."""
        height, width = pixels.shape[:2]
        scale = min(640 / width, 640 / height)
        inner = round(width * scale), round(height * scale)
        rows, columns = -(-inner[1] // 32) * 32, -(-inner[0] // 32) * 32
        canvas = np.full((rows, columns, 3), 114, np.uint8)
        top, left = (rows - inner[1]) // 2, (columns - inner[0]) // 2
        canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(pixels, inner)
        blob = cv2.dnn.blobFromImage(canvas, 1 / 255, swapRB=True)
        output: Any = self._session.run(None, {self._input: blob})[0][0]
        if output.shape[-1] == 6:
            return int((output[:, 4] > 0.25).sum())
        scores = output[4:].max(0)
        kept = scores > 0.25
        centre, sides = output[:2, kept].T, output[2:4, kept].T
        chosen = cv2.dnn.NMSBoxesBatched(
            np.concatenate((centre - sides / 2, sides), 1).tolist(),
            scores[kept].tolist(),
            output[4:, kept].argmax(0).tolist(),
            0.25,
            0.7,
        )
        return len(chosen)
