"""P6, R4: a camera's link is throttled, then released. How soon is what is looked at live again?

    .venv/bin/python -m benchmarks.backlog [--rounds 3]

A live RTSP camera over TCP (720p30, about 2 Mbit/s, watermarked) behind the impairment proxy: five
seconds undisturbed, six at 500 kbit/s, then free again. Age: the camera sent the last byte of a frame →
the results about that very frame are in hand. Recovered: from then on no result is more than 0.25 s
older than before the disturbance in the median. Peers as in `benchmarks.peers`.
"""

import json
import subprocess
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cameras import cameras
from benchmarks.clips import clip
from benchmarks.peers import Contender, contenders
from benchmarks.plots import plot
from benchmarks.report import FOLDER, Report, arguments, finish, verdict
from benchmarks.rounds import Figures, interleaved
from streamer.impair import Impaired, Impairment
from streamer.watermark import Mark

BEFORE_S, THROTTLED_S, AFTER_S = 5.0, 6.0, 12.0
ENOUGH = 30  # results to know what is usual
CONNECT_S = 3.0  # what programs take until their first result
RATE_BPS = 500_000
AS_BEFORE_MS = 250.0
GOAL_S = 1.0
PROGRAMS = ("Freshframe", "ultralytics .onnx, same shape", "cv2 loop + ONNX Runtime, same shape")

Curve = NDArray[np.float64]  # (N, 2): seconds since the release, age in ms


def curve(contender: Contender, path: Path) -> Curve:
    """One program's ages while its link is throttled and released."""
    seconds = BEFORE_S + THROTTLED_S + AFTER_S
    with cameras([path]) as served, Impaired(served.urls[0]) as proxy:
        command = contender.command([proxy.url(served.urls[0])], seconds)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                time.sleep(CONNECT_S + BEFORE_S)
                proxy.be(Impairment(rate_bps=RATE_BPS))
                time.sleep(THROTTLED_S)
                proxy.be(Impairment())
                released_ns = time.monotonic_ns()
                out, _ = process.communicate(timeout=60)
            finally:
                process.kill()
        sent = served.sent()
    (line,) = [line for line in out.decode().splitlines() if line.startswith("{")]
    results: Sequence[tuple[int, int, int]] = json.loads(line)["results"]
    rows = []
    for camera, picture, time_ns in results:
        age_ns = sent.true_age_ns(Mark(camera, picture), time_ns) if picture >= 0 else None
        age_ms = float("nan") if age_ns is None else age_ns / 1e6  # damaged: nobody can say which it was
        rows.append(((time_ns - released_ns) / 1e9, age_ms))
    ages = np.array(rows)
    if (ages[:, 0] < -THROTTLED_S).sum() < ENOUGH:
        raise RuntimeError(f"{contender.program} had hardly begun when the link was throttled")
    return ages


def figures(ages: Curve) -> Figures:
    """How old it was at worst, and when it was as before again."""
    unreadable = np.isnan(ages[:, 1])
    at_s, age_ms = ages[~unreadable].T
    usual_ms = float(np.median(age_ms[at_s < -THROTTLED_S]))
    late = at_s[(at_s > 0) & (age_ms > usual_ms + AS_BEFORE_MS)]
    after = at_s[at_s > 0]
    first_good = after[after > late.max(initial=0.0)]
    return {
        "before_ms": usual_ms,
        "worst_after_ms": float(age_ms[at_s > 0].max()),
        "recovered_s": float(first_good[0]) if len(first_good) else AFTER_S,
        "unreadable": float(unreadable.sum()),
    }


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--plot", type=Path, default=FOLDER / "backlog.png")
    args = parser.parse_args()
    path = clip(seconds=60, seed=0)
    programs, left_out = contenders(everything=False)
    programs = {name: one for name, one in programs.items() if name in PROGRAMS}
    curves: dict[str, Curve] = {}

    def measured(name: str) -> Figures:
        curves[name] = curve(programs[name], path)
        return figures(curves[name])

    found = interleaved({name: partial(measured, name) for name in programs}, args.rounds)
    rows = [
        [
            name,
            one["before_ms"].text(0),
            one["worst_after_ms"].text(0),
            one["recovered_s"].text(2),
            one["unreadable"].text(0),
        ]
        for name, one in found.items()
    ]
    ours = found["Freshframe"]["recovered_s"].median
    finish(
        Report(
            "P6, R4",
            f"a link has {RATE_BPS // 1000} kbit/s for {THROTTLED_S:.0f} s: when is it live again?",
            ["", "age before, ms", "worst age after the release, ms", "as before after, s", "unreadable"],
            rows,
            [verdict("Freshframe: live again after", ours, "≤", GOAL_S, " s")],
            {"found": found, "curves": {name: one.tolist() for name, one in curves.items()}},
            left_out,
        ),
        args,
    )
    _plot(curves, args.plot)


def _plot(curves: dict[str, Curve], path: Path) -> None:
    """Age over time, one line for each program."""
    title = "A backlog is skipped, not replayed as live"
    with plot(path, title, "seconds since the link was free again", "age of the results, s") as axes:
        for name, ages in curves.items():
            axes.plot(ages[:, 0], ages[:, 1] / 1e3, label=name, linewidth=1.4)
        axes.axvspan(-THROTTLED_S, 0, color="0.9", label=f"link at {RATE_BPS // 1000} kbit/s")
        axes.set_xlim(-THROTTLED_S - BEFORE_S, AFTER_S)
        axes.legend(frameon=False, fontsize=9, loc="upper right")


if __name__ == "__main__":
    main()
