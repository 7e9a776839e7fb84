"""Torch, for CUDA devices; it runs on the CPU as well. Imports no torchvision."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detectors.yolo.buffers import Buffers
from detectors.yolo.network import load
from streamer.errors import DetectorError


class TorchEngine:
    """A detection network out of .pt weights: fp32 on the CPU, fp16 on CUDA."""

    labels: Sequence[str] | None
    shape = None  # any, in multiples of stride

    def __init__(self, path: Path, device: str) -> None:
        network = load(path)
        self.labels, self.stride = network.labels, network.stride
        self._device = torch.device(device)
        self._buffers = Buffers()
        cuda = self._device.type == "cuda"
        self.precision = "fp16" if cuda else "fp32"
        self._dtype = torch.float16 if cuda else torch.float32
        try:
            model = network.model.fuse(verbose=False).eval().requires_grad_(False)
            self._model = model.to(self._device, self._dtype, memory_format=torch.channels_last)
        except RuntimeError as error:
            raise DetectorError(f"the network cannot be put there: {error}") from error
        if cuda:
            # Boxes are worked out in the head, in pixels up to 640, where fp16 has steps of half a
            # pixel: small boxes would be off. So the head alone stays in fp32.
            head = self._model.model[-1].float()
            head.register_forward_pre_hook(_to_float)

    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        return self._buffers.take((count, *shape, 3), np.uint8)

    def stage(self, canvas: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Nothing: bytes are the smallest thing to move to the device, where they become numbers."""
        return canvas

    @torch.inference_mode()
    def run(self, staged: NDArray[np.uint8]) -> NDArray[np.float32]:
        try:
            pixels = torch.from_numpy(staged).to(self._device).permute(0, 3, 1, 2).flip(1)
            pixels = pixels.to(self._dtype, memory_format=torch.channels_last).div_(255)
            output = self._model(pixels)
            output = output[0] if isinstance(output, list | tuple) else output
            found: NDArray[np.float32] = output.float().cpu().numpy()
        except RuntimeError as error:
            raise DetectorError(f"the network failed on an input of {staged.shape}: {error}") from error
        self._buffers.give(staged)
        return found


def _to_float(_head: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    maps, *rest = inputs
    return ([one.float() for one in maps], *rest)
