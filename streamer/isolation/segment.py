"""Slots in shared memory: one process writes pictures round and round, the other reads them, nobody waits.

At the beginning stands a number for each slot: that of the picture that it holds, or 0. A reader looks at it
before and after it has copied. The writer withdraws a slot one picture before it writes there, so that on
processors that reorder memory accesses, too, the withdrawal is seen long before the first new pixel.
"""

import fcntl
import mmap
import os
import tempfile
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamer.errors import Stale

T = TypeVar("T")

# In flight are the newest picture, the batch being prepared and the one being written; the rest is time
# to look: at 30 pictures a second a fifth of a second.
SLOTS = 8
FEWEST_SLOTS = 3
# 8 pictures of 4K are 100 MB; the largest that sources/limits.py lets pass take three slots of 150 MB.
MEMORY_LIMIT_BYTES = 512 << 20

_HEAD_BYTES = mmap.PAGESIZE


def slots_for(picture_bytes: int) -> int:
    """How many pictures of this size have room; 0 where they are too few."""
    slots = min(SLOTS, (MEMORY_LIMIT_BYTES - _HEAD_BYTES) // max(1, _whole_pages(picture_bytes)))
    return slots if slots >= FEWEST_SLOTS else 0


def reserve(picture_bytes: int) -> int:
    """A descriptor of nameless memory for `slots_for` pictures, all of it there. Raises OSError, ValueError.

    It cannot be made smaller: whoever maps it is not killed by what the other side does to it.
    """
    slots = slots_for(picture_bytes)
    if not slots:
        raise ValueError(f"{FEWEST_SLOTS} of them must fit in {MEMORY_LIMIT_BYTES >> 20} MiB")
    size = _HEAD_BYTES + slots * _whole_pages(picture_bytes)
    descriptor = _nameless()
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)  # now or never: later a lack of memory is a bus error
        else:
            os.ftruncate(descriptor, size)
        if hasattr(os, "memfd_create"):
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _nameless() -> int:
    """Gone with the last process that has it, however that ends."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("freshframe", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with tempfile.TemporaryFile() as file:  # it has no name any more when it is handed out
        return os.dup(file.fileno())


def _whole_pages(size: int) -> int:
    return -(-size // mmap.PAGESIZE) * mmap.PAGESIZE


class _Slots:
    """The memory behind a descriptor; it stays mapped as long as somebody refers to this."""

    def __init__(self, descriptor: int, picture_bytes: int, access: int) -> None:
        self.picture_bytes = picture_bytes
        self._count = slots_for(picture_bytes)
        each = _whole_pages(picture_bytes)
        memory = np.frombuffer(
            mmap.mmap(descriptor, _HEAD_BYTES + self._count * each, access=access), np.uint8
        )
        self._numbers = memory[: 8 * self._count].view(np.int64)
        self._pictures = memory[_HEAD_BYTES:].reshape(self._count, each)


class Writing(_Slots):
    """The writer's side, for one thread."""

    def __init__(self, descriptor: int, picture_bytes: int) -> None:
        super().__init__(descriptor, picture_bytes, mmap.ACCESS_WRITE)

    def write(self, number: int, fill: Callable[[NDArray[np.uint8]], None]) -> None:
        """Have `fill` write a picture into the oldest slot. Numbers begin at 1 and go up one by one."""
        slot = number % self._count
        self._numbers[(number + 1) % self._count] = 0
        fill(self._pictures[slot])
        self._numbers[slot] = number


class Reading(_Slots):
    """The reader's side; it cannot write. Thread-safe."""

    def __init__(self, descriptor: int, picture_bytes: int) -> None:
        super().__init__(descriptor, picture_bytes, mmap.ACCESS_READ)

    def holds(self, number: int) -> bool:
        """Whether the picture is still there."""
        return int(self._numbers[number % self._count]) == number

    def read(self, number: int, copy: Callable[[NDArray[np.uint8]], T]) -> T:
        """What `copy` makes of a picture's bytes, all of which it copies. Raises Stale where it is gone."""
        if self.holds(number):
            made = copy(self._pictures[number % self._count])
            if self.holds(number):
                return made
        raise Stale(
            f"picture {number} was overwritten: it was looked at more than {self._count - 2} too late"
        )
