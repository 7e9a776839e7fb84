"""What do `detect: on_motion` and `detect_fps` save, and what do they miss?

    .venv/bin/python -m benchmarks.motion [--only NAME]

Videos of FRESHFRAME_DATA, and parts of them in which less happens, as a camera would see it that
looks only there. yolo26n looks at every frame; each gate then says which of these looks it would have
left out. CPU is the process's time for decoding, the gate and the looks, beside looking at all.

What is missed: boxes whose latest report, carried forward, does not cover them any more (no box of the
class with IoU ≥ 0.5), of all boxes; and objects that are never reported within a second after they
were first seen. An object is boxes of one class that follow each other with IoU ≥ 0.5, at most
0.3 s apart, for 0.3 s or longer: shorter ones are flicker. It moved where one of its boxes has left the
first one (IoU < 0.5); what did not move and comes and goes is mostly a doubtful box at the threshold.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.environment import weights_of
from benchmarks.progress import tell
from benchmarks.report import Report, arguments, finish, verdict
from detectors.yolo import Yolo
from streamer import Detections, Frame, Picture, Quality, View
from streamer.gate import Beat, Gate
from streamer.motion import Motion
from streamer.sources import open_source, parse_address

MODEL = "yolo26n"
NS = 1_000_000_000
SAME, FLICKER_NS, NOTICED_NS = 0.5, 3 * NS // 10, NS
GOAL_GATE_US = 300.0
DATA = Path(os.environ.get("FRESHFRAME_DATA", Path(__file__).parents[2] / "shared" / "data"))
WHOLE = (0.0, 0.0, 1.0, 1.0)
# Name → file, and x1, y1, x2, y2 of the part as shares of the picture.
SCENES: Mapping[str, tuple[str, tuple[float, float, float, float]]] = {
    "shop": ("Retail02_short.mp4", WHOLE),
    "crowd": ("people_crowd_ocv4nodejs.mp4", WHOLE),
    "street": ("road_cctv_ozlu.mp4", WHOLE),
    "dashcam": ("dashcam_solidWhiteRight_udacity.mp4", WHOLE),
    "yard": ("vtest.avi", WHOLE),
    "yard, below left": ("vtest.avi", (0.0, 0.5, 0.5, 1.0)),
    "yard, below": ("vtest.avi", (0.0, 0.75, 1.0, 1.0)),
    "shop, below right": ("Retail02_short.mp4", (0.75, 0.5, 1.0, 1.0)),
}


class Part:
    """A part of a picture, as a picture."""

    def __init__(self, picture: Picture, part: tuple[float, float, float, float]) -> None:
        self._picture = picture
        self._part = part

    @property
    def size(self) -> tuple[int, int]:
        width, height = self._picture.size
        x1, y1, x2, y2 = self._part
        return int(x2 * width) - int(x1 * width), int(y2 * height) - int(y1 * height)

    def _of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = self._part
        return pixels[int(y1 * height) : int(y2 * height), int(x1 * width) : int(x2 * width)]

    def luma(self) -> NDArray[np.uint8] | None:
        luma = self._picture.luma()  # type: ignore[attr-defined]  # a decoder's picture has it
        return None if luma is None else self._of(luma)

    def bgr(self) -> NDArray[np.uint8]:
        return self._of(self._picture.bgr())


@dataclass
class Watched:
    """One scene: what was seen in each frame, when, which frames each gate admits, and what it cost."""

    times_ns: list[int]
    seen: list[Detections]
    admitted: dict[str, list[bool]]
    decode_ms: float
    look_ms: float
    gate_us: dict[str, float]


def frames(file: str, part: tuple[float, float, float, float]) -> Iterator[Frame]:
    with open_source(parse_address(str(DATA / "videos" / file))) as source:
        for index, captured in enumerate(source):
            pts_ns = captured.pts_ns or 0
            picture = captured.picture if part == WHOLE else Part(captured.picture, part)
            yield Frame(
                "cam", 0, index, 0, pts_ns, pts_ns, None, captured.keyframe, Quality.FINE, picture, False
            )


def watch(name: str, detector: Yolo) -> Watched:
    """Ask each gate of every frame of a scene, then look at every frame."""
    gates: dict[str, Gate] = {
        "on_motion": Motion(),
        "detect_fps: 5": Beat(5, "detect_fps"),
        "detect_fps: 2": Beat(2, "detect_fps"),
    }
    cost_s = dict.fromkeys(gates, 0.0)
    admitted: dict[str, list[bool]] = {gate: [] for gate in gates}
    begun = time.thread_time()
    for frame in frames(*SCENES[name]):
        for gate, asked in gates.items():
            started = time.thread_time()
            admitted[gate].append(asked.admits(frame))
            cost_s[gate] += time.thread_time() - started
    decode_s = time.thread_time() - begun - sum(cost_s.values())
    times_ns, seen, look_s = [], [], 0.0
    for frame in frames(*SCENES[name]):
        started = time.process_time()
        seen += detector.detect([View(frame)])
        look_s += time.process_time() - started
        times_ns.append(frame.scene_ns)
        if frame.index % 20 == 0:
            tell(f"{name}: frame {frame.index}")
    tell("")
    count = len(seen)
    gate_us = {gate: spent_s / count * 1e6 for gate, spent_s in cost_s.items()}
    return Watched(times_ns, seen, admitted, decode_s / count * 1e3, look_s / count * 1e3, gate_us)


class Thing:
    """One object: where it was seen (frame, row), and whether it moved."""

    def __init__(self, frame: int, seen: Detections, row: int) -> None:
        self.places = [(frame, row)]
        self.moved = False
        self._first, self._last = (seen, row), (seen, row)

    def fits(self, seen: Detections) -> NDArray[np.bool_]:
        """(M,): which of these could be it."""
        return matches(*self._last, seen)

    def add(self, frame: int, seen: Detections, row: int) -> None:
        self.places.append((frame, row))
        self._last = seen, row
        self.moved = self.moved or not matches(*self._first, seen)[row]


def matches(ours: Detections, row: int, theirs: Detections) -> NDArray[np.bool_]:
    """(M,): which of theirs is one of ours: the same class, IoU ≥ 0.5."""
    a, b = ours.xyxy[row].astype(np.float64), theirs.xyxy.astype(np.float64)
    both = np.clip(np.minimum(a[2:], b[:, 2:]) - np.maximum(a[:2], b[:, :2]), 0, None).prod(-1)
    either = (a[2:] - a[:2]).prod() + (b[:, 2:] - b[:, :2]).prod(-1) - both
    return np.asarray((both >= SAME * either) & (theirs.class_id == ours.class_id[row]), np.bool_)


def things_in(watched: Watched) -> list[Thing]:
    """Every object of a scene that is more than flicker."""
    times, done, going = watched.times_ns, list[Thing](), list[Thing]()
    for frame, seen in enumerate(watched.seen):
        free, still = np.ones(len(seen), np.bool_), list[Thing]()
        for thing in going:
            fits = np.flatnonzero(thing.fits(seen) & free)
            if len(fits):
                free[fits[0]] = False
                thing.add(frame, seen, int(fits[0]))
            gone = times[frame] - times[thing.places[-1][0]] > FLICKER_NS
            (done if gone else still).append(thing)
        going = still + [Thing(frame, seen, int(row)) for row in np.flatnonzero(free)]
    return [one for one in done + going if times[one.places[-1][0]] - times[one.places[0][0]] >= FLICKER_NS]


def missed_boxes(watched: Watched, admitted: Sequence[bool]) -> list[tuple[int, int]]:
    """The boxes (frame, row) that the latest report does not cover."""
    lost, latest = [], watched.seen[0]
    for frame, (seen, looked) in enumerate(zip(watched.seen, admitted, strict=True)):
        latest = seen if looked else latest
        lost += [(frame, row) for row in range(len(seen)) if not matches(seen, row, latest).any()]
    return lost


def missed_things(watched: Watched, things: Sequence[Thing], admitted: Sequence[bool]) -> list[Thing]:
    """Those that are never reported within a second of their first box."""
    times = watched.times_ns
    return [
        thing
        for thing in things
        if not any(
            admitted[at] for at, _ in thing.places if times[at] - times[thing.places[0][0]] <= NOTICED_NS
        )
    ]


def judged(watched: Watched, gate: str) -> dict[str, float]:
    """What a gate saves and misses in a scene."""
    admitted, things = watched.admitted[gate], things_in(watched)
    moving = [thing for thing in things if thing.moved]
    moving_boxes = {place for thing in moving for place in thing.places}
    looked = sum(admitted) / len(admitted)
    boxes, lost = missed_boxes(watched, admitted), missed_things(watched, things, admitted)
    always_ms = watched.decode_ms + watched.look_ms
    gated_ms = watched.decode_ms + watched.gate_us[gate] / 1e3 + looked * watched.look_ms
    return {
        "frames": len(admitted),
        "looked_at": looked,
        "cpu_ms_always": always_ms,
        "cpu_ms_gated": gated_ms,
        "cpu_saved": 1 - gated_ms / always_ms,
        "boxes": sum(len(seen) for seen in watched.seen),
        "boxes_missed": len(boxes),
        "moving_boxes": len(moving_boxes),
        "moving_boxes_missed": len(moving_boxes.intersection(boxes)),
        "objects": len(things),
        "objects_missed": len(lost),
        "moving_objects": len(moving),
        "moving_objects_missed": sum(thing.moved for thing in lost),
        "gate_us": watched.gate_us[gate],
    }


def _of(found: Mapping[str, float], what: str) -> str:
    return f"{found[f'{what}_missed']} of {found[what]}"


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", action="append", choices=list(SCENES), help="some scenes, not all")
    args = parser.parse_args()
    if not (DATA / "videos").is_dir():
        sys.exit(f"there are no videos in {DATA}; name the folder by FRESHFRAME_DATA")
    weights = weights_of(MODEL)
    rows, verdicts, figures = [], [], {}
    with Yolo(weights, engine="onnx", device="cpu") as detector:
        for name in args.only or SCENES:
            watched = watch(name, detector)
            for gate in watched.admitted:
                found = judged(watched, gate)
                figures[f"{name}, {gate}"] = found
                row = [name, gate, f"{found['looked_at']:.1%}", f"{found['cpu_saved']:.1%}"]
                row += [_of(found, what) for what in ("boxes", "moving_boxes", "objects", "moving_objects")]
                rows.append(row)
            if SCENES[name][1] == WHOLE:
                cost = watched.gate_us["on_motion"]
                verdicts.append(
                    verdict(f"{name}: the gate's CPU per frame", cost, "≤", GOAL_GATE_US, " µs", 0)
                )
    finish(
        Report(
            "gates",
            f"what do the gates save, and what do they miss? ({MODEL})",
            ["scene", "gate", "looked at", "CPU saved", "boxes missed", "moving", "objects missed", "moving"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
