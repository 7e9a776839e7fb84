"""P13: how much memory does it take beyond an idle process with the same imports?

    .venv/bin/python -m benchmarks.memory [--model yolo26n]

Three processes, each measured by its resident set: idle with the same imports; the network loaded and
run, nothing else; the pipeline with 1 and with 4 live RTSP cameras, after five and after twenty-five
seconds. A 720p frame in flight is a decoded picture (4:2:0) and its BGR form; counted are two per camera
(one waits, one is being looked at) and the six pictures that an H.264 decoder may keep for reference.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from benchmarks.cameras import cameras
from benchmarks.clips import clip
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import interleaved

GOAL = 1.2
YUV_MB, BGR_MB = 1280 * 720 * 1.5 / 1e6, 1280 * 720 * 3 / 1e6
REFERENCES, IN_FLIGHT = 6, 2

BEGIN = """
import sys, time
from pathlib import Path
def resident_mb():
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1e3
import av, cv2, numpy as np, onnxruntime, msgspec, zmq
from detectors.yolo import Yolo
import detectors.yolo.cpu.onnx_engine
from sinks.jsonl import JsonLines
from streamer import ArrayPicture, Camera, Frame, Pipeline, Quality, View
from streamer.sources import open_source, parse_address
"""
IDLE = BEGIN + "print(resident_mb())"
NETWORK = (
    BEGIN
    + """
picture = ArrayPicture(np.zeros((720, 1280, 3), np.uint8))
view = View(Frame("one", 0, 0, 0, 0, 0, None, True, Quality.FINE, picture))
with Yolo(sys.argv[1]) as yolo:
    for _ in range(20):
        yolo.detect([view])
    print(resident_mb())
"""
)
PIPELINE = (
    BEGIN
    + """
yolo, pipeline = Yolo(sys.argv[1]), Pipeline(on_status=lambda camera: None)
for number, url in enumerate(sys.argv[2:]):
    pipeline.add(Camera(f"cam{number}", open_source(parse_address(url))), yolo)
pipeline.sink(JsonLines("/dev/null"))
with pipeline:
    pipeline.wait(5)
    early = resident_mb()
    pipeline.wait(20)
    print(resident_mb(), early, min(camera.processed for camera in pipeline.stats().cameras))
"""
)


def measured(code: str, *words: str) -> Sequence[float]:
    out = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words], check=True, capture_output=True, text=True
    ).stdout
    return [float(word) for word in out.split()]


def live(model: str, count: int) -> Mapping[str, float]:
    with cameras([clip(seconds=30, seed=number) for number in range(count)]) as served:
        late, early, processed = measured(PIPELINE, model, *served.urls)
        if processed < 100:
            raise RuntimeError(f"a camera was looked at {processed:.0f} times only")
    return {"mb": late, "growth_mb": late - early}


def main() -> None:
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--model", default="yolo26n")
    args = parser.parse_args()
    found = interleaved(
        {
            "idle, same imports": lambda: {"mb": measured(IDLE)[0]},
            "network alone": lambda: {"mb": measured(NETWORK, args.model)[0]},
            "1 camera": lambda: live(args.model, 1),
            "4 cameras": lambda: live(args.model, 4),
        },
        args.rounds,
    )
    idle = found["idle, same imports"]["mb"].median
    network = found["network alone"]["mb"].median - idle
    rows = [
        [name, one["mb"].text(0), f"{one['mb'].median - idle:.0f}", "", ""] for name, one in found.items()
    ]
    verdicts = []
    for row, count in zip(rows[2:], (1, 4), strict=True):
        one = found[row[0]]
        allowed = network + count * ((REFERENCES + IN_FLIGHT) * YUV_MB + IN_FLIGHT * BGR_MB)
        beyond = one["mb"].median - idle
        row[3:] = [f"{allowed:.0f}", one["growth_mb"].text(1)]
        verdicts.append(verdict(f"{row[0]}: beyond idle ÷ (network + frames)", beyond / allowed, "≤", GOAL))
        verdicts.append(verdict(f"{row[0]}: growth over 20 s", one["growth_mb"].median, "≤", 2, " MB", 1))
    finish(
        Report(
            "P13",
            f"how much memory? ({args.model}, 720p30 H.264)",
            ["", "resident MB", "beyond idle", "network + frames", "growth in 20 s, MB"],
            rows,
            verdicts,
            found,
        ),
        args,
    )


if __name__ == "__main__":
    main()
