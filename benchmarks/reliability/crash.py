"""A decoder that crashes in native code: in a process of its own, and in a thread among others."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.processes import children, connected_to
from benchmarks.reliability.crashing import CRASH, NAMES

WAITS_S = 30.0  # for the small program to start, to crash and to end


def kill_decoder(url: str) -> None:
    """SIGKILL to the process in which the camera at this address is decoded: no code of it runs any more.

    No other camera may be reached through the address's port. RuntimeError where there is no such process.
    """
    port = urlsplit(url).port
    assert port is not None
    for pid in children(os.getpid()):
        if connected_to(pid, port):
            os.kill(pid, signal.SIGKILL)
            return
    raise RuntimeError(f"no process of ours is connected to port {port}: there is no decoder to kill")


@dataclass(frozen=True, slots=True)
class InThreads:
    """What a crash in one camera's thread left of a program."""

    cameras: int  # that pictures came of before
    left: int  # that there are afterwards
    ended_by: str  # the signal; empty: it did not end
    ended_s: float  # from the crash on


def crash_in_thread() -> InThreads:
    """Let one of two cameras of a program crash. RuntimeError where it does not come that far."""
    command = [sys.executable, "-m", "benchmarks.reliability.crashing", str(WAITS_S)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        before: set[str] = set()
        try:
            for line in map(str.strip, process.stdout):
                if line == CRASH:
                    break
                before.add(line)
            crashed_s = time.monotonic()
            after = set(process.stdout)  # to its end
            process.wait()
            ended_s = time.monotonic() - crashed_s
        finally:
            process.kill()
    if before != set(NAMES):
        raise RuntimeError("the program with two cameras in threads did not show both")
    ended_by = signal.Signals(-process.returncode).name if process.returncode < 0 else ""
    return InThreads(len(before), 0 if ended_by else len(after), ended_by, ended_s)
