"""R1 to R4 beside LoadStreams and a plain cv2 loop: one of two cameras fails.

    .venv/bin/python -m benchmarks.reliability.beside [--quick] [--kind NAME]... [--rounds 3] [--seed 0]

Two cameras (320×240, 15 fps); the first one is away for 5 s, and then there is a minute to come back
(`--quick`: 20 s). Three times, each with cameras and a program that have just been started: median and
range. Each program only reads, without a network. Noticed: the camera's state, a warning logged, a `read`
that fails. Back: as in coming_back. The other camera: the longest time without a new picture of it. Lies, in
all rounds together: pictures handed out that were handed out before, are over a second old or cannot be read,
of both cameras; ours are none where the frame says so itself.
"""

import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.environment import Missing, python_with
from benchmarks.peers import ULTRALYTICS
from benchmarks.progress import tell
from benchmarks.reliability.kinds import HALF_OPEN, OUTAGES, Kind
from benchmarks.reliability.rig import Rig
from benchmarks.report import Report, arguments, finish
from benchmarks.rounds import Spread
from detectors.oracle import Oracle
from streamer.chaos.account import judged
from streamer.chaos.outcome import outcome
from streamer.chaos.passing import Pass, run_pass
from streamer.chaos.scenario import Scenario
from streamer.chaos.steps import Steps
from streamer.chaos.witness import Change, Seen
from streamer.errors import Cause
from streamer.frame import Quality
from streamer.status import State, Status
from streamer.watermark import Mark, Reading
from streamer.watermark.sent import SentTimes

AWAY_S, AT_S = 5.0, 1.0
ROUNDS = 3
START_S = 30.0
QUICK = ("hangs in mid-stream", HALF_OPEN, "refused")

Watch = Callable[[Sequence[str], float, Steps], Pass]


@dataclass(frozen=True, slots=True)
class Found:
    """What one program made of one failure, s; None where it never happened in the time there was."""

    noticed_s: float | None
    back_s: float | None
    other_gap_s: float
    lies: Mapping[str, int]
    ended: bool


def ours(urls: Sequence[str], for_s: float, steps: Steps) -> Pass:
    """Freshframe, with the oracle."""
    return run_pass(urls, Scenario(for_s), Oracle(), for_s, steps)


def theirs(python: str, program: str, urls: Sequence[str], for_s: float, steps: Steps) -> Pass:
    """A program that says in lines what it has in hand; killed when the time is over."""
    with tempfile.TemporaryFile("w+") as out:
        command = [python, "-W", "ignore", "-m", f"benchmarks.contenders.{program}", *urls]
        with subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                _wait_for(out.fileno(), len(urls), process)
                time.sleep(1.0)
                begun_ns = time.monotonic_ns()
                while (now_s := (time.monotonic_ns() - begun_ns) / 1e9) < for_s:
                    if steps.next_s is not None and now_s >= steps.next_s:
                        steps.do()
                    time.sleep(0.01)
            finally:
                process.kill()
        ended_ns = time.monotonic_ns()
        out.seek(0)
        return _pass(out.read().splitlines(), begun_ns, ended_ns, steps)


def _wait_for(out: int, cameras: int, process: subprocess.Popen[str]) -> None:
    deadline_s = time.monotonic() + START_S
    there: set[str] = set()
    while len(there) < cameras:
        if time.monotonic() > deadline_s or process.poll() is not None:
            raise RuntimeError("it did not show every camera")
        text = Path(f"/proc/self/fd/{out}").read_text("utf-8")
        there = {line.split()[1] for line in text.splitlines() if line.startswith("seen ")}
        time.sleep(0.05)


def _pass(lines: Sequence[str], begun_ns: int, ended_ns: int, steps: Steps) -> Pass:
    seen: dict[str, list[Seen]] = {}
    changes: dict[str, list[Change]] = {"cam0": [], "cam1": []}
    for line in lines:
        word, *numbers = line.split()
        if word == "seen" and len(numbers) == 4:
            camera, whose, which, time_ns = map(int, numbers)
            mark = None if whose < 0 else Mark(whose, which)
            seen.setdefault(f"cam{camera}", []).append(
                Seen(Reading(mark, mark), (0, 0), 0, False, Quality.FINE, time_ns, 0, 0, time_ns)
            )
        elif word in ("warned", "ended"):
            state = State.RETRYING if word == "warned" else State.ENDED
            time_ns = int(numbers[1])
            changes["cam0"].append(Change(time_ns, Status(state, time_ns, "", Cause.SILENCE)))
    return Pass(begun_ns, ended_ns, seen, changes, {}, {}, steps.happened())


def found(one: Pass, sent: SentTimes) -> Found:
    """What there is to say about a pass in which camera 0 fails once."""
    mine = outcome(one.happened[0], one, sent)
    times_ns = [
        seen.in_hand_ns
        for seen, _ in judged(one, sent, 1).fresh
        if seen.in_hand_ns >= one.happened[0].told_ns
    ]
    edges = [one.happened[0].told_ns, *times_ns, one.ended_ns]
    lies = judged(one, sent, 0).lies + judged(one, sent, 1).lies
    ended = any(
        change.status.state is State.ENDED and change.at_ns < one.ended_ns for change in one.changes["cam0"]
    )
    return Found(
        mine.noticed_s,
        mine.back_s,
        max(b - a for a, b in pairwise(edges)) / 1e9,
        dict(lies),
        ended,
    )


def once(kind: Kind, watch: Watch, return_s: float, seed: int) -> Found:
    """One outage. Raises RuntimeError where the program does not show the cameras."""
    with Rig(2, 1, (0,) if kind.network else (), seed=seed) as rig:
        steps = rig.steps([kind.fault(AT_S, (0,), AWAY_S)])
        return found(watch(rig.urls, AT_S + AWAY_S + return_s, steps), rig.sent())


def row(name: str, cell: Sequence[Found], return_s: float) -> list[str]:
    """A line of the table."""
    lies = sum((Counter(one.lies) for one in cell), Counter[str]())
    ended = sum(one.ended for one in cell)
    back = _times([one.back_s for one in cell], f"not in {return_s:g}")
    return [
        name,
        _times([one.noticed_s for one in cell], "never"),
        f"ended {ended} of {len(cell)}" if ended else back,
        Spread([one.other_gap_s for one in cell]).text(2),
        ", ".join(f"{count} {lie}" for lie, count in lies.items() if count) or "none",
    ]


def _times(values: Sequence[float | None], never: str) -> str:
    """The spread of those that there are, and how many there are not."""
    there = [value for value in values if value is not None]
    if not there:
        return never
    missing = f"; {len(values) - len(there)} of {len(values)} {never}" if len(there) < len(values) else ""
    return Spread(there).text(2) + missing


def main() -> None:
    parser = arguments(__doc__, quick="three kinds, 20 s to come back", seed=0, rounds=ROUNDS)
    parser.add_argument("--kind", action="append", choices=OUTAGES, metavar="NAME", help=", ".join(OUTAGES))
    args = parser.parse_args()
    programs: dict[str, Watch] = {"Freshframe": ours}
    left_out = []
    try:
        python = python_with("ultralytics", ULTRALYTICS)
        programs["ultralytics LoadStreams"] = partial(theirs, python, "load_streams")
    except Missing as error:
        left_out.append(f"LoadStreams: {error}")
    programs["plain cv2 loop"] = partial(theirs, sys.executable, "plain_cv2")
    return_s = 20.0 if args.quick else 60.0
    rows = []
    figures: dict[str, list[Found]] = {}
    for name in args.kind or (QUICK if args.quick else OUTAGES):
        for number in range(args.rounds):
            for program, watch in programs.items():
                tell(f"{name}: {program}, round {number + 1} of {args.rounds}")
                try:
                    what = once(OUTAGES[name], watch, return_s, args.seed + number)
                except RuntimeError as error:
                    left_out.append(f"{program}, {name}: {error}")
                else:
                    figures.setdefault(f"{name}: {program}", []).append(what)
        rows += [
            row(f"{name}: {program}", figures.get(f"{name}: {program}", ()), return_s) for program in programs
        ]
    finish(
        Report(
            "R1–R4",
            f"one of two cameras is away for {AWAY_S:g} s (seeds from {args.seed} on; {args.rounds} "
            "outages each: median and range)",
            ["", "noticed after, s", "back after, s", "the other one, longest gap, s", "lies, both cameras"],
            rows,
            [],
            figures,
            left_out,
        ),
        args,
    )


if __name__ == "__main__":
    main()
