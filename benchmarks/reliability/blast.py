"""R3: some cameras fail in every way there is. What do the others see of it?

    .venv/bin/python -m benchmarks.reliability.blast [--quick] [--kind NAME]... [--isolation process]

Eight cameras (320×240, 15 fps). Of these one, then four, go through all failures of the list, five seconds
each and three to recover, at instants that `--seed` chooses; before and after it the same without any
failure. Looked at: of the frames that the healthy cameras sent in these eight seconds, the share that was
looked at, ÷ the same in the control run. Age: sent → in hand, median and 99th percentile, ÷ the control
run's. A lie is a frame of any camera that was passed off as another, as newer, or as whole.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.progress import tell
from benchmarks.reliability.kinds import FAILURES
from benchmarks.reliability.rig import Rig
from benchmarks.report import Report, arguments, finish, verdict
from detectors.oracle import Oracle
from streamer.chaos.account import CameraAccount, account, judged
from streamer.chaos.outcome import outcome
from streamer.chaos.passing import Pass, run_pass
from streamer.chaos.scenario import AT_ONCE, Scenario
from streamer.stats import percentile_ms
from streamer.watermark.sent import SentTimes

CAMERAS = 8
FAILS_S, RECOVERS_S, CONTROL_S = 5.0, 3.0, 30.0
QUICK = ("network: black hole", "reset", "garbage", "hangs in mid-stream")
GOAL_FPS, GOAL_AGE = 0.995, 1.1


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


def arrangement(
    kinds: Sequence[str], victims: int, seed: int, isolation: str, control_s: float
) -> Mapping[str, object]:
    """All failures of these cameras, and the control run round it."""
    chance = random.Random(f"{seed} {victims}")
    faults = []
    for number, name in enumerate(kinds):
        kind = FAILURES[name]
        at_s = number * (FAILS_S + RECOVERS_S) + chance.uniform(0, 0.5)
        lasts_s = None if kind.words in AT_ONCE else FAILS_S
        faults.append(kind.fault(at_s, tuple(range(victims)), lasts_s))
    for_s = len(kinds) * (FAILS_S + RECOVERS_S) + 0.5
    scenario = Scenario(
        for_s, tuple(faults), seed=seed, isolation="process" if isolation == "process" else "thread"
    )
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
    halves = [others([half], sent, healthy) for half in control]
    every = [account([tried], sent, number) for number in range(CAMERAS)]
    rows = {}
    for name, part in zip(kinds, windows(tried), strict=True):
        mine = others([part], sent, healthy)
        backs = [
            outcome(happened, tried, sent)
            for happened in tried.happened
            if part.begun_ns <= happened.begun_ns < part.ended_ns
        ]
        rows[name] = {
            "fps_ratio": mine.share / usual.share,
            "age_p50_ratio": mine.age_p50_ms / usual.age_p50_ms,
            "age_p99_ratio": mine.age_p99_ms / usual.age_p99_ms,
            "frames": mine.sent,
            "noticed_s": [found.noticed_s for found in backs],
            "back_s": [found.back_s for found in backs],
        }
    return {"control": usual, "halves": halves, "failures": rows, "lies": lies_of(every), "cameras": every}


def lies_of(accounts: Iterable[CameraAccount]) -> dict[str, int]:
    """By kind, over all cameras."""
    lies: Counter[str] = Counter()
    for one in accounts:
        lies.update(one.lies)
    return dict(lies)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="four failures of one camera, a short control run"
    )
    parser.add_argument("--kind", action="append", choices=FAILURES, metavar="NAME", help=", ".join(FAILURES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--isolation", choices=("thread", "process"), default="thread")
    args = parser.parse_args()
    kinds = args.kind or (QUICK if args.quick else list(FAILURES))
    rows, verdicts, figures = [], [], {}
    for victims in (1,) if args.quick else (1, CAMERAS // 2):
        found = arrangement(kinds, victims, args.seed, args.isolation, 10.0 if args.quick else CONTROL_S)
        figures[str(victims)] = found
        usual, halves, failures = found["control"], found["halves"], found["failures"]
        assert isinstance(usual, Others)
        assert isinstance(halves, list)
        assert isinstance(failures, dict)
        rows.append(
            [
                f"{victims} of {CAMERAS}: control (its two halves)",
                f"{usual.share:.4f}",
                f"{usual.age_p50_ms:.1f} ms ({', '.join(f'{half.age_p50_ms:.1f}' for half in halves)})",
                f"{usual.age_p99_ms:.0f} ms ({', '.join(f'{half.age_p99_ms:.0f}' for half in halves)})",
                "",
                "",
            ]
        )
        for name, one in failures.items():
            backs = [value for value in one["back_s"] if value is not None]
            rows.append(
                [
                    f"{victims} of {CAMERAS}: {name}",
                    f"{one['fps_ratio']:.4f}",
                    f"{one['age_p50_ratio']:.2f}",
                    f"{one['age_p99_ratio']:.2f}",
                    f"{len(backs)} of {len(one['back_s'])}",
                    f"{max(backs):.2f}" if backs else "–",
                ]
            )
        worst_fps = min(failures, key=lambda name: failures[name]["fps_ratio"])
        worst_age = max(failures, key=lambda name: failures[name]["age_p99_ratio"])
        what = f"{victims} of {CAMERAS} fail, the others"
        verdicts += [
            verdict(
                f"{what}: looked at ÷ control, worst ({worst_fps})",
                failures[worst_fps]["fps_ratio"],
                "≥",
                GOAL_FPS,
                "",
                4,
            ),
            verdict(
                f"{what}: age p99 ÷ control, worst ({worst_age})",
                failures[worst_age]["age_p99_ratio"],
                "≤",
                GOAL_AGE,
            ),
        ]
        lies = found["lies"]
        assert isinstance(lies, dict)
        said = f" ({', '.join(f'{count} {kind}' for kind, count in lies.items())})" if lies else ""
        verdicts.append(
            verdict(f"{victims} of {CAMERAS} fail: lies{said}", sum(lies.values()), "≤", 0, "", 0)
        )
    tell("")
    finish(
        Report(
            "R3",
            f"what do the others see? ({CAMERAS} cameras, isolation: {args.isolation}, seed {args.seed})",
            ["", "looked at ÷ control", "age p50 ÷", "age p99 ÷", "came back", "after, s, at most"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
