"""R1: how soon is it known that a camera says nothing, and how often is that said without reason?

    .venv/bin/python -m benchmarks.reliability.silence [--quick] [--seed 0]

Ten small cameras (320×240, 15 fps) fall silent one after the other: each in four ways, at instants that the
seed chooses. Noticed: from the last picture that came, and from the fault, until the camera's state is
anything but `live`. A reset tells at once; silence has to be waited for. False alarms: the same cameras with
up to 200 ms of jitter on each connection, nothing else wrong, and every change of state counts.
"""

import random

from benchmarks.progress import tell
from benchmarks.reliability.kinds import SILENCES
from benchmarks.reliability.rig import FPS, Rig
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Spread
from detectors.oracle import Oracle
from streamer.chaos.outcome import outcome
from streamer.chaos.passing import run_pass
from streamer.chaos.scenario import Fault, Scenario

OUTAGE_S, BETWEEN_S = 2.0, 3.0
LIMIT_S = max(3 / FPS, 0.5)
JITTER = "jitter 200"


def main() -> None:
    args = arguments(__doc__, quick="four cameras, and less jitter", seed=0).parse_args()
    count, jitter_s = (4, 10.0) if args.quick else (10, 120.0)
    rows, verdicts, figures = [], [], {}
    with Rig(count, count, range(count), seed=args.seed) as rig:
        for name, kind in SILENCES.items():
            tell(name)
            chance = random.Random(f"{args.seed} {name}")
            faults = [
                kind.fault(chance.uniform(0, BETWEEN_S), (number,), OUTAGE_S) for number in range(count)
            ]
            if name == "process killed":  # all of them are in one
                faults = [kind.fault(chance.uniform(0, BETWEEN_S), tuple(range(count)), OUTAGE_S)]
            for_s = 2 * BETWEEN_S + OUTAGE_S + 2
            one = run_pass(rig.urls, Scenario(for_s), Oracle(), for_s, rig.steps(faults))
            sent = rig.sent()
            outcomes = [outcome(happened, one, sent) for happened in one.happened]
            from_fault = [found.noticed_s for found in outcomes if found.noticed_s is not None]
            after_picture = [found.noticed_after_picture_s for found in outcomes]
            from_picture = [since_s for since_s in after_picture if since_s is not None]
            figures[name] = {"from_fault_s": from_fault, "from_picture_s": from_picture, "of": len(outcomes)}
            rows.append(
                [
                    name,
                    f"{len(from_fault)} of {len(outcomes)}",
                    Spread(from_picture).text(2) if from_picture else "–",
                    Spread(from_fault).text(2) if from_fault else "–",
                    "; ".join(sorted({found.noticed_as for found in outcomes if found.noticed_as})) or "–",
                ]
            )
            worst = max(from_picture) if len(from_picture) == len(outcomes) else float("inf")
            verdicts.append(verdict(f"{name}: noticed after, at most", worst, "≤", LIMIT_S, " s", 3))
        tell("jitter")
        alarms, pictures, seconds = jittered(rig, count, jitter_s)
    tell("")
    verdicts.append(
        verdict(f"false alarms in {pictures} pictures ({seconds:.0f} s, {JITTER} ms)", alarms, "≤", 0, "", 0)
    )
    figures["jitter"] = {"alarms": alarms, "pictures": pictures, "seconds": seconds}
    finish(
        Report(
            "R1",
            f"how soon is silence noticed? ({count} cameras, seed {args.seed}; median and range)",
            ["", "noticed", "s after the last picture", "s after the fault", "as"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


def jittered(rig: Rig, count: int, seconds: float) -> tuple[int, int, float]:
    """Changes of state that nothing was the reason for; in how many pictures, and s."""
    faults = [Fault(0.0, tuple(range(count)), JITTER, network=True)]
    steps = rig.steps(faults)
    one = run_pass(rig.urls, Scenario(seconds), Oracle(), seconds, steps)
    steps.mend_all()
    changes = sum(
        one.begun_ns <= change.at_ns < one.ended_ns for changes in one.changes.values() for change in changes
    )
    pictures = sum(one.after[name].captured - one.before[name].captured for name in one.after)
    return changes, pictures, one.seconds


if __name__ == "__main__":
    main()
