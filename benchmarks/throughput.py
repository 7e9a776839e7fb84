"""P1: what of the bare network's speed is left in the whole pipeline?

    .venv/bin/python -m benchmarks.throughput [--model yolo26n] [--engine auto] [--size 1280x720]

The limit: the same engine on one ready-made input, over and over, while another thread decodes one
picture of the same clip for each that is inferred. The pipeline: the clip as a file, every frame,
through the detector to a sink that does nothing. Both in one process, in turn, five times.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.clips import clip
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Figures, interleaved, ratio
from detectors.yolo import Yolo
from streamer import Camera, Frame, Pipeline, Quality, Result, View
from streamer.frame import ArrayPicture
from streamer.sources import open_source, parse_address

SECONDS = 6.0
GOAL = 0.95


class Count:
    """A sink that counts, and knows when the first and the last result came."""

    takes = Result

    def __init__(self) -> None:
        self.times_ns: list[int] = []

    def __enter__(self) -> "Count":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, _: Result) -> None:
        self.times_ns.append(time.monotonic_ns())

    @property
    def fps(self) -> float:
        return (len(self.times_ns) - 1) / (self.times_ns[-1] - self.times_ns[0]) * 1e9


class DecodeLoad:
    """Decodes a clip round and round, one picture for each `step()`; it falls behind rather than wait."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Semaphore(0)
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "DecodeLoad":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._wanted.release()
        self._thread.join()

    def step(self) -> None:
        self._wanted.release()

    def _run(self) -> None:
        while not self._ended:
            with av.open(str(self._path)) as container:
                stream = container.streams.video[0]
                stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
                for _ in container.decode(stream):
                    self._wanted.acquire()
                    if self._ended:
                        return


def bare_network(yolo: Yolo, view: View) -> Callable[[], object]:
    """What is inside an entered detector, on one batch, over and over.

    It reaches into it, for what is inside is the limit. (The engine is given its input's memory back
    each time; nobody else takes it meanwhile.)
    """
    engine: Any = yolo._engine
    inputs = yolo.prepare([view] * yolo.max_batch).parts[0].staged.inputs
    return lambda: engine._engine.run(inputs)


def bare(model: str, engine: str, imgsz: int, path: Path, seconds: float = SECONDS) -> Figures:
    """The engine alone on one ready-made input, beside decoding."""
    with av.open(str(path)) as container:
        pixels = next(container.decode(video=0)).to_ndarray(format="bgr24")
    picture = ArrayPicture(np.asarray(pixels, np.uint8))
    view = View(Frame("bare", 0, 0, 0, 0, 0, None, True, Quality.FINE, picture))
    with Yolo(model, engine=engine, imgsz=imgsz) as yolo, DecodeLoad(path) as decoding:
        network = bare_network(yolo, view)
        network()
        count, cpu_s, started = 0, time.process_time(), time.perf_counter()
        while time.perf_counter() - started < seconds:
            network()
            for _ in range(yolo.max_batch):
                decoding.step()
            count += yolo.max_batch
        took_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu_s
    return {"fps": count / took_s, "cpu_ms": cpu_s / count * 1e3}


def whole(yolo: Yolo, path: Path, seconds: float = SECONDS) -> Figures:
    """The pipeline on the file, until the time is over."""
    count = Count()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("file", open_source(parse_address(str(path)))), yolo)
    pipeline.sink(count)
    with pipeline:
        while not count.times_ns and not pipeline.wait(0.005):
            pass
        cpu_s, first = time.process_time(), len(count.times_ns)
        pipeline.wait(seconds)
        cpu_s, last = time.process_time() - cpu_s, len(count.times_ns)
        pipeline.stop()
    if pipeline.error is not None:
        raise pipeline.error
    return {"fps": count.fps, "cpu_ms": cpu_s / (last - first) * 1e3}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--model", default="yolo26n")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--imgsz", type=int, default=640)
    parser.add_argument("--size", default="1280x720", help="of the pictures; default %(default)s")
    args = parser.parse_args()
    width, _, height = args.size.partition("x")
    path = clip((int(width), int(height)), seconds=30)

    found = interleaved(
        {
            "bare": lambda: bare(args.model, args.engine, args.imgsz, path),
            "whole": lambda: whole(Yolo(args.model, engine=args.engine, imgsz=args.imgsz), path),
        }
    )
    share = ratio(found["whole"]["fps"], found["bare"]["fps"])
    rows = [
        ["bare network, decoding beside it", found["bare"]["fps"].text(), found["bare"]["cpu_ms"].text(), ""],
        [
            "whole pipeline, every frame",
            found["whole"]["fps"].text(),
            found["whole"]["cpu_ms"].text(),
            share.text(3),
        ],
    ]
    finish(
        Report(
            "P1",
            f"how much of the network's speed is left? ({args.model}, {args.imgsz}, {args.size} H.264)",
            ["", "frames/s", "CPU ms/frame", "of bare"],
            rows,
            [verdict("pipeline ÷ bare network", share.median, "≥", GOAL)],
            {**found, "ratio": share},
        ),
        args,
    )


if __name__ == "__main__":
    main()
