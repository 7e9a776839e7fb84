"""A network on torch's device: pixels in, the network's raw output. Imports no torchvision."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from detectors.yolo.network import load
from streamer.errors import DetectorError


class TorchNetwork:
    """A detection network out of .pt weights: fp32 on the CPU, fp16 on CUDA.

    Raises DetectorError when it is made and cannot be.
    """

    labels: Sequence[str]

    def __init__(self, path: Path, device: str) -> None:
        network = load(path)
        self.labels, self.stride = network.labels, network.stride
        self.device = torch.device(device)
        cuda = self.device.type == "cuda"
        self.precision = "fp16" if cuda else "fp32"
        self._dtype = torch.float16 if cuda else torch.float32
        try:
            model = network.model.fuse(verbose=False).eval().requires_grad_(False)
            self._model = model.to(self.device, self._dtype, memory_format=torch.channels_last)
        except RuntimeError as error:
            raise DetectorError(f"the network cannot be put there: {error}") from error
        if cuda:
            decode_in_fp32(self._model.model[-1])

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, height, width, 3) uint8 BGR on the device → the raw output, float32. Raises RuntimeError."""
        planes = pixels.permute(0, 3, 1, 2).flip(1)
        output = self._model(planes.to(self._dtype, memory_format=torch.channels_last).div_(255))
        first: torch.Tensor = output[0] if isinstance(output, list | tuple) else output
        return first.float()

    def remembered(self) -> list[torch.Tensor]:
        """What its modules keep from call to call besides weights: the head's anchors for the last shape.

        The next shape replaces them; whoever recorded addresses (a CUDA graph) has to hold them.
        """
        return [
            value
            for module in self._model.modules()
            for value in vars(module).values()
            if isinstance(value, torch.Tensor)
        ]


def decode_in_fp32(head: Any) -> None:
    """Have an fp16 network's Detect head work boxes and scores out in fp32, from convolutions in fp16.

    Boxes are in pixels up to 640, where fp16 has steps of half a pixel: of yolo26n's boxes 92 % would be
    equal to those in fp32, this way 99 % are, as with the whole head in fp32, which moves twice the bytes.
    """
    head.dfl.float()
    # The head makes its output there out of its convolutions' results (ultralytics 8.4, nn/modules/head.py).
    head._inference = partial(_on_floats, head._inference)


def _on_floats(inference: Callable[[Any], torch.Tensor], results: Any) -> torch.Tensor:
    if isinstance(results, dict):  # feature maps are in it as a list: of those only the shapes count
        return inference({name: _float(value) for name, value in results.items()})
    return inference([_float(value) for value in results])


def _float(value: Any) -> Any:
    return value.float() if isinstance(value, torch.Tensor) else value
