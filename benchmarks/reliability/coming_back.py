"""R2: a camera is back. How soon is the first fresh frame of it in hand, whatever the outage's length?

    .venv/bin/python -m benchmarks.reliability.coming_back [--quick] [--kind NAME]...

Ten small cameras (320×240, 15 fps) are away for 1, 5, 20 and 60 s, each at an instant that `--seed` chooses,
in seven ways. Back: the camera (or the way to it) has obeyed → a frame that was sent after that is in hand.
Every decoder has to wait for a keyframe: the clips have one every 0.2 s, and the goals allow for it, half of
that in the median and all of it at most; `--keyframes 1` is what cameras rather have. A half-open connection
never comes back: there it is the fault → a fresh frame over a new one, so that noticing is in it. At the end
all of sixty-four cameras are away for 5 s at once.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.progress import tell
from benchmarks.reliability.kinds import HALF_OPEN, OUTAGES, Kind
from benchmarks.reliability.rig import POWER_OFF, Rig
from benchmarks.report import Report, arguments, finish, verdict
from detectors.oracle import Oracle
from streamer.chaos.outcome import outcome
from streamer.chaos.passing import Pass, run_pass
from streamer.chaos.scenario import Fault, Scenario
from streamer.watermark.sent import SentTimes

LENGTHS_S, QUICK_LENGTHS_S = (1.0, 5.0, 20.0, 60.0), (1.0, 5.0)
SPREAD_S, RETURN_S = 1.0, 5.0
MANY = 64
GOAL_P50_S, GOAL_P99_S, GOAL_MANY_S = 0.5, 1.0, 3.0
LIMIT_S = 0.5  # R1: to notice silence


@dataclass(frozen=True, slots=True)
class Returns:
    """How long they took, s; those that never came are missing from the list and counted."""

    all_s: Sequence[float]
    absent: int

    @property
    def text(self) -> str:
        """p50 / p99 / max."""
        if not self.all_s:
            return "–"
        return " / ".join(f"{value:.2f}" for value in (*np.percentile(self.all_s, (50, 99)), max(self.all_s)))


def returns(one: Pass, sent: SentTimes) -> Returns:
    """Of all faults of a pass."""
    backs_s = [outcome(happened, one, sent).back_s for happened in one.happened]
    found = [back_s for back_s in backs_s if back_s is not None]
    return Returns(found, len(backs_s) - len(found))


def away(kind: Kind, length_s: float, cameras: int, at_s: float, chance: random.Random) -> list[Fault]:
    """Each camera away once, at its own time; a process that is killed takes all with it."""
    if kind.words == POWER_OFF:
        return [kind.fault(at_s + chance.uniform(0, SPREAD_S), tuple(range(cameras)), length_s)]
    return [kind.fault(at_s + chance.uniform(0, SPREAD_S), (number,), length_s) for number in range(cameras)]


def measured(
    kind: Kind, lengths_s: Sequence[float], cameras: int, keyframe_s: float, seed: int
) -> dict[float, Returns]:
    """One pass in which all outages of one kind follow each other."""
    found = {}
    networked = range(cameras) if kind.network else ()
    with Rig(cameras, cameras, networked, keyframe_s=keyframe_s, seed=seed) as rig:
        for length_s in lengths_s:
            faults = away(kind, length_s, cameras, 0.5, random.Random(f"{seed} {kind.words} {length_s}"))
            for_s = 0.5 + SPREAD_S + (0 if kind.at_once else length_s) + RETURN_S
            one = run_pass(rig.urls, Scenario(for_s), Oracle(), for_s, rig.steps(faults))
            found[length_s] = returns(one, rig.sent())
    return found


def main() -> None:
    parser = arguments(__doc__, quick="1 and 5 s, four cameras, not the sixty-four", seed=0)
    parser.add_argument("--kind", action="append", choices=OUTAGES, metavar="NAME", help=", ".join(OUTAGES))
    parser.add_argument("--keyframes", type=float, default=0.2, metavar="S", help="default %(default)s")
    args = parser.parse_args()
    cameras, lengths_s = (4, QUICK_LENGTHS_S) if args.quick else (10, LENGTHS_S)
    rows, verdicts, figures = [], [], {}
    for name in args.kind or OUTAGES:
        tell(name)
        kind = OUTAGES[name]
        found = measured(
            kind, lengths_s[:1] if name == HALF_OPEN else lengths_s, cameras, args.keyframes, args.seed
        )
        figures[name] = {str(length_s): one for length_s, one in found.items()}
        for length_s, one in found.items():
            there = len(one.all_s)
            away_s = "–" if name == HALF_OPEN else f"{length_s:g}"
            rows.append([name, away_s, f"{there} of {there + one.absent}", one.text])
        every = [value for one in found.values() for value in one.all_s]
        every += [float("inf")] * sum(one.absent for one in found.values())
        more_s = LIMIT_S if name == HALF_OPEN else 0.0
        p50, p99 = np.percentile(every, (50, 99), method="higher")
        verdicts += [
            verdict(f"{name}: p50", p50, "≤", GOAL_P50_S + more_s + args.keyframes / 2, " s"),
            verdict(f"{name}: p99", p99, "≤", GOAL_P99_S + more_s + args.keyframes, " s"),
        ]
    if not args.quick and not args.kind:
        tell(f"{MANY} cameras")
        many = measured(OUTAGES["process killed"], [5.0], MANY, args.keyframes, args.seed)[5.0]
        figures[f"{MANY} at once"] = {"5.0": many}
        rows.append([f"{MANY} at once: process killed", "5", f"{len(many.all_s)} of {MANY}", many.text])
        worst = max(many.all_s, default=0.0) if not many.absent else float("inf")
        verdicts.append(verdict(f"{MANY} cameras at once, the last one", worst, "≤", GOAL_MANY_S, " s"))
    finish(
        Report(
            "R2",
            f"camera back → first fresh frame ({cameras} cameras, a keyframe every {args.keyframes:g} s, "
            f"seed {args.seed})",
            ["", "away, s", "came back", "p50 / p99 / max, s"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
