"""Limits: the bare network on ready-made tensors, and the device's matrix peak."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from detectors.yolo.cuda.programs import Programs
from detectors.yolo.torch_network import TorchNetwork

Step = Callable[[], object]


class Bare:
    """One network; ways to run it on pixels that lie on the device, without reading its output."""

    def __init__(self, weights: Path, device: str) -> None:
        self.network = TorchNetwork(weights, device)
        self.device = self.network.device

    def pixels(self, batch: int, shape: tuple[int, int]) -> torch.Tensor:
        """Ready-made input."""
        return torch.randint(0, 256, (batch, *shape, 3), dtype=torch.uint8, device=self.device)

    def eager(self, batch: int, shape: tuple[int, int]) -> Step:
        """As torch runs it."""
        pixels = self.pixels(batch, shape)
        return lambda: self.network(pixels)

    def replayed(self, batch: int, shape: tuple[int, int]) -> Step:
        """As a CUDA graph; on a CPU as torch runs it."""
        if self.device.type != "cuda":
            return self.eager(batch, shape)
        make: Any = torch.cuda.Stream  # torch says nothing of its types
        stream = make(self.device)
        with torch.inference_mode(), torch.cuda.stream(stream):
            programs = Programs(self.network, None, stream)
            recorded = programs.record((batch, *shape))
        if recorded is None:
            raise RuntimeError("the network could not be recorded as a CUDA graph")

        def step() -> None:
            with torch.cuda.stream(stream):
                recorded.graph.replay()

        return step

    def compiled(self, batch: int, shape: tuple[int, int]) -> Step:
        """As torch.compile makes it, with graphs of its own."""
        pixels = self.pixels(batch, shape)
        step = torch.compile(self.network.__call__, mode="reduce-overhead", dynamic=False)
        return lambda: step(pixels)

    def half(self, batch: int, shape: tuple[int, int]) -> Step:
        """Eager on numbers that are ready in the network's precision, as people write it by hand."""
        model: Any = self.network._model
        pixels = self.pixels(batch, shape).permute(0, 3, 1, 2)
        ready = pixels.to(next(model.parameters()).dtype, memory_format=torch.channels_last).div(255)
        return lambda: model(ready)

    def flops(self, shape: tuple[int, int]) -> float:
        """Floating point operations for one picture; a multiplication and an addition are two."""
        counter: Any = FlopCounterMode(display=False)
        with torch.inference_mode(), counter:
            self.network(self.pixels(1, shape))
        return float(counter.get_total_flops())


def pictures_per_s(step: Step, batch: int, seconds: float, device: torch.device) -> float:
    """How many pictures a second, steps queued one after the other and waited for at the end."""
    with torch.inference_mode():
        for _ in range(3):
            step()
        _wait(device)
        started = time.perf_counter()
        step()
        _wait(device)
        count = max(2, int(seconds / max(time.perf_counter() - started, 1e-6)))
        started = time.perf_counter()
        for _ in range(count):
            step()
        _wait(device)
        return count * batch / (time.perf_counter() - started)


def matrix_peak(device: torch.device, side: int, seconds: float) -> float:
    """What a large matrix product reaches, operations a second (fp16 on CUDA, else fp32)."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return pictures_per_s(lambda: a @ b, 1, seconds, device) * 2 * side**3


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
