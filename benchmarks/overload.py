"""P6 and P7: does anything grow old, or starve, when cameras bring far more than can be looked at?

    .venv/bin/python -m benchmarks.overload [--seconds 10]

1 to 64 synthetic cameras with 10 pictures a second, and the oracle detector, which reads the watermark
and then keeps its "device" busy for as long as makes the overload: 1, 2, 10 and 100 times what it can
take. So neither a network's nor a decoder's speed is in it, only ours. The age at the start of
inference is counted from the moment the picture was due. Limits: P6, one frame interval plus painting
and reading a batch of pictures, measured alone (p99), plus 2 ms; P7, Jain's index, and no camera waits longer
than the batches that serve all of them once, plus an interval.
"""

import logging
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.alone import frame_of
from benchmarks.plots import plot
from benchmarks.report import FOLDER, Report, arguments, finish, verdict
from detectors.oracle import Oracle
from streamer import Camera, Pipeline, Result, View
from streamer.sources import open_source, parse_address
from streamer.watermark import read

FPS = 10
SIZE = "320x240"
CAMERAS = (1, 4, 16, 64)
FACTORS = (1, 2, 10, 100)
LARGEST_BATCH = 32
WARM_UP_S = 1.0


class Log:
    """A sink that notes, for each camera, when which picture was looked at and how old it was."""

    takes = Result
    backlog = 64

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        self.unexplained = 0
        self._last: dict[str, int] = {}

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, result: Result) -> None:
        frame = result.frame
        before = self._last.get(frame.camera, -1)
        self._last[frame.camera] = frame.index
        self.unexplained += frame.index - before - 1 != sum(result.dropped.values())
        mark = read(frame.picture.bgr()).mark
        number = -1 if mark is None else mark.frame
        self.rows[frame.camera].append((result.timing.started_ns, result.timing.age_ns, number))


def alone_ms(batch: int) -> float:
    """99th percentile of painting and reading a batch of pictures with nothing beside it."""
    costs = []
    address = parse_address(f"synthetic:?size={SIZE}&seed=1&count={batch * 100}")
    with Oracle() as oracle, open_source(address) as source:
        pictures = iter(source)
        for _ in range(100):
            views = [View(frame_of(next(pictures))) for _ in range(batch)]
            started = time.perf_counter()
            oracle.prepare(views)
            costs.append((time.perf_counter() - started) * 1e3)
    return float(np.percentile(costs, 99))


def run(cameras: int, factor: float, seconds: float) -> Mapping[str, float]:
    """One combination; at least three rounds in which every camera is served."""
    batch = min(cameras, LARGEST_BATCH)
    batch_s = factor * batch / (cameras * FPS) * (0.95 if factor == 1 else 1)
    rounds = -(-cameras // batch)
    seconds = max(seconds, WARM_UP_S + (2 + 3 * rounds) * batch_s)
    oracle, log = Oracle(takes_ms=batch_s * 1e3, max_batch=batch), Log()
    pipeline = Pipeline(on_status=lambda _: None)
    for number in range(cameras):
        address = parse_address(f"synthetic:?size={SIZE}&fps={FPS}&seed={number}")
        pipeline.add(Camera(f"cam{number}", open_source(address)), oracle)
    pipeline.sink(log)
    started_ns = time.monotonic_ns()
    pipeline.run(for_s=seconds)
    # The first batches begin before all cameras are there.
    warm_up_s = WARM_UP_S + 2 * batch_s
    return figures(log, started_ns + round(warm_up_s * 1e9), cameras, batch_s)


def figures(log: Log, since_ns: int, cameras: int, batch_s: float) -> Mapping[str, float]:
    """Ages, fairness, waits and lies of one run."""
    seen = {name: [row for row in rows if row[0] > since_ns] for name, rows in log.rows.items()}
    ages_ms = np.array([age for rows in seen.values() for _, age, _ in rows]) / 1e6
    times_s = np.array([at for rows in seen.values() for at, _, _ in rows]) / 1e9
    # Each camera is served once in a round: a run that ends in the middle of one is nobody's preference.
    served = sorted((at, name) for name, rows in seen.items() for at, _, _ in rows)
    whole = Counter(name for _, name in served[: len(served) // cameras * cameras])
    counts = np.array([whole[f"cam{number}"] for number in range(cameras)], float)
    # From the beginning to the end: who never had a turn has waited all the time.
    ends_ns = since_ns, max((at for at, _ in served), default=since_ns)
    seen |= {f"cam{number}": [] for number in range(cameras) if f"cam{number}" not in seen}
    waits_s = [
        np.diff([ends_ns[0], *(at for at, _, _ in rows), ends_ns[1]]).max() / 1e9 for rows in seen.values()
    ]
    slope = float(np.polyfit(times_s - times_s.min(), ages_ms, 1)[0]) if len(ages_ms) > 2 else 0.0
    numbers = [[number for _, _, number in rows] for rows in seen.values()]
    rounds = -(-cameras // min(cameras, LARGEST_BATCH))
    return {
        "looked_at_per_s": len(ages_ms) / (times_s.max() - times_s.min() + batch_s),
        "age_p50_ms": float(np.percentile(ages_ms, 50)),
        "age_p99_ms": float(np.percentile(ages_ms, 99)),
        "slope_ms_per_s": slope,
        "grown_ms": slope * float(np.ptp(times_s)),
        "jain": float(counts.sum() ** 2 / (cameras * (counts**2).sum())),
        "longest_wait_s": max(waits_s),
        "wait_limit_s": rounds * batch_s + 1 / FPS,
        "duplicates": sum(len(one) - len(set(one)) for one in numbers),
        "backwards": sum(int((np.diff(one) < 0).sum()) for one in numbers),
        "unread": sum(one.count(-1) for one in numbers),
        "unexplained": log.unexplained,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each combination, at least")
    parser.add_argument("--plot", type=Path, default=FOLDER / "overload.png")
    args = parser.parse_args()
    logging.getLogger("freshframe").setLevel(logging.ERROR)  # stopping in the middle of ten seconds is meant
    limits_ms = {n: 1000 / FPS + alone_ms(min(n, LARGEST_BATCH)) + 2 for n in CAMERAS}
    found = {(n, factor): run(n, factor, args.seconds) for n in CAMERAS for factor in FACTORS}
    rows = [
        [
            f"{cameras} × {FPS} fps, {factor} ×",
            f"{one['looked_at_per_s']:.1f}",
            f"{one['age_p50_ms']:.1f}",
            f"{one['age_p99_ms']:.1f} / {limits_ms[cameras]:.1f}",
            f"{one['slope_ms_per_s']:+.2f}",
            f"{one['jain']:.4f}",
            f"{one['longest_wait_s']:.2f} / {one['wait_limit_s']:.2f}",
            f"{one['duplicates'] + one['backwards'] + one['unread'] + one['unexplained']:.0f}",
        ]
        for (cameras, factor), one in found.items()
    ]
    worst = max(one["age_p99_ms"] / limits_ms[cameras] for (cameras, _), one in found.items())
    grown = max(one["grown_ms"] for one in found.values())
    wait = max(one["longest_wait_s"] / one["wait_limit_s"] for one in found.values())
    lies = sum(
        one[key] for one in found.values() for key in ("duplicates", "backwards", "unread", "unexplained")
    )
    finish(
        Report(
            "P6, P7",
            "fresh and fair under any overload? (oracle detector)",
            [
                "cameras, overload",
                "looked at/s",
                "age p50 ms",
                "p99 / limit ms",
                "slope ms/s",
                "Jain",
                "wait s / limit",
                "lies",
            ],
            rows,
            [
                verdict("worst age p99 at the start of inference ÷ its limit", worst, "≤", 1.0),
                verdict("age grows over a run by at most", grown, "≤", 1000 / FPS, " ms", 1),
                verdict("worst Jain index", min(one["jain"] for one in found.values()), "≥", 0.99, "", 4),
                verdict("longest wait of a camera ÷ its limit", wait, "≤", 1.0),
                verdict("duplicates, steps back, unreadable, gaps unexplained", lies, "≤", 0, "", 0),
            ],
            {f"{n} cameras, {factor} x": one for (n, factor), one in found.items()}
            | {"limits_ms": limits_ms},
        ),
        args,
    )
    _plot(found, limits_ms[1], args.plot)


def _plot(found: Mapping[tuple[int, int], Mapping[str, float]], limit_ms: float, path: Path) -> None:
    """Age over overload, one line for each number of cameras."""
    title = "However many frames come, what is looked at is fresh"
    across, up = "frames that come ÷ frames that can be looked at", "age at the start of inference, p99, ms"
    with plot(path, title, across, up) as axes:
        for cameras in CAMERAS:
            ages = [found[cameras, factor]["age_p99_ms"] for factor in FACTORS]
            axes.plot(FACTORS, ages, marker="o", label=f"{cameras} camera{'s' * (cameras > 1)}")
        axes.axhline(limit_ms, color="grey", linestyle="--", label="limit for 1 camera")
        axes.set_xscale("log")
        axes.set_xticks(FACTORS, [f"{factor} ×" for factor in FACTORS])
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1))


if __name__ == "__main__":
    main()
