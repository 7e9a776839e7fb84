"""Memory that lost connections leave behind, given back to the system now and then.

The C library keeps what is freed in arenas, for the threads that use them next. Each connection brings a
thread and a decoder, so after some hundred of them free pages lie scattered over all arenas, and a process
holds twice what it needs. Only glibc needs telling.
"""

import ctypes
import threading
from collections.abc import Callable

# It takes a few ms, and threads that want memory meanwhile wait: seldom enough to be nothing.
EVERY_NS = 10_000_000_000

_lock = threading.Lock()
_trimmed_ns: int | None = None


def trim(now_ns: int) -> bool:
    """Give free pages back, unless that was done within ten seconds (monotonic ns). True where it was done.

    Thread-safe.
    """
    global _trimmed_ns  # noqa: PLW0603 - there is one heap, and so one time
    if _malloc_trim is None:
        return False
    with _lock:
        if _trimmed_ns is not None and 0 <= now_ns - _trimmed_ns < EVERY_NS:
            return False
        _trimmed_ns = now_ns
    _malloc_trim(0)  # without the interpreter's lock
    return True


def _found() -> Callable[[int], object] | None:
    try:
        function = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = [ctypes.c_size_t], ctypes.c_int
    found: Callable[[int], object] = function
    return found


_malloc_trim = _found()
