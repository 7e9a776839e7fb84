"""R3: some cameras fail in every way there is. What do the others see of it?

    .venv/bin/python -m benchmarks.reliability.blast [--quick] [--kind NAME]... [--isolation process]

Eight cameras (320×240, 15 fps). Of these one, then four, go through all failures of the list, five seconds
each and three to recover, at instants that `--seed` chooses; before and after it the same without any
failure. Looked at: of the frames that the healthy cameras sent in these eight seconds, the share that was
looked at, ÷ the same in the control run. Age: sent → in hand, median and 99th percentile, ÷ the control
run's. A lie is a frame of any camera that was passed off as another, as newer, or as whole.

A decoder crash with `--isolation process`: SIGKILL to the process that decodes the camera. With threads it
ends the program by nature: there a program of its own, with two cameras, shows what is left.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, get_args

from benchmarks.progress import tell
from benchmarks.reliability.crash import InThreads, crash_in_thread
from benchmarks.reliability.kinds import CRASH, FAILURES
from benchmarks.reliability.rig import Rig
from benchmarks.report import Report, arguments, finish, verdict
from detectors.oracle import Oracle
from streamer.chaos.account import CameraAccount, account, judged
from streamer.chaos.outcome import outcome
from streamer.chaos.passing import Pass, run_pass
from streamer.chaos.scenario import Scenario
from streamer.stats import percentile_ms
from streamer.watermark.sent import SentTimes

CAMERAS = 8
FAILS_S, RECOVERS_S, CONTROL_S = 5.0, 3.0, 30.0
QUICK = ("network: black hole", "reset", "garbage", "hangs in mid-stream")
GOAL_FPS, GOAL_AGE = 0.995, 1.1

NAMES = ", ".join(FAILURES).replace("%", "%%")  # argparse formats it
Isolation = Literal["thread", "process"]


@dataclass(frozen=True, slots=True)
class Others:
    """The healthy cameras together, over one or more windows."""

    sent: int
    looked_at: int
    age_p50_ms: float
    age_p99_ms: float

    @property
    def share(self) -> float:
        return self.looked_at / self.sent


def others(passes: Sequence[Pass], sent: SentTimes, healthy: Iterable[int]) -> Others:
    """What was looked at of what they sent, and how old it was."""
    looked_at, count, ages_ns = 0, 0, []
    for number in healthy:
        one = account(passes, sent, number)
        looked_at, count = looked_at + one.looked_at, count + one.sent
        for part in passes:
            ages_ns += [
                seen.in_hand_ns - item.sent_ns
                for seen, item in judged(part, sent, number).fresh
                if part.begun_ns <= seen.in_hand_ns < part.ended_ns
            ]
    return Others(count, looked_at, percentile_ms(ages_ns, 0.5) or 0.0, percentile_ms(ages_ns, 0.99) or 0.0)


def windows(one: Pass) -> list[Pass]:
    """The part of the pass that each failure had, with what is left to recover."""
    begins = sorted({happened.fault.at_s for happened in one.happened})
    starts = [min(h.begun_ns for h in one.happened if h.fault.at_s == at_s) for at_s in begins]
    return [
        replace(one, begun_ns=start, ended_ns=end)
        for start, end in zip(starts, [*starts[1:], one.ended_ns], strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Failure:
    """What one failure of the victims was to the others, and how soon it was noticed and over, s."""

    fps_ratio: float
    age_p50_ratio: float
    age_p99_ratio: float
    frames: int
    noticed_s: Sequence[float | None]
    back_s: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """All failures of so many cameras, and the control run round them."""

    control: Others
    halves: Sequence[Others]
    failures: Mapping[str, Failure]
    lies: Mapping[str, int]
    cameras: Sequence[CameraAccount]

    @property
    def figures(self) -> Mapping[str, object]:
        """For the JSON."""
        return {
            "control": self.control,
            "halves": self.halves,
            "failures": {name: asdict(one) for name, one in self.failures.items()},
            "lies": self.lies,
            "cameras": self.cameras,
        }


def arrangement(
    kinds: Sequence[str], victims: int, seed: int, isolation: Isolation, control_s: float
) -> Arrangement:
    """Half of the control run, all failures of these cameras one after the other, the other half."""
    chance = random.Random(f"{seed} {victims}")
    faults = []
    for number, name in enumerate(kinds):
        kind = FAILURES[name]
        at_s = number * (FAILS_S + RECOVERS_S) + chance.uniform(0, 0.5)
        faults.append(kind.fault(at_s, tuple(range(victims)), FAILS_S))
    for_s = len(kinds) * (FAILS_S + RECOVERS_S) + 0.5
    scenario = Scenario(for_s, tuple(faults), seed=seed, isolation=isolation)
    with Rig(CAMERAS, victims, scenario.networked, seed=seed) as rig:
        tell(f"{victims} of {CAMERAS}: control")
        control = [run_pass(rig.urls, scenario, Oracle(), control_s)]
        tell(f"{victims} of {CAMERAS}: {for_s:.0f} s of failures")
        steps = rig.steps(faults)
        tried = run_pass(rig.urls, scenario, Oracle(), for_s, steps)
        steps.mend_all()
        tell(f"{victims} of {CAMERAS}: control")
        control.append(run_pass(rig.urls, scenario, Oracle(), control_s))
        sent = rig.sent()
    healthy = range(victims, CAMERAS)
    usual = others(control, sent, healthy)
    every = [account([tried], sent, number) for number in range(CAMERAS)]
    return Arrangement(
        usual,
        [others([half], sent, healthy) for half in control],
        {
            name: failure(tried, part, sent, others([part], sent, healthy), usual)
            for name, part in zip(kinds, windows(tried), strict=True)
        },
        lies_of(every),
        every,
    )


def failure(tried: Pass, part: Pass, sent: SentTimes, mine: Others, usual: Others) -> Failure:
    """Of the failure in this part of the pass."""
    backs = [
        outcome(happened, tried, sent)
        for happened in tried.happened
        if part.begun_ns <= happened.begun_ns < part.ended_ns
    ]
    return Failure(
        mine.share / usual.share,
        mine.age_p50_ms / usual.age_p50_ms,
        mine.age_p99_ms / usual.age_p99_ms,
        mine.sent,
        [found.noticed_s for found in backs],
        [found.back_s for found in backs],
    )


def lies_of(accounts: Iterable[CameraAccount]) -> dict[str, int]:
    """By kind, over all cameras."""
    lies: Counter[str] = Counter()
    for one in accounts:
        lies.update(one.lies)
    return dict(lies)


def table(found: Arrangement, victims: int) -> list[list[str]]:
    """Its lines."""
    usual, halves = found.control, found.halves
    rows = [
        [
            f"{victims} of {CAMERAS}: control (its two halves)",
            f"{usual.share:.4f}",
            f"{usual.age_p50_ms:.1f} ms ({', '.join(f'{half.age_p50_ms:.1f}' for half in halves)})",
            f"{usual.age_p99_ms:.0f} ms ({', '.join(f'{half.age_p99_ms:.0f}' for half in halves)})",
            "",
            "",
        ]
    ]
    for name, one in found.failures.items():
        backs = [value for value in one.back_s if value is not None]
        rows.append(
            [
                f"{victims} of {CAMERAS}: {name}",
                f"{one.fps_ratio:.4f}",
                f"{one.age_p50_ratio:.2f}",
                f"{one.age_p99_ratio:.2f}",
                f"{len(backs)} of {len(one.back_s)}",
                f"{max(backs):.2f}" if backs else "–",
            ]
        )
    return rows


def verdicts(found: Arrangement, victims: int) -> list[str]:
    """The worst failure of each kind of figure, and the lies."""
    failures = found.failures
    worst_fps = min(failures, key=lambda name: failures[name].fps_ratio)
    worst_age = max(failures, key=lambda name: failures[name].age_p99_ratio)
    said = f" ({', '.join(f'{count} {kind}' for kind, count in found.lies.items())})" if found.lies else ""
    what = f"{victims} of {CAMERAS} fail"
    fps, age = failures[worst_fps].fps_ratio, failures[worst_age].age_p99_ratio
    return [
        verdict(f"{what}, the others: looked at ÷ control, worst ({worst_fps})", fps, "≥", GOAL_FPS, "", 4),
        verdict(f"{what}, the others: age p99 ÷ control, worst ({worst_age})", age, "≤", GOAL_AGE),
        verdict(f"{what}: lies{said}", sum(found.lies.values()), "≤", 0, "", 0),
    ]


def said_of(found: InThreads) -> str:
    """What a crash in a thread costs, in one sentence."""
    if not found.ended_by:
        return f"{CRASH}, isolation: thread: the program did not end"
    return (
        f"{CRASH}, isolation: thread: {found.ended_by} ended the whole program after {found.ended_s:.2f} s; "
        f"{found.left} of its {found.cameras} cameras are left, until somebody starts it again"
    )


def main() -> None:
    parser = arguments(__doc__, quick="four failures of one camera, a short control run", seed=0)
    parser.add_argument("--kind", action="append", choices=FAILURES, metavar="NAME", help=NAMES)
    parser.add_argument("--isolation", choices=get_args(Isolation), default="thread")
    args = parser.parse_args()
    kinds = args.kind or (QUICK if args.quick else list(FAILURES))
    rows, said = [], []
    figures: dict[str, object] = {}
    if CRASH in kinds and args.isolation == "thread":
        kinds = [name for name in kinds if name != CRASH]
        tell(f"{CRASH} in a thread")
        crash = crash_in_thread()
        figures[f"{CRASH}, thread"] = asdict(crash)
        said.append(said_of(crash))
        rows.append(
            [f"1 of {crash.cameras}: {CRASH}", "–", "–", "–", f"{crash.left} of {crash.cameras}", "–"]
        )
    for victims in () if not kinds else (1,) if args.quick else (1, CAMERAS // 2):
        found = arrangement(kinds, victims, args.seed, args.isolation, 10.0 if args.quick else CONTROL_S)
        figures[str(victims)] = found.figures
        rows += table(found, victims)
        said += verdicts(found, victims)
    finish(
        Report(
            "R3",
            f"what do the others see? ({CAMERAS} cameras, isolation: {args.isolation}, seed {args.seed})",
            ["", "looked at ÷ control", "age p50 ÷", "age p99 ÷", "came back", "after, s, at most"],
            rows,
            said,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
