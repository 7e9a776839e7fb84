"""How a network runs best on this machine: measured once, then kept in the cache.

What is best cannot be known beforehand: it hangs on the processor, the network, its size and the
library. So candidates run in turn, beside a thread that does what cameras do, and the fastest is
kept; of those that are as fast within the noise, the one that takes the least of the machine.
"""

import hashlib
import logging
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

import filelock
import msgspec
import numpy as np

from detectors.yolo.engine import Engine
from streamer import assets
from streamer.cores import physical_cores
from streamer.opencv import cv2

_log = logging.getLogger("freshframe")

# Waiting threads that look for work for so long before they sleep: the gaps between two layers are
# shorter, those between two frames longer, and the core is free for a decoder soon enough. Two cores,
# beside four cameras' decoding: 90 fps; looking for 50 µs 63, never 77, by the library's default
# 88 when nothing else runs and 24 when the cores are full.
SPIN_US = 10
NOISE = 0.05  # what is faster by less is not faster
BATCH_GAIN = 0.2  # a frame that waits for others grows older: that has to be worth it
BATCHES = (2, 4)

BUDGET_S = 4.0
ROUNDS = 12
RUNS = 4  # in a row, of which the mean counts
CAMERAS_FPS = 120  # what the competitor does: four cameras at 30 fps …
CAMERAS_WORK_S = 0.001  # … 720p, decoded and prepared
LOCK_TIMEOUT_S = 30
LARGEST_NOTE = 65_536  # bytes; ours are 500


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a network is run."""

    threads: int  # that share the work of one layer
    spin_us: int = 0  # how long a thread without work looks for some before it sleeps
    batch: int = 1  # pictures at once


class _Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What lies in the cache."""

    machine: dict[str, str | int]
    plan: Plan


class TunedEngine(Engine, Protocol):
    """An engine that found out how it runs best."""

    max_batch: int  # pictures that are worth waiting for


Machine = Mapping[str, str | int]
Run = Callable[[int], object]  # looks at so many pictures, once
K = TypeVar("K")


def machine(network: str, imgsz: int, library: str) -> Machine:
    """What a plan is good for: this network (its hash), size, library with version, processor and cores."""
    return {
        "network": network,
        "imgsz": imgsz,
        "library": library,
        "processor": _processor(),
        "cores": physical_cores(),
    }


def candidates(cores: int, spins: Sequence[int] = (0, SPIN_US)) -> list[Plan]:
    """What is worth measuring for so many cores; the first is the one to take unmeasured."""
    counts = sorted({max(cores >> halved, 1) for halved in range(4)}, reverse=True)
    return [Plan(count, spin) for count in counts for spin in spins if count > 1 or spin == spins[0]]


def recall(here: Machine, allowed: Sequence[Plan]) -> Plan | None:
    """The plan that was measured for this earlier; None where there is none that can be used."""
    try:
        with _place(here).open("rb") as file:
            note = msgspec.json.decode(file.read(LARGEST_NOTE), type=_Note)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):  # msgspec raises the last one as it is
        return None
    known = Plan(note.plan.threads, note.plan.spin_us) in allowed and note.plan.batch in (1, *BATCHES)
    return note.plan if note.machine == here and known else None


def measured(here: Machine, allowed: Sequence[Plan], start: Callable[[Plan], Run], *, batches: bool) -> Plan:
    """The best plan, measured now, up to about five seconds, and kept; or what somebody else kept meanwhile.

    `start` loads the network as a plan says. `batches`: it can take several pictures at once.
    """
    if len(allowed) < 2:
        return allowed[0]
    with _alone():
        plan = recall(here, allowed)
        if plan is None:
            _log.info("measuring how the network runs best on this machine, once; a few seconds")
            plan = measure(allowed, start, BATCHES if batches else ())
            if not _keep(here, plan):
                _log.warning("what was measured cannot be kept in %s; it will be at each start", _folder())
    return plan


def measure(allowed: Sequence[Plan], start: Callable[[Plan], Run], batches: Sequence[int] = ()) -> Plan:
    """The best of the plans, then the best batch with it, beside what cameras do."""
    deadline = time.perf_counter() + BUDGET_S
    with _cameras():
        runs: dict[Plan, Run] = {}
        for plan in allowed:
            if runs and time.perf_counter() > deadline - BUDGET_S / 2:
                break  # a network that takes long to load
            runs[plan] = start(plan)
        until = deadline - BUDGET_S / 4 if batches else deadline
        took_s = _interleaved({plan: (run, 1) for plan, run in runs.items()}, until)
        best = cheapest(took_s)
        if not batches:
            return best
        counts = (1, *batches)
        per_frame_s = _interleaved({count: (runs[best], count) for count in counts}, deadline)
    worth = [n for n in per_frame_s if per_frame_s[n] < (1 - BATCH_GAIN) * per_frame_s[1]]
    return Plan(best.threads, best.spin_us, min(worth, key=per_frame_s.__getitem__, default=1))


def cheapest(took_s: Mapping[Plan, float]) -> Plan:
    """Of the plans that are as fast as the fastest within the noise, the one that takes the least."""
    limit = min(took_s.values()) * (1 + NOISE)
    return min(
        (plan for plan in took_s if took_s[plan] <= limit), key=lambda plan: (plan.threads, plan.spin_us)
    )


def _interleaved(contenders: Mapping[K, tuple[Run, int]], deadline: float) -> dict[K, float]:
    """Seconds a picture takes each contender: the median over rounds, every other one backwards."""
    found: dict[K, list[float]] = {}
    for number in range(ROUNDS):
        for key in list(contenders) if number % 2 == 0 else list(contenders)[::-1]:
            if found and time.perf_counter() > deadline:
                break
            run, count = contenders[key]
            run(count)  # its caches are warm again, and its memory is there
            started = time.perf_counter()
            runs = 0
            while runs == 0 or (runs < RUNS and time.perf_counter() < deadline):
                run(count)
                runs += 1
            found.setdefault(key, []).append((time.perf_counter() - started) / runs / count)
    return {key: statistics.median(values) for key, values in found.items()}


@contextmanager
def _cameras() -> Iterator[None]:
    """Beside it runs a thread that takes of a core what four cameras' decoding and preparing takes."""
    ended = threading.Event()
    picture = np.full((720, 1280, 3), 114, np.uint8)
    small = np.empty((360, 640, 3), np.uint8)

    def work() -> None:
        due = time.perf_counter()
        while not ended.wait(max(due - time.perf_counter(), 0)):
            due = max(due, time.perf_counter() - CAMERAS_WORK_S) + 1 / CAMERAS_FPS
            until = time.thread_time() + CAMERAS_WORK_S
            while time.thread_time() < until:
                cv2.resize(picture, (640, 360), dst=small)

    thread = threading.Thread(target=work, name="measuring", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _alone() -> Iterator[None]:
    """Two that measure at once disturb each other, and the second can read what the first found."""
    with ExitStack() as held:
        try:
            _folder().mkdir(parents=True, exist_ok=True)
            held.enter_context(filelock.FileLock(_folder() / ".lock", timeout=LOCK_TIMEOUT_S))
        except (OSError, filelock.Timeout):
            pass  # nowhere to keep it, which is said later; or the other one hangs
        yield


def _keep(here: Machine, plan: Plan) -> bool:
    note = msgspec.json.encode(_Note(dict(here), plan))
    try:
        with tempfile.NamedTemporaryFile(dir=_folder(), prefix=".", delete=False) as file:
            part = Path(file.name)
            file.write(note)
        part.replace(_place(here))
    except OSError:
        return False
    return True


def _folder() -> Path:
    return assets.cache_folder() / "measured"


def _place(here: Machine) -> Path:
    name = hashlib.sha256(msgspec.json.encode(dict(sorted(here.items())))).hexdigest()[:32]
    return _folder() / f"{name}.json"


def _processor() -> str:
    """Its name and what it can: some clouds call all of theirs the same."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return f"{platform.machine()} {platform.processor()}".strip()
    first: dict[str, str] = {}
    for line in text.split("\n\n", 1)[0].splitlines():
        key, _, value = line.partition(":")
        first[key.strip()] = value.strip()
    name = first.get("model name") or first.get("CPU part") or platform.machine()
    known = " ".join(first.get(key, "") for key in ("cpu family", "model", "stepping", "flags", "Features"))
    return f"{name} {hashlib.sha256(known.encode()).hexdigest()[:8]}"
