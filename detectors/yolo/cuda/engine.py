"""Torch on a CUDA device: uploads, network and reading of consecutive batches overlap.

What runs where:

- `stage`, in the preparing thread, starts the upload on one stream and queues the program on another,
  which waits for that upload on the device. It returns at once. So the upload of batch k+1 runs beside
  the network of batch k, and the device begins with k+1 the moment k is done, whatever Python does.
- `wait` and `boxes`, in the device's thread, wait for one event, which is all the waiting there is: then
  a few kilobytes for each picture lie in pinned memory.

Programs are recorded in `start`, before anybody stages, and later, under the lock, in `stage`.
The same code runs with device "cpu", without streams and graphs: so tests hold it to `decode`.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from detectors.yolo.cuda.programs import Programs
from detectors.yolo.cuda.reading import DeviceReading, found_in
from detectors.yolo.cuda.slots import Slot, Slots, slot_of
from detectors.yolo.postprocess import Boxes, Layout, Reading
from detectors.yolo.torch_network import TorchNetwork
from streamer.errors import DetectorError


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A batch that the device has been given."""

    slot: Slot
    shape: tuple[int, ...]  # (B, height, width, 3)
    pixels: torch.Tensor | None = None  # on the device
    found: torch.Tensor | None = None  # here, once the device is done; None before `start`
    error: RuntimeError | None = None  # why it could not be given


class CudaEngine:
    """A detection network out of .pt weights: fp16 with an fp32 head."""

    labels: Sequence[str] | None
    shape: tuple[int, int] | None = None  # any, in multiples of stride

    def __init__(self, path: Path, device: str) -> None:
        self._network = TorchNetwork(path, device)
        self.labels, self.stride = self._network.labels, self._network.stride
        self.precision = self._network.precision
        self._device = self._network.device
        self._copying = _stream(self._device)
        self._computing = _stream(self._device)
        self._slots = Slots(self._device, self._copying)
        self._reading: Reading | None = None
        self._programs: Programs | None = None
        self._lock = threading.Lock()  # one stream: what is queued on it, is queued by one thread at a time
        if self._device.type == "cuda":
            # The weights were copied on the default stream, for which ours do not wait.
            torch.cuda.synchronize(self._device)

    @torch.inference_mode()
    def probe(self, shape: tuple[int, int]) -> tuple[int, ...]:
        canvas = self.canvas(1, shape)
        canvas[...] = 0
        staged = self.stage(canvas)
        self.wait(staged)
        output = self._raw(staged, slice(None))
        self._slots.give(staged.slot)
        return output.shape

    @torch.inference_mode()
    def start(self, reading: Reading, shapes: Sequence[tuple[int, int]]) -> None:
        on_device = None
        if reading.kind is Layout.CLASSIC:
            on_device = DeviceReading(reading.conf, reading.wanted, self._device)
        programs = Programs(self._network, on_device, self._computing)
        with self._lock, self._on(self._computing):
            for shape in shapes:
                programs.prepare(shape)
            self._reading, self._programs = reading, programs

    @torch.inference_mode()
    def canvas(self, count: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        size = (count, *shape, 3)
        return self._slots.take(int(np.prod(size))).canvas(size)

    @torch.inference_mode()
    def stage(self, canvas: NDArray[np.uint8]) -> Staged:
        slot, shape = slot_of(canvas), canvas.shape
        try:
            with self._lock:
                return self._queue(slot, shape)
        except RuntimeError as error:  # it is the device's failure, not the pictures': `boxes` tells
            return Staged(slot, shape, error=error)

    def _queue(self, slot: Slot, shape: tuple[int, ...]) -> Staged:
        with self._on(self._copying):
            pixels = slot.upload(shape)
            if slot.uploaded is not None:
                slot.uploaded.record()
        with self._on(self._computing):
            if slot.uploaded is not None and self._computing is not None:
                self._computing.wait_event(slot.uploaded)
            found = None
            if self._programs is not None:
                found = slot.download(self._programs.run(pixels))
            if slot.done is not None:
                slot.done.record()
        return Staged(slot, shape, pixels, found)

    def wait(self, staged: Staged) -> None:
        with _failing(staged):
            if staged.slot.done is not None:
                staged.slot.done.synchronize()

    @torch.inference_mode()
    def boxes(self, staged: Staged) -> Sequence[Boxes]:
        reading = self._reading
        assert reading is not None
        assert staged.found is not None
        found = staged.found.numpy()
        if reading.kind is Layout.END_TO_END:
            boxes = list(reading.boxes(found))
        else:
            boxes = [self._read(row, staged, index, reading) for index, row in enumerate(found)]
        self._slots.give(staged.slot)
        return boxes

    def _read(self, row: NDArray[np.float32], staged: Staged, index: int, reading: Reading) -> Boxes:
        boxes = found_in(row)
        if boxes is None:
            (boxes,) = reading.boxes(self._raw(staged, slice(index, index + 1)))
        return boxes

    def _raw(self, staged: Staged, part: slice) -> NDArray[np.float32]:
        """The network's output for some pictures of a batch that still lies on the device."""
        assert staged.pixels is not None
        with _failing(staged), self._lock, self._on(self._computing):
            output: NDArray[np.float32] = self._network(staged.pixels[part]).cpu().numpy()
        return output

    def close(self) -> None:
        """Wait for the device to be done with what nobody will ask for, before its memory goes."""
        with self._lock:
            # A device that has failed says so again here: `wait` has told it already.
            with suppress(RuntimeError):
                if self._computing is not None:
                    self._computing.synchronize()
            self._programs = None

    @contextmanager
    def _on(self, stream: torch.cuda.Stream | None) -> Iterator[None]:
        """On that stream, and its device; streams are a thread's own. Nothing where there are none."""
        if stream is None:
            yield
        else:
            with torch.cuda.device(self._device), torch.cuda.stream(stream):
                yield


@contextmanager
def _failing(staged: Staged) -> Iterator[None]:
    """A failure of the device, now or when the batch was staged, as a DetectorError."""
    try:
        if staged.error is not None:
            raise staged.error
        yield
    except RuntimeError as error:
        raise DetectorError(f"the network failed on an input of {staged.shape}: {error}") from error


def _stream(device: torch.device) -> torch.cuda.Stream | None:
    if device.type != "cuda":
        return None
    stream: Any = torch.cuda.Stream  # torch says nothing of its types
    made: torch.cuda.Stream = stream(device)
    return made
