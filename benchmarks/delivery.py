"""P8: packet in → message at the subscriber.

    .venv/bin/python -m benchmarks.delivery [--model yolo26n] [--cameras 4]

Live RTSP cameras in a process of their own, `freshframe detect --zmq` in another, a subscriber in this
one: arrival there, less the moment the packet left the demuxer (both on the monotonic clock). The limit:
decoding, preparing and inferring one frame, measured alone just before. One camera at 80 % of what the
network takes alone, then several that bring that much together.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.alone import costs_ms
from benchmarks.cameras import cameras
from benchmarks.clips import clip
from benchmarks.processes import free_port
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import ROUNDS, Figures, Spread
from detectors.yolo import Yolo
from sinks.subscriber import Subscriber

SECONDS = 8.0
WARM_UP = 20  # messages of each camera
LOAD = 0.8


def alone_ms(model: str, path: Path) -> Figures:
    """Decoding, preparing and inferring one frame after the other, nothing beside it."""
    p50, p99 = np.percentile(costs_ms(Yolo(model), path, 150)[:, 1], (50, 99))
    return {"p50": float(p50), "p99": float(p99)}


def delivered(model: str, clips: Sequence[Path]) -> Figures:
    """Ages at the subscriber, ms."""
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with cameras(clips) as served:
        command = [sys.executable, "-m", "streamer", "detect", *served.urls, "--model", model]
        command += ["--zmq", endpoint, "--for", str(SECONDS + 4)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                return ages(endpoint, len(clips), process)
            finally:
                process.terminate()


def ages(address: str, count: int, process: "subprocess.Popen[bytes]") -> Figures:
    """Read messages for a while."""
    found: list[float] = []
    seen: dict[str, int] = {}
    batches: list[float] = []
    with Subscriber(address) as subscriber:
        until = time.monotonic() + SECONDS + 3
        while time.monotonic() < until and process.poll() is None:
            message = subscriber.receive(1.0)
            if message is None:
                continue
            now_ns = time.monotonic_ns()
            seen[message.camera] = seen.get(message.camera, 0) + 1
            if seen[message.camera] > WARM_UP:
                found.append((now_ns - message.captured_mono_ns) / 1e6)
                batches.append(message.latency_ms.infer)
    if len(seen) < count:
        raise RuntimeError(f"only {len(seen)} of {count} cameras were heard")
    return {
        "p50": float(np.percentile(found, 50)),
        "p99": float(np.percentile(found, 99)),
        "infer_p50": float(np.percentile(batches, 50)),
        "messages": len(found),
    }


def main() -> None:
    parser = arguments(__doc__, rounds=ROUNDS)
    parser.add_argument("--model", default="yolo26n")
    parser.add_argument("--cameras", type=int, default=4, help="how many share the load in the second part")
    args = parser.parse_args()
    probe = alone_ms(args.model, clip(seconds=30))
    fps = max(1, int(LOAD * 1000 / probe["p50"]))
    share = max(1, fps // args.cameras)
    one, several = (
        [clip(fps=fps, seconds=10)],
        [clip(fps=share, seconds=10, seed=n) for n in range(args.cameras)],
    )
    limits, single, many = [], [], []
    for _ in range(args.rounds):
        limits.append(alone_ms(args.model, one[0]))
        single.append(delivered(args.model, one))
        many.append(delivered(args.model, several))
    p50_limit = Spread([each["p50"] for each in limits])
    rows = [
        [
            "decode + prepare + infer, alone",
            p50_limit.text(),
            Spread([each["p99"] for each in limits]).text(),
            "",
        ],
        [f"1 camera × {fps} fps", _text(single, "p50"), _text(single, "p99"), _text(single, "infer_p50")],
        [
            f"{args.cameras} cameras × {share} fps",
            _text(many, "p50"),
            _text(many, "p99"),
            _text(many, "infer_p50"),
        ],
    ]
    ratios = Spread([a["p50"] / b["p50"] for a, b in zip(single, limits, strict=True)])
    over = Spread([a["p99"] - b["p99"] for a, b in zip(single, limits, strict=True)])
    batch = Spread([a["p99"] - b["p99"] - b["p50"] for a, b in zip(many, limits, strict=True)])
    finish(
        Report(
            "P8",
            f"packet in → message at the subscriber ({args.model}, 720p, {LOAD:.0%} load)",
            ["", "p50 ms", "p99 ms", "of it the network, p50 ms"],
            rows,
            [
                verdict("one camera, p50 ÷ alone", ratios.median, "≤", 1.15),
                verdict("one camera, p99 beyond alone", over.median, "≤", round(1000 / fps, 1), " ms (T)", 1),
                verdict(
                    f"{args.cameras} cameras, p99 beyond alone and a batch",
                    batch.median,
                    "≤",
                    round(1000 / share, 1),
                    " ms (T)",
                    1,
                ),
            ],
            {"alone": limits, "one": single, "several": many, "fps": fps},
        ),
        args,
    )


def _text(runs: Sequence[Figures], key: str) -> str:
    return Spread([run[key] for run in runs]).text()


if __name__ == "__main__":
    main()
