"""Processor, memory, open files and the clock."""

import ctypes
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from streamer.cores import physical_cores
from streamer.doctor.finding import Finding, Section, fact, good, warning
from streamer.doctor.wording import amount, size_of

FEW_BYTES = 2e9  # torch and one network take more than half of it
FEW_FILES = 1024
# linux/timex.h
_TIME_ERROR, _TIMEX_BYTES = 5, 256


def section() -> Section:
    return Section(
        "Machine", tuple(one for one in (_cores(), _memory(), _files(), *_clock()) if one is not None)
    )


def _cores() -> Finding:
    cores, all_ = physical_cores(), os.cpu_count() or 1
    text = amount(cores, "core")
    if cores < all_:
        text += (
            f" for this process, of {all_} processors: two of them may be one core, a container has a share"
        )
    name = _model()
    return good("processor", f"{text}{f', {name}' if name else ''}")


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _memory() -> Finding | None:
    allowed = _allowed_bytes()
    if allowed is None:
        return None
    text = size_of(allowed)
    if allowed < FEW_BYTES:
        return warning("memory", text, "engine onnx and few cameras; torch and `models quantize` want more")
    return good("memory", text)


def _allowed_bytes() -> float | None:
    """The machine's memory, or what the control group may have of it (cgroup v2: `memory.max`)."""
    try:
        have = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return None
    try:
        return min(have, float(Path("/sys/fs/cgroup/memory.max").read_text("ascii")))
    except (OSError, ValueError):  # there is none, or it says "max"
        return have


def _files() -> Finding | None:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return good("open files", "no limit")
    if soft < FEW_FILES:
        text = f"{soft} at most: about ten for each camera and as many for each subscriber"
        return warning("open files", text, f"ulimit -n {hard if 0 < hard < 65_536 else 65_536}")
    return good("open files", f"{soft} at most")


def _clock() -> list[Finding]:
    now = datetime.now(UTC)
    text = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    # Our own files cannot be younger than now.
    if time.time() < Path(__file__).stat().st_mtime - 86_400:
        return [warning("clock", f"{text}, before Freshframe was installed", "set the clock, best by NTP")]
    if sys.platform == "linux" and _synchronised() is False:
        advice = "where no host does: `timedatectl set-ntp true`"
        return [fact("clock", f"{text}; whether anything keeps it right is not known", advice)]
    return [good("clock", text)]


def _synchronised() -> bool | None:
    """What adjtimex(2) says; None where it cannot be asked."""
    try:
        ask = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    state = int(ask(ctypes.create_string_buffer(_TIMEX_BYTES)))  # zeroed: nothing is set
    return None if state < 0 else state != _TIME_ERROR
