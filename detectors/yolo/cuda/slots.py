"""Memory that one batch needs on its way to the device and back; used again.

On CUDA its host side is pinned, so that copies run beside everything else. Allocating pinned memory
takes milliseconds and may wait for the device: hence a pool.
"""

import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray


class Slot:
    """One batch's memory: pixels here and on the device, the result here, and the moments between.

    It belongs to whoever took it. It is given back only after the device is done with its batch; one
    that is dropped instead is freed by torch, which waits for copies under way.
    """

    def __init__(self, size: int, device: torch.device, copying: torch.cuda.Stream | None) -> None:
        self.size = size
        cuda = device.type == "cuda"
        self._pinned = cuda
        self._pixels = torch.empty(size, dtype=torch.uint8, pin_memory=cuda)
        self._on_device = self._pixels
        self._result = torch.empty(0, pin_memory=cuda)
        self.uploaded: torch.cuda.Event | None = None
        self.done: torch.cuda.Event | None = None
        if cuda:
            # Allocated for the stream that fills it, for torch reuses memory in that stream's order.
            with torch.cuda.stream(copying):
                self._on_device = torch.empty(size, dtype=torch.uint8, device=device)
            event: Any = torch.cuda.Event  # torch says nothing of its types
            self.uploaded = event()
            # Blocking: a thread that spins takes a core that decoders need.
            self.done = event(blocking=True)

    def canvas(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The pixels to draw into; `slot_of` finds the way back."""
        return np.asarray(_Shown(self, self._pixels.data_ptr(), shape))

    def upload(self, shape: tuple[int, ...]) -> torch.Tensor:
        """Start moving the drawn pixels; returns where they will be on the device."""
        count = int(np.prod(shape))
        return self._on_device[:count].copy_(self._pixels[:count], non_blocking=True).view(shape)

    def download(self, found: torch.Tensor) -> torch.Tensor:
        """Start moving a float32 result; returns where it will be here."""
        if self._result.numel() < found.numel():
            self._result = torch.empty(found.numel(), pin_memory=self._pinned)
        here = self._result[: found.numel()].view(found.shape)
        return here.copy_(found, non_blocking=True)


class _Shown:
    """What numpy makes a canvas of, and keeps as long as there is one: so no list of canvases is needed."""

    def __init__(self, slot: Slot, address: int, shape: tuple[int, ...]) -> None:
        self.slot, self.shape = slot, shape
        self.__array_interface__ = {
            "data": (address, False),
            "shape": shape,
            "typestr": "|u1",
            "version": 3,
        }


def slot_of(canvas: NDArray[np.uint8]) -> Slot:
    """The slot whose pixels a canvas shows."""
    shown = canvas.base
    if not isinstance(shown, _Shown) or shown.shape != canvas.shape:
        raise TypeError("a canvas must be staged as it came, not a part or a copy of it")
    return shown.slot


class Slots:
    """A few slots that are used again. Thread-safe."""

    def __init__(self, device: torch.device, copying: torch.cuda.Stream | None, keep: int = 4) -> None:
        self._device, self._copying, self._keep = device, copying, keep
        self._free: list[Slot] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> Slot:
        """A slot for at least `size` bytes of pixels, the smallest that fits."""
        with self._lock:
            fits = [slot for slot in self._free if slot.size >= size]
            if fits:
                slot = min(fits, key=lambda one: one.size)
                self._free.remove(slot)
                return slot
        return Slot(size, self._device, self._copying)

    def give(self, slot: Slot) -> None:
        """Give back a slot whose batch is done. The largest are kept."""
        with self._lock:
            self._free.append(slot)
            self._free.sort(key=lambda one: one.size, reverse=True)
            del self._free[self._keep :]
