"""Torch on the CPU: the plain way, one step after the other. On CUDA it is `cuda_engine`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from detectors.yolo.cpu.buffers import Buffers
from detectors.yolo.torch_network import TorchNetwork
from streamer.errors import DetectorError


class TorchEngine:
    """A detection network out of .pt weights, in fp32."""

    labels: Sequence[str] | None
    precision = "fp32"
    shape: tuple[int, int] | None = None  # any, in multiples of stride

    def __init__(self, path: Path) -> None:
        self._network = TorchNetwork(path, "cpu")
        self.labels, self.stride = self._network.labels, self._network.stride
        self._buffers = Buffers()

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._buffers.take((count, *shape, 3), np.uint8)

    def stage(self, canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Nothing: torch makes numbers of bytes faster than numpy does."""
        return canvas

    @torch.inference_mode()
    def run(self, staged: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            found: NDArray[np.float32] = self._network(torch.from_numpy(staged)).numpy()
        except RuntimeError as error:
            raise DetectorError(f"the network failed on an input of {staged.shape}: {error}") from error
        self._buffers.give(staged)
        return found
