"""How old are the frames that are looked at, when cameras bring more than the network can take?

    .venv/bin/python benchmarks/freshness.py [--cameras 4] [--seconds 60] [--fps 15] [--json FILE]

Plays a synthetic 720p clip as so many live RTSP cameras in a process of its own, runs `freshframe
detect` on them with the default model, and reads its JSON lines. Age is counted from the moment the
packet left the demuxer to the start of inference. The limit is P6 of the goals: one frame interval,
plus decoding and preparing measured alone (99th percentile, same machine, just before), plus 2 ms.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from detectors.yolo import Yolo
from streamer import Frame, Quality, View
from streamer.sources import open_source, parse_address
from streamer.wire import DetectionsMessage, read_jsonl

WARM_UP_S = 5.0  # connecting and loading the model are not what is measured


def make_clip(path: Path, fps: int) -> None:
    """Ten seconds of moving shapes, 720p H.264 without B-frames, as cameras send it."""
    address = parse_address(f"synthetic:?size=1280x720&fps={fps}&seed=3&count={10 * fps}")
    with av.open(str(path), "w") as container, open_source(address) as source:
        options = {"preset": "veryfast", "bf": "0", "crf": "26"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.gop_size = fps
        stream.time_base = Fraction(1, fps)
        for index, captured in enumerate(source):
            frame = av.VideoFrame.from_ndarray(captured.picture.bgr(), format="bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def alone_ms(clip: Path) -> float:
    """99th percentile of decoding and preparing one frame with nothing beside it, ms."""
    costs = []
    with Yolo() as yolo, open_source(parse_address(str(clip))) as source:
        frames = iter(source)
        while True:
            started = time.perf_counter()
            captured = next(frames, None)
            if captured is None:
                break
            frame = Frame("alone", 0, 0, 0, 0, 0, None, False, Quality.FINE, captured.picture)
            yolo.prepare([View(frame)])
            costs.append((time.perf_counter() - started) * 1e3)
    return float(np.percentile(costs, 99))


def watch(clip: Path, cameras: int, seconds: float, out: Path) -> str:
    """Run fakecam and detect as a user would; returns what detect says at the end."""
    freshframe = [sys.executable, "-m", "streamer"]
    camera = subprocess.Popen(
        [*freshframe, "fakecam", *[str(clip)] * cameras, "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert camera.stdout is not None
        urls = [camera.stdout.readline().split()[1] for _ in range(cameras)]
        detect = [*freshframe, "detect", *urls, "--jsonl", str(out), "--for", str(seconds)]
        return subprocess.run(detect, check=True, stderr=subprocess.PIPE, text=True).stderr
    finally:
        camera.terminate()
        camera.wait()


def account(messages: Sequence[DetectionsMessage]) -> dict[str, int]:
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
    return dict(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--fps", type=int, default=15)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, out = Path(folder) / "clip.mp4", Path(folder) / "out.jsonl"
        make_clip(clip, args.fps)
        alone = alone_ms(clip)
        said = watch(clip, args.cameras, args.seconds + WARM_UP_S, out)
        everything = list(read_jsonl(out))
    first = min(message.captured for message in everything)
    messages = [message for message in everything if message.captured - first > WARM_UP_S]
    ages: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for message in messages:
        age_ms = message.latency_ms.queue + message.latency_ms.batch
        ages[message.camera].append((message.captured - first, age_ms))
    every = np.array([age for camera in ages.values() for age in camera])
    counts = np.array([len(camera) for camera in ages.values()])
    span_s = float(every[:, 0].max() - every[:, 0].min())
    result = {
        "cameras": args.cameras,
        "fps_in": args.cameras * args.fps,
        "fps_inferred": round(len(messages) / span_s, 1),
        "overload": round(args.cameras * args.fps * span_s / len(messages), 2),
        "age_p50_ms": round(float(np.percentile(every[:, 1], 50)), 1),
        "age_p99_ms": round(float(np.percentile(every[:, 1], 99)), 1),
        "limit_ms": round(1000 / args.fps + alone + 2, 1),
        "alone_p99_ms": round(alone, 1),
        "slope_ms_per_minute": round(float(np.polyfit(every[:, 0], every[:, 1], 1)[0]) * 60, 2),
        "jain": round(float(counts.sum() ** 2 / (len(counts) * (counts**2).sum())), 5),
        **account(everything),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
    }
    print(said)
    for name, value in result.items():
        print(f"{name:>20}  {value}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
