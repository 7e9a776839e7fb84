"""P12: from the start of the process to the first detection, with a warm cache.

    .venv/bin/python -m benchmarks.starting [--model yolo26n]

Ours: `freshframe detect CLIP --jsonl -`, until the first line. Peer: `YOLO(weights).predict(clip,
stream=True)` as its documentation shows it, until the first result. And `import streamer` alone, CPU.
"""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.clips import clip
from benchmarks.environment import weights_of
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import interleaved, ratio

GOAL_S, GOAL_IMPORT_MS = 2.0, 150.0

PREDICT = """
import os, sys
os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
sys.path.insert(0, "tests")
import torchvision_stub
torchvision_stub.install()
from ultralytics import YOLO
for result in YOLO(sys.argv[1]).predict(sys.argv[2], stream=True, verbose=False):
    print(len(result.boxes), flush=True)
"""

IMPORT = """
import time
before = time.process_time()
import streamer
print((time.process_time() - before) * 1e3)
"""


def first_line_s(command: Sequence[str]) -> Mapping[str, float]:
    """Seconds until something comes out."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took_s = time.perf_counter() - started
        process.kill()
    if not line:
        raise RuntimeError(f"nothing came from {' '.join(command[:4])}")
    return {"seconds": took_s}


def importing() -> Mapping[str, float]:
    """CPU of `import streamer`, without the interpreter's own."""
    out = subprocess.run([sys.executable, "-c", IMPORT], check=True, capture_output=True, text=True).stdout
    return {"cpu_ms": float(out)}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", default="yolo26n")
    args = parser.parse_args()
    path: Path = clip(seconds=10)
    weights = weights_of(args.model)
    python = sys.executable
    found = interleaved(
        {
            "ours": lambda: first_line_s(
                [python, "-m", "streamer", "detect", str(path), "--model", args.model, "--jsonl", "-"]
            ),
            "predict": lambda: first_line_s([python, "-W", "ignore", "-c", PREDICT, str(weights), str(path)]),
            "import": importing,
        }
    )
    mine, theirs = found["ours"]["seconds"], found["predict"]["seconds"]
    finish(
        Report(
            "P12",
            "how long until the first detection? (warm cache, 720p file)",
            ["", "seconds", "of predict"],
            [
                ["freshframe detect", mine.text(2), ratio(mine, theirs).text(2)],
                ["ultralytics predict(stream=True), .pt", theirs.text(2), ""],
            ],
            [
                verdict("process start → first detection", mine.median, "≤", GOAL_S, " s"),
                verdict(
                    "import streamer, CPU", found["import"]["cpu_ms"].median, "≤", GOAL_IMPORT_MS, " ms", 0
                ),
            ],
            found,
        ),
        args,
    )


if __name__ == "__main__":
    main()
