"""How many cores this process may use."""

import math
import os
from pathlib import Path


def physical_cores() -> int:
    """How many cores this process may use; two threads of one core count as one.

    Sibling threads share a core's arithmetic units, so that a second one only gets in the way. A
    container may have a share of the cores' time only: more threads than that are stopped by turns.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cores = set()
    for number in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        cores.add(siblings.read_text("ascii") if siblings.exists() else str(number))
    return max(int(min(len(cores), _quota())), 1)


def _quota() -> float:
    """How many cores' time the control group has (Linux, cgroup v2: `cpu.max`); inf: all of it."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return math.inf if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
