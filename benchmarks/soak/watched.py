"""What a process holds, seen from outside: it does not measure itself."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import PROC, children

SHARED = Path("/dev/shm")
KIB = 1024


class GoneError(Exception):
    """The process has ended."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Of a process, and of its children, which come and go (proc(5))."""

    anonymous_bytes: int  # heaps and stacks, swapped out or not: what a leak would be in
    resident_bytes: int
    children_bytes: int  # anonymous and shared memory of its children, shared parts counted once
    descriptors: int
    threads: int
    children: int
    shared_segments: int  # files in /dev/shm, of whomever
    shared_bytes: int


def holding(pid: int) -> Holding:
    """Raises GoneError."""
    pids = [pid, *_below(pid)]
    maps = [_rollup(each) for each in pids]
    if not maps[0]:
        raise GoneError(f"process {pid} has ended")
    segments = [path.stat().st_size for path in _files(SHARED)]
    return Holding(
        anonymous_bytes=maps[0].get("Anonymous", 0) + maps[0].get("Swap", 0),
        resident_bytes=maps[0].get("Rss", 0),
        children_bytes=sum(one.get("Anonymous", 0) + one.get("Pss_Shmem", 0) for one in maps[1:]),
        descriptors=_entries(PROC / str(pid) / "fd"),
        threads=_entries(PROC / str(pid) / "task"),
        children=len(pids) - 1,
        shared_segments=len(segments),
        shared_bytes=sum(segments),
    )


def _below(pid: int) -> Iterator[int]:
    """Its children, and theirs, zombies included."""
    for child in children(pid):
        yield child
        yield from _below(child)


def _rollup(pid: int) -> dict[str, int]:
    """The sums of its memory maps in bytes; empty for one that has ended."""
    found = {}
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]:
            name, value, *_ = line.replace(":", " ").split()
            found[name] = int(value) * KIB
    return found


def _entries(folder: Path) -> int:
    with suppress(OSError):
        return len(os.listdir(folder))  # noqa: PTH208 - only how many
    return 0


def _files(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if path.is_file()]
    return []
