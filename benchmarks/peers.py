"""P2: how do we stand beside what people use today?

    .venv/bin/python -m benchmarks.peers [--all] [--rounds 5]

Every program as its users run it, YOLO26n, in an environment of its own that is made the first time
(`.bench/environments`, 2 GB each): a 720p30 H.264 clip with watermark as a file (frames a second,
processor time), then one and four live RTSP cameras. Age: the camera sent the last byte of a frame →
the results about that very frame are in hand; which frame it is says its watermark. A lie is a picture
that is none of its camera's. All in turn, A B B A, in processes of their own. `--all` adds VidGear,
Roboflow inference, and a static export. (Reading a watermark takes 0.1 ms: in the peers' loops, in our
sink's thread.)
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.cameras import cameras
from benchmarks.clips import clip
from benchmarks.environment import Missing, exported, python_with, weights_of
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import ROUNDS, Figures, Spread, interleaved, ratio
from streamer.watermark import Mark
from streamer.watermark.sent import SentTimes

SECONDS = 6.0
WARM_UP_NS = 2_000_000_000
TIMEOUT_S = 90
MODEL = "yolo26n"
AGE = "age p50 / p99 ms"

ULTRALYTICS = ("torch", "torchvision", "ultralytics", "onnx", "onnxslim", "onnxruntime", "opencv-python")
VIDGEAR = ("vidgear", "opencv-python", "onnxruntime", "numpy")
ROBOFLOW = ("torch==2.13.0", "inference")


@dataclass(frozen=True, slots=True)
class Contender:
    """A program, the interpreter that runs it, and the weights it is given."""

    program: str
    python: str
    weights: Path

    def command(self, sources: Sequence[str], seconds: float) -> Sequence[str]:
        """How it is started."""
        program = f"benchmarks.contenders.{self.program}"
        return [self.python, "-W", "ignore", "-m", program, str(self.weights), str(seconds), *sources]

    def run(self, sources: Sequence[str], seconds: float) -> Mapping[str, object]:
        """What it printed. Raises RuntimeError where it printed nothing."""
        command = self.command(sources, seconds)
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if not lines:
            raise RuntimeError(f"{self.program}: {done.stderr.strip()[-300:]}")
        found: Mapping[str, object] = json.loads(lines[-1])
        if not found["results"] or (self.program == "ours" and (found["error"] or done.returncode)):
            raise RuntimeError(f"{self.program}: {found['error'] or 'no result came'} {done.stderr[-300:]}")
        return found


def contenders(everything: bool) -> tuple[dict[str, Contender], list[str]]:
    """By name, and what is missing and why."""
    weights = weights_of(MODEL)
    found = {"Freshframe": Contender("ours", sys.executable, weights)}
    left_out = []
    try:
        python = python_with("ultralytics", ULTRALYTICS)
        dynamic = exported(python, weights, "dynamic")
        found["ultralytics .pt"] = Contender("ultralytics_stream", python, weights)
        found["ultralytics .onnx, same shape"] = Contender("ultralytics_stream", python, dynamic)
        found["cv2 loop + ONNX Runtime, same shape"] = Contender("cv2_loop", python, dynamic)
    except Missing as error:
        return found, [f"ultralytics and the cv2 loop: {error}"]
    if everything:
        static = exported(python, weights, "static")
        found["ultralytics .onnx, 640×640"] = Contender("ultralytics_stream", python, static)
        for name, program, needs in (
            ("VidGear + ONNX Runtime, same shape", "vidgear_loop", VIDGEAR),
            ("Roboflow InferencePipeline, same shape", "roboflow_pipeline", ROBOFLOW),
        ):
            try:
                own = python_with(program, needs, pinned=program != "roboflow_pipeline")
                found[name] = Contender(program, own, dynamic)
            except Missing as error:
                left_out.append(f"{name}: {error}")
    return found, left_out


def _leave_out(
    programs: dict[str, Contender], path: Path, versions: dict[str, object] | None = None
) -> list[str]:
    """Take out what does not run here, and say why; of the others, what versions they run."""
    left_out = []
    for name in list(programs):
        try:
            found = programs[name].run([str(path)], 1.0)
            if versions is not None:
                versions[name] = found["versions"]
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            if programs.pop(name).program == "ours":
                raise
            left_out.append(f"{name}: {error}")
    return left_out


def on_file(contender: Contender, path: Path) -> Figures:
    """Frames a second and processor time, from the first result on."""
    found = contender.run([str(path)], SECONDS)
    times_ns = [time_ns for _, _, time_ns in found["results"]]  # type: ignore[attr-defined]
    span_s = (times_ns[-1] - times_ns[0]) / 1e9
    frames = len(times_ns) - 1
    return {"fps": frames / span_s, "cpu_ms": float(str(found["cpu_s"])) / frames * 1e3}


def live(contender: Contender, clips: Sequence[Path]) -> Figures:
    """Results a second and their age, after the first two seconds."""
    with cameras(clips) as served:
        found = contender.run(served.urls, SECONDS)
        return ages(found["results"], served.sent(), len(clips))  # type: ignore[arg-type]


def ages(results: Sequence[tuple[int, int, int]], sent: SentTimes, count: int) -> Figures:
    """Figures of one run; `slope` is how many ms the age grows each second."""
    first_ns = results[0][2]
    rows, per_camera, lies = [], [0] * count, 0
    for camera, picture, time_ns in results:
        if time_ns - first_ns < WARM_UP_NS:
            continue
        per_camera[camera] += 1
        age_ns = sent.true_age_ns(Mark(camera, picture), time_ns) if picture >= 0 else None
        if age_ns is None:  # another camera's picture, or none at all
            lies += 1
        else:
            rows.append((time_ns / 1e9, age_ns / 1e6))
    every = np.array(rows)
    counts = np.array(per_camera, float)
    span_s = every[:, 0].max() - every[:, 0].min()
    return {
        "fps": len(every) / span_s,
        "age_p50": float(np.percentile(every[:, 1], 50)),
        "age_p99": float(np.percentile(every[:, 1], 99)),
        "slope": float(np.polyfit(every[:, 0], every[:, 1], 1)[0]),
        "jain": float(counts.sum() ** 2 / (count * (counts**2).sum())),
        "lies": lies,
    }


def main() -> None:
    parser = arguments(__doc__, rounds=ROUNDS)
    parser.add_argument(
        "--all", action="store_true", help="also VidGear, Roboflow inference, a static export"
    )
    args = parser.parse_args()
    clips = [clip(seconds=60, seed=number) for number in range(4)]
    programs, left_out = contenders(args.all)
    versions: dict[str, object] = {}
    left_out += _leave_out(programs, clips[0], versions)
    rounds = partial(interleaved, rounds=args.rounds)
    file = rounds({name: partial(on_file, one, clips[0]) for name, one in programs.items()})
    single = rounds({name: partial(live, one, clips[:1]) for name, one in programs.items()})
    four = rounds({name: partial(live, one, clips) for name, one in programs.items()})
    rows = [
        [
            name,
            file[name]["fps"].text(),
            file[name]["cpu_ms"].text(0),
            single[name]["fps"].text(),
            _age(single[name]),
            four[name]["fps"].text(),
            _age(four[name]),
            f"{sum(sum(part[name]['lies'].values) for part in (single, four)):.0f}",
        ]
        for name in programs
    ]
    ours, verdicts = "Freshframe", []
    ratios: dict[str, dict[str, Spread]] = {}
    for name, goal in (("ultralytics .pt", 2.0), ("ultralytics .onnx", 1.3), ("cv2 loop", 1.3)):
        full = next((one for one in programs if one.startswith(name)), None)
        if full is None:
            continue
        ratios[full] = {
            "file": ratio(file[ours]["fps"], file[full]["fps"]),
            "four live": ratio(four[ours]["fps"], four[full]["fps"]),
        }
        verdicts += [
            verdict(f"{where}, frames/s of {ours} ÷ {full}", share.median, "≥", goal)
            for where, share in ratios[full].items()
        ]
    finish(
        Report(
            "P2",
            f"beside what people use ({MODEL}, 720p30 H.264; median and range of {args.rounds} rounds)",
            [
                "",
                "file: fps",
                "CPU ms",
                "1 live: fps",
                AGE,
                "4 live: fps",
                AGE,
                "lies",
            ],
            rows,
            verdicts,
            {"file": file, "one live": single, "four live": four, "ratios": ratios, "versions": versions},
            left_out,
        ),
        args,
    )


def _age(found: Mapping[str, Spread]) -> str:
    text = f"{found['age_p50'].median:.0f} / {found['age_p99'].median:.0f}"
    slope = found["slope"].median
    return f"grows {slope:.0f} each s" if slope > 20 else text


if __name__ == "__main__":
    main()
