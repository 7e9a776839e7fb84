"""`freshframe bench`: how many cameras does this machine carry with this model, and how fresh?"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from rich.console import Console

from streamer.camera import Camera
from streamer.cli.child import cameras
from streamer.cli.console import say
from streamer.cli.flags import add_network_flags, model_from_flags
from streamer.cli.networks import detector_for
from streamer.config.model import ModelConfig
from streamer.errors import ConfigError
from streamer.fakecam.film import film
from streamer.fakecam.recording import opened
from streamer.pipeline import Pipeline
from streamer.result import Result
from streamer.sources import open_source, parse_address
from streamer.sources.pattern import Pattern

SCENE = Pattern((1280, 720), 30.0, 1, 300)
MEASURED_S = 6.0
SETTLE_S = 1.5  # the decoders have caught up, the batches have found their rhythm
ALL_S = 20.0  # for every camera to have been looked at once
MOST_CAMERAS = 64

EXAMPLES = """\
examples:
  freshframe bench                            720p30, looked at 5 times a second
  freshframe bench --model best.pt --imgsz 960 --trust-weights
  freshframe bench --clip gate.mp4 --fps 10    with what your own camera sends
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bench` to the command line."""
    parser = subparsers.add_parser(
        "bench",
        help="measure how many cameras this machine carries",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--clip", type=Path, metavar="FILE", help="what each camera sends; default 720p30 shapes"
    )
    parser.add_argument(
        "--fps",
        type=float,
        default=5.0,
        metavar="N",
        help="each camera is to be looked at so many times a second; default %(default)g",
    )
    add_network_flags(parser)
    parser.set_defaults(run=_run, interrupted="there is no answer yet")


@dataclass(frozen=True, slots=True)
class Load:
    """What so many cameras came to."""

    cameras: int
    fps_in: float  # of each camera, the slowest one
    fps_seen: float  # looked at, of each camera, the slowest one
    age_p50_ms: float  # packet in → result handed to the sinks
    age_p99_ms: float
    cpu: float  # cores, of this process


class TooMuchError(Exception):
    """So many cameras that some are never looked at."""


class Ages:
    """A sink that notes how old results are."""

    takes = Result
    backlog = 8

    def __init__(self) -> None:
        self.ms: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, result: Result) -> None:
        timing = result.timing
        # With decoders that cannot keep up, frames grow old before they are read: that is their lag.
        self.ms.append((timing.published_ns - timing.captured_ns + result.frame.lag_ns) / 1e6)


def _run(args: argparse.Namespace) -> int:
    if not 0 < args.fps <= 240:  # not a number is neither
        raise ConfigError(f"--fps {args.fps:g}: allowed is a number above 0, up to 240")
    model = model_from_flags(args)
    if args.clip is not None:
        with opened(args.clip):  # what is wrong with it is to be said before anything is measured
            pass
    detector_for(model)  # what is wrong with it is said before anything is made
    with tempfile.TemporaryDirectory() as folder:
        clip = args.clip
        if clip is None:
            say("filming ten seconds of 720p30…")
            clip = Path(folder) / "scene.mp4"
            film(SCENE, clip)
        say("the test cameras run on this machine too, in a process of their own")
        console = Console(file=sys.stdout, markup=False, highlight=False, soft_wrap=True)
        console.print("cameras   fps in   looked at/s   age p50   age p99   cores")

        def tried(count: int) -> Load:
            try:
                load = measure(model, clip, count)
            except TooMuchError:
                load = Load(count, 0, 0, math.nan, math.nan, math.nan)
            console.print(
                f"{count:7}   {load.fps_in:6.1f}   {load.fps_seen:11.1f}   {load.age_p50_ms:4.0f} ms   "
                f"{load.age_p99_ms:4.0f} ms   {load.cpu:5.2f}"
            )
            return load

        best = carried(tried, args.fps)
    if best is None:
        console.print(f"This machine does not look at one such camera {args.fps:g} times a second.")
    else:
        more = " or more" if best.cameras == MOST_CAMERAS else ""
        several = "s" * (best.cameras > 1)
        console.print(
            f"This machine carries {best.cameras}{more} such camera{several}, "
            f"each looked at {best.fps_seen:.1f} times a second; "
            f"results are {best.age_p50_ms:.0f} ms old, 99 % of them below {best.age_p99_ms:.0f} ms."
        )
    return 0


def carried(tried: Callable[[int], Load], fps: float) -> Load | None:
    """The most cameras that are each looked at `fps` times a second: doubled until it fails, then halved."""
    best: Load | None = None
    good, bad = 0, MOST_CAMERAS + 1
    count, sent_fps = 1, 0.0
    while bad - good > 1:
        load = tried(count)
        sent_fps = max(sent_fps, load.fps_in)  # with one camera, all that it sends comes in
        if load.fps_seen >= min(fps, sent_fps * 0.98):
            best, good = load, count
        else:
            bad = count
        count = min(good * 2, MOST_CAMERAS) if bad > MOST_CAMERAS else (good + bad) // 2
    return best


def measure(model: ModelConfig, clip: Path, count: int) -> Load:
    """Look at so many live cameras for a few seconds.

    Raises TooMuchError, SourceError, and what the pipeline does.
    """
    with cameras([clip] * count) as urls:
        pipeline, ages, detector = Pipeline(on_status=lambda _: None), Ages(), detector_for(model)
        for number, url in enumerate(urls):
            pipeline.add(Camera(f"cam{number}", open_source(parse_address(url))), detector)
        pipeline.sink(ages)
        with pipeline:
            _await_all(pipeline)
            pipeline.wait(SETTLE_S)
            ages.ms.clear()
            before, cpu_s, started = pipeline.stats(), time.process_time(), time.monotonic()
            pipeline.wait(MEASURED_S)
            after, cpu_s, took_s = pipeline.stats(), time.process_time() - cpu_s, time.monotonic() - started
            found = list(ages.ms)
        if pipeline.error is not None:
            raise pipeline.error
    both = list(zip(before.cameras, after.cameras, strict=True))
    return Load(
        cameras=count,
        fps_in=min(b.captured - a.captured for a, b in both) / took_s,
        fps_seen=min(b.processed - a.processed for a, b in both) / took_s,
        age_p50_ms=_percentile(found, 50),
        age_p99_ms=_percentile(found, 99),
        cpu=cpu_s / took_s,
    )


def _await_all(pipeline: Pipeline) -> None:
    """Until every camera has been looked at once. Raises TooMuchError, and what the pipeline does."""
    while not pipeline.stats().ready:  # the model may have to be exported first
        if pipeline.wait(0.05):
            raise pipeline.error or TooMuchError
    deadline = time.monotonic() + ALL_S
    while not all(camera.processed for camera in pipeline.stats().cameras):
        if pipeline.wait(0.05) or time.monotonic() > deadline:
            raise pipeline.error or TooMuchError


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else float("nan")
