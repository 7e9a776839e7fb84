"""One function for each question: what is measured, beside what, and how it reads."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu import apart, boxes, memory, packed
from benchmarks.gpu.bare import Bare, matrix_peak, pictures_per_s
from benchmarks.gpu.peers import Predict
from benchmarks.rounds import Spread, interleaved, ratio
from detectors.yolo import Yolo

FPS = 30
COMPILE_S = 75  # for torch.compile, each time
SHAPE_1080P = {640: (384, 640), 320: (192, 320)}


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    device: str
    imgsz: int
    batches: Sequence[int]
    rounds: int
    seconds: float  # of one measurement
    large: str  # the network for P3
    size: tuple[int, int]  # of the pictures

    @property
    def shape(self) -> tuple[int, int]:
        """Of the network's input for such pictures."""
        return SHAPE_1080P[self.imgsz]


@dataclass(frozen=True)
class Answer:
    """Lines for people, figures for programs."""

    title: str
    lines: Sequence[str]
    figures: Any


def equal_boxes(plan: Plan) -> Answer:
    """The device's boxes against the CPU's in fp32, single and in batches."""
    pictures, which = packed.pictures()
    views = [boxes.view(pixels) for pixels in pictures]
    with Yolo(packed.weights(), engine="torch", device="cpu", imgsz=plan.imgsz, trust_weights=True) as cpu:
        wanted = [cpu.detect([view])[0] for view in views]
    with _yolo(packed.weights(), plan) as yolo:
        single = [yolo.detect([view])[0] for view in views]
        batched = yolo.detect(views)
    found = {
        name: boxes.equal_share(ours, theirs)
        for name, ours, theirs in (
            ("single against CPU fp32", single, wanted),
            ("batched against CPU fp32", batched, wanted),
            ("batched against single", batched, single),
        )
    }
    lines = [f"{name}: {share:.2%} of {count} boxes equal" for name, (share, count) in found.items()]
    figures = {name: list(pair) for name, pair in found.items()}
    return Answer("Equal boxes (P10: ≥ 99 %)", [f"pictures: {which}", *lines], {**figures, "pictures": which})


def pipeline_and_bare(plan: Plan) -> Answer:
    """P1: the whole pipeline from pictures in memory beside the network alone, at each batch size."""
    pictures = packed.synthetic(16, plan.size)
    bare = Bare(packed.weights(), plan.device)
    lines, figures = [], {}
    with _yolo(packed.weights(), plan) as yolo:
        for batch in plan.batches:
            step = bare.replayed(batch, plan.shape)
            guess = pictures_per_s(step, batch, plan.seconds / 2, bare.device)
            found = _beside(
                plan,
                {
                    "bare": partial(pictures_per_s, step, batch, plan.seconds, bare.device),
                    "pipeline": partial(_fps, yolo, pictures, batch, plan.seconds, guess),
                },
            )
            share = ratio(found["pipeline"], found["bare"])
            lines.append(
                f"batch {batch:2}: pipeline {found['pipeline'].text(0)}, bare {found['bare'].text(0)} "
                f"pictures/s; share {share.text(2)}"
            )
            figures[str(batch)] = {**_plain(found), "share": list(share.values)}
    return Answer("P1: pipeline / bare network (≥ 0.95)", lines, figures)


def predict_and_eager(plan: Plan) -> Answer:
    """P2g: ours beside `predict`, fp32 and half, and beside the network run eagerly in fp16."""
    pictures = packed.synthetic(16, plan.size)
    bare = Bare(packed.weights(), plan.device)
    eager = bare.half(1, plan.shape)
    lines, missing = [], ""
    contenders: dict[str, Callable[[], float]] = {
        "eager, batch 1": lambda: pictures_per_s(eager, 1, plan.seconds, bare.device)
    }
    try:
        for half in (False, True) if plan.device.startswith("cuda") else (False,):
            predict = Predict(packed.weights(), plan.device, plan.imgsz, half=half)
            for batch in (1, plan.batches[-1]):
                predict.pictures_per_s(pictures, batch, 0.1)
                contenders[f"predict {'half' if half else 'fp32'}, batch {batch}"] = partial(
                    predict.pictures_per_s, pictures, batch, plan.seconds
                )
    except Exception as error:  # a missing peer is named and passed over
        missing = f"predict is missing: {type(error).__name__}: {str(error)[:200]}"
    with _yolo(packed.weights(), plan) as yolo:
        for batch in (1, plan.batches[-1]):
            guess = memory.throughput(yolo, pictures, batch, plan.seconds / 2, 200).fps
            contenders[f"ours, batch {batch}"] = partial(_fps, yolo, pictures, batch, plan.seconds, guess)
        found = _beside(plan, contenders)
    most = found[f"ours, batch {plan.batches[-1]}"]
    for name, spread in found.items():
        same = found.get(f"ours, {name.split(', ')[1]}", most)
        lines.append(
            f"{name}: {spread.text(0)} pictures/s; ours at this batch {ratio(same, spread).text(2)} ×, "
            f"in full batches {ratio(most, spread).text(2)} ×"
        )
    goals = "≥ 5 × predict at batch 1, ≥ 3 × at 32, ≥ 6 × eager at batch 1"
    return Answer(
        f"P2g: {goals}", [*lines, *([missing] if missing else [])], {**_plain(found), "missing": missing}
    )


def cameras_at_30_fps(plan: Plan) -> Answer:
    """P3 and P8: how many live cameras a large network carries, its share of the peak, and the ages then."""
    pictures = packed.synthetic(16, plan.size)
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            weights = packed.random_weights(plan.large, Path(folder))
        except Exception as error:  # without ultralytics there is no such network
            return Answer("P3, P8", [f"not measured: {type(error).__name__}: {error}"], {})
        bare = Bare(weights, plan.device)
        batch = plan.batches[-1]
        step = bare.replayed(batch, plan.shape)
        flops = bare.flops(plan.shape)
        found = _beside(
            plan,
            {
                "bare": lambda: pictures_per_s(step, batch, plan.seconds, bare.device),
                "peak": lambda: matrix_peak(bare.device, 8192 if bare.device.type == "cuda" else 512, 0.5),
            },
        )
        share = found["bare"].median * flops / found["peak"].median
        lines.append(
            f"{plan.large}, {plan.shape[1]}×{plan.shape[0]}, batch {batch}, bare: {found['bare'].text(0)} "
            f"pictures/s of {flops / 1e9:.1f} GFLOP, {share:.1%} of {found['peak'].median / 1e12:.1f} TFLOP/s"
        )
        with _yolo(weights, plan) as yolo:
            pipeline = memory.throughput(yolo, pictures, batch, plan.seconds, found["bare"].median)
            lines.append(f"pipeline, recordings: {pipeline.fps:.0f} pictures/s")
            carried, runs = _most_cameras(plan, yolo, pictures, pipeline.fps)
            lines += [_line(count, one) for count, one in runs.items()]
            lines.append(
                f"P3: {carried} cameras at {FPS} fps (stretch: 128)"
                if carried
                else f"P3: not found: of {min(runs)} cameras, the fewest tried, over 1 % was dropped"
            )
            loaded = max(1, int(0.8 * pipeline.fps / FPS))
            at_80 = memory.live(yolo, pictures, loaded, 3 * plan.seconds)
            alone = _alone_ms(yolo, pictures[0])
            one = memory.live(yolo, pictures, 1, 3 * plan.seconds)
            batch_ms = batch / found["bare"].median * 1e3
            lines.append(
                f"P8, 1 camera: {_ages(one)}; preparing and inference alone {alone:.2f} ms: "
                f"p50 {one.age_p50_ms / alone:.2f} × (≤ 1.15)"
            )
            lines.append(f"P8, 80 % load, {_line(loaded, at_80)}; a batch of {batch}: {batch_ms:.1f} ms")
    runs_plain = {str(count): asdict(one) for count, one in runs.items()}
    figures = {
        **_plain(found),
        "gflop": flops / 1e9,
        "peak_share": share,
        "carried": carried,
        "runs": runs_plain,
    }
    figures |= {"one": asdict(one), "loaded": {str(loaded): asdict(at_80)}, "alone_ms": alone}
    return Answer("P3, P8: live cameras", lines, figures)


def other_ways(plan: Plan) -> Answer:
    """Is there a quicker way to run the network? Eager, graph, torch.compile, cuDNN trying its algorithms."""
    bare = Bare(packed.weights(), plan.device)
    lines: list[str] = []
    figures: dict[str, dict[str, float]] = {}
    for batch in (1, plan.batches[-1]):
        ways = {"eager": bare.eager, "graph": bare.replayed}
        steps = {name: way(batch, plan.shape) for name, way in ways.items()}
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True):
            steps["graph, cuDNN benchmark"] = bare.replayed(batch, plan.shape)
        measured = {
            name: pictures_per_s(step, batch, plan.seconds, bare.device) for name, step in steps.items()
        }
        lines += [f"batch {batch}, {name}: {fps:.0f} pictures/s" for name, fps in measured.items()]
        figures[str(batch)] = measured
    for batch in (1, plan.batches[-1]) if plan.device.startswith("cuda") else ():
        arguments = [plan.device, str(batch), *map(str, plan.shape), str(plan.seconds)]
        try:
            fps = float(apart.asked("benchmarks.gpu.compiled", arguments, COMPILE_S))
        except (RuntimeError, ValueError) as error:  # no compiler on the machine, say
            lines.append(f"batch {batch}, torch.compile: {error}")
        else:
            lines.append(f"batch {batch}, torch.compile: {fps:.0f} pictures/s")
            figures[str(batch)]["torch.compile"] = fps
    return Answer("Other ways to run the network (one round each)", lines, figures)


def _yolo(weights: Path, plan: Plan) -> Yolo:
    return Yolo(weights, engine="torch", device=plan.device, imgsz=plan.imgsz, trust_weights=True)


def _fps(yolo: Yolo, pictures: Sequence[np.ndarray], batch: int, seconds: float, guess_fps: float) -> float:
    return memory.throughput(yolo, pictures, batch, seconds, guess_fps).fps


def _beside(plan: Plan, contenders: Mapping[str, Callable[[], float]]) -> dict[str, Spread]:
    def measure(one: Callable[[], float]) -> Mapping[str, float]:
        return {"fps": one()}

    measured = interleaved({name: partial(measure, one) for name, one in contenders.items()}, plan.rounds)
    return {name: figures["fps"] for name, figures in measured.items()}


def _most_cameras(
    plan: Plan, yolo: Yolo, pictures: Sequence[np.ndarray], fps: float
) -> tuple[int, dict[int, memory.Run]]:
    """The most cameras of those tried of whose frames at most 1 % are dropped."""
    runs: dict[int, memory.Run] = {}
    for load in (1.0, 0.95, 0.9, 0.8, 0.65):
        count = max(1, int(load * fps / FPS))
        if count in runs:
            continue
        runs[count] = memory.live(yolo, pictures, count, 3 * plan.seconds)
        if runs[count].dropped <= 0.01:
            return count, runs
    return 0, runs


def _alone_ms(yolo: Yolo, pixels: np.ndarray) -> float:
    """One picture prepared and looked at with nothing beside it, median."""
    costs, view = [], boxes.view(pixels)
    for _ in range(30):
        started = time.perf_counter()
        yolo.detect([view])
        costs.append((time.perf_counter() - started) * 1e3)
    return float(np.median(costs))


def _ages(one: memory.Run) -> str:
    return f"picture → result p50 {one.age_p50_ms:.1f}, p99 {one.age_p99_ms:.1f} ms"


def _line(count: int, one: memory.Run) -> str:
    return (
        f"{count} cameras: {one.fps:.0f} pictures/s, {one.dropped:.1%} dropped, batches of {one.batch:.1f}, "
        f"{_ages(one)}"
    )


def _plain(found: Mapping[str, Spread]) -> dict[str, list[float]]:
    return {name: list(spread.values) for name, spread in found.items()}
