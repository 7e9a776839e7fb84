"""One program for each input shape and batch size: network and reading, as a CUDA graph where that pays.

A replayed graph costs the CPU one call instead of some three hundred kernel launches, which are
what bounds small networks and small batches. A graph has fixed sizes and fixed addresses, hence the
sizes that batches are padded up to, and inputs of its own that pixels are copied into.
"""

import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from detectors.yolo.torch_network import TorchNetwork

_log = logging.getLogger("freshframe")

SIZES = (1, 2, 4, 8, 16, 24, 32)
# Kept at most: every size of nine shapes. A graph holds its kernels' arguments and its input.
KEPT = 63
# Recording takes some tenths of a second. A folder of pictures has many shapes, each of which comes
# once or twice; a camera's comes again.
SIGHTINGS = 3
WARM_UPS = 3  # libraries choose their algorithms and get their memory, which must not be recorded

_RECORDING = threading.Lock()  # torch records one graph at a time in a process

Work = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A recorded graph and the addresses that it knows."""

    graph: torch.cuda.CUDAGraph
    pixels: torch.Tensor  # (size, height, width, 3) uint8
    found: torch.Tensor
    held: Sequence[torch.Tensor]  # what it reads besides weights


class Programs:
    """Runs batches on one device, on the stream that is current: always the same one, one call at a time."""

    def __init__(
        self, network: TorchNetwork, reading: Work | None, stream: torch.cuda.Stream | None = None
    ) -> None:
        self._network, self._reading, self._stream = network, reading, stream
        self._programs: OrderedDict[tuple[int, ...], Program] = OrderedDict()
        self._sightings: Counter[tuple[int, ...]] = Counter()
        self._recording = stream is not None  # graphs are CUDA's; elsewhere everything runs as it is
        self._too_large: set[tuple[int, ...]] = set()  # what there was no memory for
        # Torch's allocator may go on asking a recording that failed whose memory is whose.
        self._failed: list[torch.cuda.CUDAGraph] = []
        # Graphs that never run at the same time may share their scratch memory.
        self._pool = torch.cuda.graph_pool_handle() if stream is not None else None

    def prepare(self, shape: tuple[int, int]) -> None:
        """Record every size of a shape, the largest first: the others then fit into its memory."""
        for size in reversed(SIZES):
            if self._recording:
                self.record((size, *shape))

    def run(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, height, width, 3) uint8 on the device → what was found, (B, …); good until the next run."""
        count = len(pixels)
        key = (padded(count), *pixels.shape[1:3])
        program = self._programs.get(key)
        if program is None and self._recording and key not in self._too_large:
            self._sightings[key] += 1
            if self._sightings[key] >= SIGHTINGS:
                program = self.record(key)
        if program is None:
            return self._work(pixels)
        self._programs.move_to_end(key)
        # Places beyond count keep an earlier batch's pixels; nobody looks at what is found there.
        program.pixels[:count].copy_(pixels)
        program.graph.replay()
        return program.found[:count]

    def _work(self, pixels: torch.Tensor) -> torch.Tensor:
        output = self._network(pixels)
        return output if self._reading is None else self._reading(output)

    def record(self, key: tuple[int, ...]) -> Program | None:
        """A program for (size, height, width); None where it cannot be recorded.

        Where there is no memory for it, it is not tried again; after any other failure, nothing is.
        """
        with _RECORDING:
            program = self._recorded(key)
        if program is not None:
            self._programs[key] = program
        while len(self._programs) > KEPT:
            assert self._stream is not None
            # The one dropped may still be running, and its memory with it.
            self._stream.synchronize()
            self._programs.popitem(last=False)
        return program

    def _recorded(self, key: tuple[int, ...]) -> Program | None:
        assert self._stream is not None
        graph = None
        try:
            pixels = torch.zeros((*key, 3), dtype=torch.uint8, device=self._network.device)
            for _ in range(WARM_UPS):
                self._work(pixels)
            self._stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            # thread_local: other threads may allocate and copy meanwhile (uploads, other detectors).
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                found = self._work(pixels)
        except RuntimeError as error:
            if graph is not None:
                self._failed.append(graph)
            if _out_of_memory(error):
                self._too_large.add(key)
                count, height, width = key
                _log.warning(
                    "no memory for a CUDA graph of %d × %d×%d: it runs without", count, width, height
                )
            else:
                self._recording = False
                _log.warning("CUDA graphs cannot be used here, so small batches are slower: %s", error)
            return None
        return Program(graph, pixels, found, self._network.remembered())


def _out_of_memory(error: RuntimeError) -> bool:
    """Ending a recording that ran out of memory may fail in its turn, and hide why."""
    full = torch.cuda.OutOfMemoryError
    return isinstance(error, full) or isinstance(error.__context__, full)


def padded(count: int) -> int:
    """The next size that a program has; beyond the largest, the count itself."""
    return next((size for size in SIZES if size >= count), count)
