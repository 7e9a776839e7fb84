"""R6, R7: what does `isolation: process` cost beside threads, and how does it bear being killed?

    .venv/bin/python -m benchmarks.isolation [--handovers 10000000] [--kills 20] [--seed 1]

A watermarked 720p clip is played in real time, decoded in a thread of this process and in one of its own, in
turn, five times: processor time of all processes for each frame, time from the frame's due time to its
pixels in hand. Then the process of a synthetic camera is killed (SIGKILL) at random instants in a pipeline,
at least five seconds apart (a camera that is lost more often is asked more seldom), and that of RTSP cameras,
with and without busy loops beside. Then a process writes small pictures into slots at full speed while this
one looks at them, newest and older ones: whole and the right one, Stale, or wrong.
"""

import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np

from benchmarks.clips import clip
from benchmarks.progress import tell
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Spread, interleaved, ratio
from streamer import Camera, Detections, Pipeline, Result, Stale, View
from streamer.camera.backoff import STEADY_NS
from streamer.contracts import Source
from streamer.fakecam import FakeCam
from streamer.isolation import Isolated
from streamer.isolation.segment import SLOTS, Reading, reserve
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.watermark import read

FRAMES, WARM = 60, 5
PICTURE_BYTES = 4096
GAP_GOAL_S = 1.0
KEYFRAMES_S = 0.2, 1.0
SETTLED_S = 2.0  # until a spare process is there again
BUSY = 2  # loops beside

WRITER = """
import sys
from streamer.isolation.segment import Writing
writing = Writing(int(sys.argv[1]), int(sys.argv[2]))
print(flush=True)
for number in range(1, 1 << 62):
    writing.write(number, lambda slot: slot.view("int64").fill(number))
"""


def cpu_s(pid: int | None) -> float:
    """Processor time of this process and of a child so far."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ticks = 0
    if pid is not None:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
    return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def own_mib(pid: int) -> float:
    """Memory that a process has for itself alone, MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def watched(make: Callable[[Path], Source], path: Path, look: bool) -> Mapping[str, float]:
    """Cost and age of a clip's frames."""
    ages_ms, pid = [], None
    with make(path) as source:
        pictures = iter(source)
        for _ in islice(pictures, WARM):
            pass
        if isinstance(source, Isolated):
            pid = source.pid
        started_s = cpu_s(pid)
        for captured in islice(pictures, FRAMES):
            if look:
                captured.picture.bgr()
            ages_ms.append((time.monotonic_ns() - captured.captured_ns) / 1e6)
        spent_s = cpu_s(pid) - started_s
        memory = own_mib(pid) if pid is not None else 0.0
    ages_ms.sort()
    return {
        "cpu_ms": spent_s / FRAMES * 1e3,
        "age_p50_ms": statistics.median(ages_ms),
        "age_p99_ms": ages_ms[int(0.99 * len(ages_ms))],
        "child_mib": memory,
    }


def in_thread(path: Path) -> Source:
    return open_source(parse_address(str(path)), SourceOptions(live=True))


def in_process(path: Path) -> Source:
    return Isolated(parse_address(str(path)), SourceOptions(live=True))


class Eye:
    """A detector that only looks which picture it is; `next_epoch` is for another thread."""

    labels: Sequence[str] = ()

    def __init__(self) -> None:
        self.torn = 0
        self._epoch = -1
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        with self._changed:
            for view in views:
                self.torn += read(view.bgr()).torn
                self._epoch = view.frame.epoch
            self._changed.notify_all()
        return [Detections.none(self.labels) for _ in views]

    def next_epoch(self, after: int) -> int:
        """Wait for a picture of a later epoch."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._epoch > after, 10):
                raise RuntimeError("no frame came for ten seconds")
            return self._epoch


class Nothing:
    """A sink."""

    takes = Result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        pass


def killed(text: str, times: int, seed: int) -> tuple[list[float], int, int]:
    """Gaps in s from the kill to the next frame at the detector, torn pictures, what leaked."""
    gaps_s, luck = [], random.Random(seed)
    source = Isolated(parse_address(text))
    pipeline, eye = Pipeline(), Eye()
    pipeline.add(Camera("struck", source, seed=seed), eye)
    pipeline.sink(Nothing())
    with pipeline:
        epoch = eye.next_epoch(-1)
        threading.Event().wait(SETTLED_S)
        before = held()
        for number in range(times):
            tell(f"kill {number + 1} of {times}")
            threading.Event().wait(STEADY_NS / 1e9 + luck.uniform(0.1, 1.0))
            pid = source.pid
            if pid is None:
                raise RuntimeError("the camera is not there")
            os.kill(pid, signal.SIGKILL)
            killed_ns = time.monotonic_ns()
            epoch = eye.next_epoch(epoch)
            gaps_s.append((time.monotonic_ns() - killed_ns) / 1e9)
        threading.Event().wait(SETTLED_S)
        leaked = sum(abs(after - once) for once, after in zip(before, held(), strict=True))
    tell("")
    return gaps_s, eye.torn, leaked


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that take all the processor time that they get."""
    with ExitStack() as stack:
        for _ in range(loops):
            loop = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(loop.kill)
        yield


def held() -> tuple[int, int, int]:
    """Descriptors, segments, threads; children are counted by their parent's end."""
    mapped = Path("/proc/self/maps").read_text().count("memfd:freshframe")
    return len(list(Path("/proc/self/fd").iterdir())), mapped, threading.active_count()


def handed_over(looks: int, seed: int) -> Counter[str]:
    """Looks at slots that are written at full speed."""
    luck, found = random.Random(seed), Counter[str]()
    descriptor = reserve(PICTURE_BYTES)
    reading = Reading(descriptor, PICTURE_BYTES)
    command = [sys.executable, "-c", WRITER, str(descriptor), str(PICTURE_BYTES)]
    with subprocess.Popen(command, pass_fds=[descriptor], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            newest = whole = stale = wrong = 0
            for look in range(looks):
                if look % 4 == 0:
                    newest = int(reading._numbers.max())
                number = max(1, newest - luck.randrange(SLOTS))
                try:
                    seen = reading.read(number, np.ndarray.copy).view(np.int64)
                except Stale:
                    stale += 1
                    continue
                if seen[0] == number and seen[-1] == number and (seen == number).all():
                    whole += 1
                else:
                    wrong += 1
            found.update(whole=whole, stale=stale, wrong=wrong, written=int(reading._numbers.max()))
        finally:
            writer.kill()
            os.close(descriptor)
    return found


def main() -> None:
    parser = arguments(__doc__, seed=1)
    parser.add_argument("--handovers", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    path = clip(seconds=10)
    found = interleaved(
        {
            "thread": lambda: watched(in_thread, path, look=False),
            "process": lambda: watched(in_process, path, look=False),
            "thread, each looked at": lambda: watched(in_thread, path, look=True),
            "process, each looked at": lambda: watched(in_process, path, look=True),
        }
    )
    rows = [
        [name, figures["cpu_ms"].text(2), figures["age_p50_ms"].text(2), figures["age_p99_ms"].text(2)]
        for name, figures in found.items()
    ]
    shares = {
        look: ratio(found[f"process{look}"]["cpu_ms"], found[f"thread{look}"]["cpu_ms"])
        for look in ("", ", each looked at")
    }
    gaps_s, torn, leaked = killed("synthetic:?size=320x240&fps=60", args.kills, args.seed)
    rtsp_gaps: dict[str, Spread] = {}
    for keyframe_s in KEYFRAMES_S:
        with FakeCam([clip((640, 360), seconds=10, keyframe_s=keyframe_s)]) as fake:
            for loops in (0, BUSY):
                with busy(loops):
                    found_s, *more = killed(fake.urls[0], max(1, args.kills // 4), args.seed)
                torn, leaked = torn + more[0], leaked + more[1]
                beside = f", {loops} busy loops beside" if loops else ""
                rtsp_gaps[f"RTSP, a keyframe each {keyframe_s:g} s{beside}"] = Spread(found_s)
    tell(f"{args.handovers} hand-overs")
    looks = handed_over(args.handovers, args.seed)
    tell("")
    gaps = Spread(gaps_s)
    rows.append([f"{args.kills} kills, gap in s", gaps.text(3), "", ""])
    rows += [[name, spread.text(3), "", ""] for name, spread in rtsp_gaps.items()]
    verdicts = [
        *(f"processor time{look}, process ÷ thread: {share.text(2)}" for look, share in shares.items()),
        f"the process has {found['process']['child_mib'].text(0)} MiB for itself; one for each camera",
        verdict(f"{args.kills} kills, longest gap", gaps.high, "≤", GAP_GOAL_S, " s"),
        verdict("torn pictures round the kills", torn, "≤", 0, digits=0),
        verdict("descriptors, segments, threads left over", leaked, "≤", 0, digits=0),
        verdict(f"wrong of {args.handovers} hand-overs ({dict(looks)})", looks["wrong"], "≤", 0, digits=0),
    ]
    figures = {
        **found,
        "gap_s": gaps,
        "rtsp_gap_s": rtsp_gaps,
        "torn": torn,
        "leaked": leaked,
        "looks": looks,
        "seed": args.seed,
    }
    columns = ["decoded in", "CPU ms/frame", "age p50, ms", "age p99, ms"]
    question = "what does isolation: process cost, and how does it bear being killed?"
    finish(Report("R6, R7", question, columns, rows, verdicts, figures), args)


if __name__ == "__main__":
    main()
