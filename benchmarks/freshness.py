"""P6: how old are the frames that are looked at, with real cameras, decoders and a network?

    .venv/bin/python -m benchmarks.freshness [--seconds 20] [--case 4x15 --case 8x30]

Plays a synthetic 720p clip as so many live RTSP cameras in a process of its own, runs `freshframe
detect` on them with the default model, and reads its JSON lines. Age is counted from the moment the
packet left the demuxer to the start of inference. The limit is P6 of the goals: one frame interval,
plus decoding and preparing measured alone (99th percentile, same machine, just before), plus 2 ms.
"""

import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.alone import costs_ms
from benchmarks.cameras import cameras
from benchmarks.clips import clip
from benchmarks.progress import tell
from benchmarks.report import Report, arguments, finish, verdict
from detectors.yolo import Yolo
from streamer.wire import DetectionsMessage, read_jsonl

WARM_UP_S = 5.0  # connecting and loading the model are not what is measured
CASES = ("1x30", "4x15", "8x30")


def alone_ms(path: Path) -> float:
    """99th percentile of decoding and preparing one frame with nothing beside it, ms."""
    return float(np.percentile(costs_ms(Yolo(), path, 170)[:, 0], 99))


def watch(path: Path, count: int, seconds: float) -> Sequence[DetectionsMessage]:
    """What `freshframe detect` writes about so many live cameras."""
    with tempfile.TemporaryDirectory() as folder, cameras([path] * count) as served:
        out = Path(folder) / "out.jsonl"
        command = [sys.executable, "-m", "streamer", "detect", *served.urls]
        command += ["--jsonl", str(out), "--for", str(seconds + WARM_UP_S)]
        subprocess.run(command, check=True, stderr=subprocess.PIPE)
        return list(read_jsonl(out))


def account(messages: Sequence[DetectionsMessage]) -> Mapping[str, int]:
    """Duplicates, and gaps between frames that `dropped` does not explain, over all cameras."""
    last: dict[str, int] = {}
    found: Counter[str] = Counter(duplicates=0, unexplained=0)
    for message in messages:
        before = last.get(message.camera)
        if before is not None:
            gap = message.frame - before - 1
            found["duplicates"] += gap < 0
            found["unexplained"] += gap != sum(message.dropped.values())
        last[message.camera] = message.frame
    return found


def figures(count: int, fps: int, seconds: float) -> Mapping[str, float]:
    """One case."""
    path = clip(fps=fps, seconds=20)
    alone = alone_ms(path)
    everything = watch(path, count, seconds)
    first = min(message.captured for message in everything)
    ages: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for message in everything:
        if message.captured - first > WARM_UP_S:
            age_ms = message.latency_ms.queue + message.latency_ms.batch
            ages[message.camera].append((message.captured - first, age_ms))
    every = np.array([age for camera in ages.values() for age in camera])
    counts = np.array([len(camera) for camera in ages.values()] + [0] * (count - len(ages)))
    span_s = float(every[:, 0].max() - every[:, 0].min())
    return {
        "fps_in": count * fps,
        "fps_inferred": len(every) / span_s,
        "age_p50_ms": float(np.percentile(every[:, 1], 50)),
        "age_p99_ms": float(np.percentile(every[:, 1], 99)),
        "limit_ms": 1000 / fps + alone + 2,
        "alone_p99_ms": alone,
        "slope_ms_per_minute": float(np.polyfit(every[:, 0], every[:, 1], 1)[0]) * 60,
        "jain": float(counts.sum() ** 2 / (count * (counts**2).sum())),
        **account(everything),
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--case", action="append", metavar="NxFPS", help="N cameras with FPS; may be given again"
    )
    args = parser.parse_args()
    rows, verdicts, found = [], [], {}
    for case in args.case or CASES:
        count, _, fps = case.partition("x")
        tell(f"{count} cameras at {fps} fps")
        one = found[case] = figures(int(count), int(fps), args.seconds)
        name = f"{count} × 720p{fps}"
        rows.append(
            [
                name,
                f"{one['fps_in']:.0f} / {one['fps_inferred']:.0f}",
                f"{one['age_p50_ms']:.0f}",
                f"{one['age_p99_ms']:.0f}",
                f"{one['limit_ms']:.0f}",
                f"{one['slope_ms_per_minute']:+.1f}",
                f"{one['jain']:.4f}",
                f"{one['duplicates']:.0f} / {one['unexplained']:.0f}",
            ]
        )
        lies = one["duplicates"] + one["unexplained"]
        verdicts += [
            verdict(f"{name}: age p99", one["age_p99_ms"], "≤", round(one["limit_ms"], 1), " ms", 1),
            verdict(f"{name}: duplicates and gaps unexplained", lies, "≤", 0, "", 0),
            verdict(f"{name}: Jain", one["jain"], "≥", 0.99, "", 4),
        ]
    finish(
        Report(
            "P6",
            f"how old is a frame when the network begins to look at it? ({args.seconds:.0f} s each)",
            [
                "cameras",
                "frames in / looked at, per s",
                "age p50 ms",
                "p99 ms",
                "limit ms",
                "slope ms/min",
                "Jain",
                "duplicates / gaps unexplained",
            ],
            rows,
            verdicts,
            found,
        ),
        args,
    )


if __name__ == "__main__":
    main()
