"""What a process that decodes what strangers send may not do. All of it costs nothing."""

import contextlib
import ctypes
import resource
import signal
import sys
from pathlib import Path

# Decoding 8K takes about half of it, with sixteen pictures that others lean on. Shared memory comes on top.
MEMORY_LIMIT_BYTES = 1 << 30

# linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
# Where memory runs out the kernel takes this process, not the one that holds all the others (-1000…1000).
_OOM_SCORE = "500"


def confine() -> None:
    """Give up what a decoder does not need, for good. Called once, before anything is opened."""
    # They are for the parent, which ends its children in its own way; a service manager tells everybody.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)  # a dump would hold pictures and the password
    _limit(resource.RLIMIT_DATA, MEMORY_LIMIT_BYTES)
    _limit(resource.RLIMIT_FSIZE, 0)  # it writes no files
    _limit(resource.RLIMIT_NOFILE, 64)
    if sys.platform == "linux":
        kernel = ctypes.CDLL(None, use_errno=True)
        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        # A second belt: it dies with the thread that started it, which lasts (starting.py).
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        with contextlib.suppress(OSError):  # some containers forbid it
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, "ascii")


def _limit(what: int, most: int) -> None:
    """Lower a limit; where one is lower already it stays."""
    _, hard = resource.getrlimit(what)
    least = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (least, least))
