"""What malloc has handed out in the watched program, seen from inside: a sink that writes it down.

From outside only the pages are seen that malloc holds. Most of what moves there is its own: free memory in
between, that it keeps for later. A leak is in what it has handed out and never got back.
"""

import ctypes
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from streamer import Result

EVERY_S = 1.0


class _Mallinfo2(ctypes.Structure):
    """Bytes, over all arenas (mallinfo(3), glibc 2.33 and later)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


class Inside:
    """Writes the bytes that malloc has handed out to a file, once a second."""

    takes = Result

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._next_s = 0.0
        self._mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None)
        if self._mallinfo2 is not None:
            self._mallinfo2.restype = _Mallinfo2

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def write(self, result: Result) -> None:  # noqa: ARG002 - only when
        now_s = time.monotonic()
        if now_s < self._next_s or self._mallinfo2 is None:
            return
        self._next_s = now_s + EVERY_S
        info = self._mallinfo2()
        new = self._path.with_suffix(".new")
        new.write_text(str(info.uordblks + info.hblkhd), "ascii")
        new.replace(self._path)


def handed_out(path: Path) -> int | None:
    """The bytes that were written there last; None where there is nothing."""
    try:
        return int(path.read_text("ascii"))
    except FileNotFoundError:
        return None
