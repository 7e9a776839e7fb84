"""Memory that the sink and the window's process share: for each camera what is newest, and nothing else.

Writing waits for nobody and overwrites what was there; so a window that is slow or stopped shows the newest
when it looks again. In front of each place stands a number that is odd while it is being written: whoever
reads looks at it before and after, and where it has changed nothing was read.
"""

import mmap
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sinks.window.messages import MOST_CAMERAS

T = TypeVar("T")

VIEW = MOST_CAMERAS  # the place of what is true of all cameras
# 300 boxes of as many classes with long names, a long sentence, and the largest region.
RECORD_BYTES = 160 << 10
# A larger window shows a view of this size, enlarged. Pages that are never touched take no memory.
MOST_PIXELS = 3840 * 2160
_HEAD_BYTES = 16 * (MOST_CAMERAS + 1)
_PIXELS_AT = -(-(_HEAD_BYTES + (MOST_CAMERAS + 1) * RECORD_BYTES) // mmap.PAGESIZE) * mmap.PAGESIZE
_SIZE = _PIXELS_AT + 3 * MOST_PIXELS


def reserve() -> int:
    """A descriptor of memory without a name: gone with the last process that has it. Raises OSError."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("freshframe-window", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, _SIZE)
    return descriptor


class Board:
    """One side's look at it. Written by one thread of one process, read by one of another."""

    def __init__(self, descriptor: int) -> None:
        memory = np.frombuffer(mmap.mmap(descriptor, _SIZE), np.uint8)
        head = memory[:_HEAD_BYTES].view(np.int64).reshape(2, MOST_CAMERAS + 1)
        self._numbers, self._lengths = head
        self._records = memory[_HEAD_BYTES : _HEAD_BYTES + (MOST_CAMERAS + 1) * RECORD_BYTES].reshape(
            MOST_CAMERAS + 1, RECORD_BYTES
        )
        self._pixels = memory[_PIXELS_AT:]
        self._ordering = threading.Lock()

    def room(self, rooms: Sequence[tuple[int, int]], camera: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Where a camera's pixels lie in a layout, (H, W, 3). Raises ValueError where they have no room."""
        ends = list(accumulate(width * height for width, height in rooms))
        width, height = size
        start = ends[camera] - rooms[camera][0] * rooms[camera][1]
        if ends[-1] > MOST_PIXELS or width * height > rooms[camera][0] * rooms[camera][1]:
            raise ValueError(f"no room for {width}x{height} pixels of camera {camera}")
        return self._pixels[3 * start : 3 * (start + width * height)].reshape(height, width, 3)

    @contextmanager
    def writing(self, place: int, record: bytes) -> Iterator[None]:
        """Write a place's record; its pixels are written in the block."""
        if len(record) > RECORD_BYTES:
            raise ValueError(f"a record of {len(record)} bytes; allowed: {RECORD_BYTES}")
        self._numbers[place] |= 1  # and so it stays where the block fails: half a picture is none
        self._in_order()
        self._lengths[place] = len(record)
        self._records[place, : len(record)] = np.frombuffer(record, np.uint8)
        yield
        self._in_order()
        self._numbers[place] += 1

    def read(self, place: int, known: int, take: Callable[[bytes], T]) -> tuple[int, T] | None:
        """What `take` makes of a record (it may copy its pixels), and the record's number.

        None where that is the number that is known, or while it is being written: then it is rung again.
        """
        number = int(self._numbers[place])
        if number == known or number % 2:
            return None
        self._in_order()
        length = int(self._lengths[place])
        try:
            taken = take(self._records[place, :length].tobytes())
        except ValueError:  # half of one record and half of another, or else it is a mistake of ours
            if int(self._numbers[place]) == number:
                raise
            return None
        self._in_order()
        return (number, taken) if int(self._numbers[place]) == number else None

    def _in_order(self) -> None:
        """What was written or read before this is so before what comes after it, on any processor."""
        for _ in range(2):
            with self._ordering:
                pass
