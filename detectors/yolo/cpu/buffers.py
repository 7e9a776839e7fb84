"""Memory that is used again: the page faults of a fresh array cost more than filling it."""

import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Buffers:
    """A few blocks of memory, handed out as arrays of any shape. Thread-safe.

    An array belongs to whoever took it until it is given back; one that never is costs nothing but
    a new block. So any number of batches can be under way at once.
    """

    def __init__(self, keep: int = 4) -> None:
        self._keep = keep
        self._free: list[NDArray[np.uint8]] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array with arbitrary content."""
        count = int(np.prod(shape)) * np.dtype(dtype).itemsize
        with self._lock:
            fits = [i for i, block in enumerate(self._free) if block.size >= count]
            block = self._free.pop(min(fits, key=lambda i: self._free[i].size)) if fits else None
        if block is None:
            block = np.empty(count, np.uint8)
        return block[:count].view(dtype).reshape(shape)

    def give(self, array: NDArray[Any]) -> None:
        """Give back what `take` returned; it must not be used any more. The largest blocks are kept."""
        block = array.base
        assert isinstance(block, np.ndarray)
        with self._lock:
            self._free.append(block)
            self._free.sort(key=lambda one: one.size, reverse=True)
            del self._free[self._keep :]
