"""R8: what grows in a long run with failing cameras?

    .venv/bin/python -m benchmarks.soak [--minutes 10] [--json FILE] [--plot FILE]

`freshframe run` with sixteen small cameras of `freshframe fakecam`, the oracle for a detector, and messages,
JSON lines and films for sinks. Twelve cameras are cut off again and again, each as soon as it has been seen
to be back; two change their size; two have every other fault in turn, one of them decoded in a process of its
own. Subscribers come and go and are killed. The disk is small: it fills, and is emptied. Each second the
process is looked at from outside, and its children.

After a warm-up (a fifth of the time, at least 30 s) slopes are taken over the lowest values of forty
blocks of time, by Theil and Sen. Memory is anonymous memory: heaps and stacks, which no other process on
the machine can move as it moves USS and PSS (libraries that two processes share). No allocator is set or
told to give memory back: what malloc keeps in its arenas counts as held, as it does for whoever runs it.
That levels off, which can take more than ten minutes; so what malloc has handed out is counted as well, by a
sink in the program itself. All growth is laid on the reconnects in the one
figure and on the time in the other, so each is an upper bound of what it names.

The exit status is 1 where something grows for certain: where even the lower end of the interval is
above the goal. Ten minutes are short: only a run of two hours or more can show that 0.5 MiB an hour is kept.
"""

import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import zmq

from benchmarks.progress import tell
from benchmarks.report import Report, arguments, finish
from benchmarks.soak.control import Control
from benchmarks.soak.inside import handed_out
from benchmarks.soak.life import Cuts, Mishaps
from benchmarks.soak.slope import Slope, floors, theil_sen
from benchmarks.soak.stage import NAMES, Stage, stage
from benchmarks.soak.watched import GoneError, Holding, holding
from streamer import wire

MIB = 1 << 20
MEMORY_GOAL_MIB_H, RECONNECT_GOAL_BYTES = 0.5, 256.0
WANTED_RECONNECTS = 10_000
WARM_UP_SHARE, WARM_UP_S = 0.2, 30.0
START_MS, STOP_S = 30_000, 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What was held at one moment."""

    at_s: float
    reconnects: int
    held: Holding
    handed_out_bytes: int | None  # by malloc, where it tells


@dataclass(frozen=True, slots=True)
class Course:
    """One run."""

    samples: Sequence[Sample]
    reconnects: int
    overdue: int
    happened: dict[str, int]
    unknown: Sequence[str]
    messages: int
    status: int | None  # of the watched process, after one SIGINT; None where it had to be killed
    said: Sequence[str]


def soak(minutes: float, seed: int) -> Course:
    """Raises RuntimeError where the watched program does not run to the end."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        things = stack.enter_context(stage(Path(folder)))
        context = stack.enter_context(zmq.Context())
        cutting, sizing, troubling = (
            stack.enter_context(closing(Control(things.control_port))) for _ in range(3)
        )
        rng = random.Random(seed)
        cuts = Cuts(cutting, rng)
        mishaps = Mishaps(sizing, troubling, things.endpoint, things.disk, rng)
        with context.socket(zmq.SUB) as messages:
            messages.setsockopt(zmq.LINGER, 0)
            messages.setsockopt(zmq.RCVHWM, 0)
            messages.subscribe(b"det.")
            messages.connect(things.endpoint)
            if not messages.poll(START_MS):
                raise RuntimeError("no message ever came:\n" + things.log.read_text("utf-8", "replace"))
            try:
                samples, heard = _live(things, messages, cuts, mishaps, minutes * 60)
            finally:
                mishaps.end()
        unknown = sorted(mishaps.refused)
        if things.disk is None:
            unknown.append("a disk that fills: this machine lends no user name space")
        things.watched.send_signal(signal.SIGINT)
        try:
            status: int | None = things.watched.wait(STOP_S)
        except subprocess.TimeoutExpired:
            status = None
        said = things.log.read_text("utf-8", "replace").splitlines()
        happened = dict(mishaps.done)
        return Course(samples, cuts.back, cuts.overdue, happened, unknown, heard, status, said[-40:])


def _live(
    things: Stage, messages: "zmq.Socket[bytes]", cuts: Cuts, mishaps: Mishaps, for_s: float
) -> tuple[list[Sample], int]:
    started_s = time.monotonic()
    samples: list[Sample] = []
    heard = 0
    while (now_s := time.monotonic() - started_s) < for_s:
        if messages.poll(5):
            heard += 1
            head, payload = wire.split(messages.recv())
            message = wire.decode(payload)
            if head.startswith("det."):
                cuts.saw(message.camera, message.epoch)
        cuts.act()
        mishaps.act()
        if now_s >= len(samples):
            try:
                held = holding(things.watched.pid)
            except GoneError as gone:
                raise RuntimeError(f"{gone}:\n" + things.log.read_text("utf-8", "replace")[-4000:]) from gone
            samples.append(Sample(now_s, cuts.back, held, handed_out(things.inside)))
            tell(
                f"{now_s:.0f} of {for_s:.0f} s, {cuts.back} reconnects, {held.anonymous_bytes / MIB:.1f} MiB"
            )
    tell("")
    return samples, heard


def judged(what: str, slope: Slope, goal: float, unit: str, digits: int = 2) -> tuple[str, bool]:
    """A sentence, and whether it grows for certain."""
    text = f"{what}: {slope.text(digits)} {unit}, goal ≤ {goal:g}"
    if slope.low > goal:
        return f"{text}: grows, for certain", True
    return (
        f"{text}: {'reached' if slope.high <= goal else 'not certain: too short a run, or too much noise'}",
        False,
    )


def main() -> None:
    parser = arguments(__doc__, seed=1)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw memory over time, as PNG")
    args = parser.parse_args()
    course = soak(args.minutes, args.seed)
    report, grows = told(course, args.minutes, args.seed)
    finish(report, args)
    if args.plot:
        draw(course, args.plot)
    if grows:
        sys.exit(1)


def told(course: Course, minutes: float, seed: int) -> tuple[Report, bool]:
    """The report, and whether anything grows for certain or did not end well."""
    warm_s = max(WARM_UP_S, minutes * 60 * WARM_UP_SHARE)
    used = [sample for sample in course.samples if sample.at_s >= warm_s]
    if len(used) < 40:
        sys.exit(f"{minutes:g} minutes are too short: {len(used)} samples after {warm_s:.0f} s of warm-up")
    hours = [sample.at_s / 3600 for sample in used]
    rows, verdicts, certain = [], [], []
    figures: dict[str, object] = {}

    def hourly(name: str, values: Sequence[float], goal: float | None, unit: str, digits: int) -> None:
        slope = theil_sen(*floors(hours, values))
        figures[name] = asdict(slope)
        low, high = min(values), max(values)
        rows.append(
            [name, *(f"{value:.{digits}f}" for value in (values[0], values[-1], low, high)), slope.text(2)]
        )
        if goal is not None:
            text, grows = judged(name, slope, goal, f"{unit} an hour")
            verdicts.append(text)
            certain.append(grows)

    held = [sample.held for sample in used]
    given = [sample.handed_out_bytes / MIB for sample in used if sample.handed_out_bytes is not None]
    if len(given) == len(used):
        hourly("handed out by malloc", given, MEMORY_GOAL_MIB_H, "MiB", 1)
    hourly("memory", [one.anonymous_bytes / MIB for one in held], MEMORY_GOAL_MIB_H, "MiB", 1)
    hourly("resident", [one.resident_bytes / MIB for one in held], None, "MiB", 1)
    hourly("memory of its children", [one.children_bytes / MIB for one in held], None, "MiB", 1)
    hourly("descriptors", [one.descriptors for one in held], 0.0, "", 0)
    hourly("threads", [one.threads for one in held], 0.0, "", 0)
    hourly("child processes", [one.children for one in held], 0.0, "", 0)
    hourly("/dev/shm, files", [one.shared_segments for one in held], 0.0, "", 0)
    hourly("/dev/shm, MiB", [one.shared_bytes / MIB for one in held], None, "MiB", 1)

    each = theil_sen(*floors([sample.reconnects for sample in used], [one.anonymous_bytes for one in held]))
    figures["bytes per reconnect"] = asdict(each)
    text, grows = judged("memory for each forced reconnect", each, RECONNECT_GOAL_BYTES, "B", 0)
    during = used[-1].reconnects - used[0].reconnects
    verdicts.append(f"{text} ({during} of them after the warm-up; the goal is for {WANTED_RECONNECTS})")
    certain.append(grows)
    verdicts.append(
        f"{course.reconnects} reconnects in {minutes:g} min, {course.overdue} of them not back within 10 s; "
        f"{course.messages} messages; " + ", ".join(f"{name} {n}×" for name, n in course.happened.items())
    )
    ended = "at once" if course.status == 0 else f"with {course.status}"
    verdicts.append(f"at the end, one SIGINT: it ended {ended}")
    certain.append(course.status != 0)
    figures |= {
        "minutes": minutes,
        "seed": seed,
        "warm_up_s": warm_s,
        "cameras": len(NAMES),
        "reconnects": course.reconnects,
        "happened": course.happened,
        "said": course.said,
        "samples": [{"at_s": s.at_s, "reconnects": s.reconnects, **asdict(s.held)} for s in course.samples],
    }
    columns = ["after the warm-up", "first", "last", "lowest", "highest", "an hour (95 %)"]
    question = f"what grows? ({minutes:g} min, {len(NAMES)} cameras, seed {seed})"
    return Report("R8", question, columns, rows, verdicts, figures, course.unknown), any(certain)


def draw(course: Course, path: Path) -> None:
    """Memory over time, and reconnects."""
    from benchmarks.plots import plot  # noqa: PLC0415 - matplotlib is wanted here only

    minutes = [sample.at_s / 60 for sample in course.samples]
    with plot(path, f"{course.reconnects} reconnects", "minutes", "MiB, heaps and stacks") as axes:
        axes.plot(minutes, [sample.held.anonymous_bytes / MIB for sample in course.samples])


if __name__ == "__main__":
    main()
