"""What is carrying boxes on worth, in the live window?

    .venv/bin/python -m benchmarks.carrying [--data ../shared/data]

yolo26n looks at every frame of four clips (about half a minute each 800 frames on a core): that is the truth.
Then it is as if it had looked at every so manieth frame, and each result had come so much later; and the
boxes that the window would draw on each frame are held against those that are there (score 0.4 or more, of
one class, one to one, the greatest overlap first).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from benchmarks.progress import tell
from detectors.yolo import Yolo
from sinks.window.carrying import Motion, Seen, overlap
from streamer import ArrayPicture, Detections, Frame, Quality, View

CLIPS = {
    "shop": "Retail02_short.mp4",
    "road": "road_cctv_ozlu.mp4",
    "campus": "vtest.avi",
    "dashcam": "dashcam_solidWhiteRight_udacity.mp4",
}
FRAMES, FIRST = 240, 20
CASES_MS = ((33, 66), (100, 100), (250, 200))  # from one look to the next; from a frame to its result
LEAST_SCORE = 0.4


def looked_at(path: Path, network: Yolo) -> tuple[float, list[Detections], tuple[int, int]]:
    """Frames a second, what is seen in each frame, and their size."""
    seen: list[Detections] = []
    size = (0, 0)
    with av.open(str(path)) as file:
        fps = float(file.streams.video[0].average_rate or 25)
        for index, picture in enumerate(file.decode(video=0)):
            if index == FRAMES:
                break
            tell(f"{path.stem}: {index}")
            pixels = ArrayPicture(np.asarray(picture.to_ndarray(format="bgr24"), np.uint8))
            size = pixels.size
            frame = Frame(path.stem, 0, index, 0, 0, None, None, False, Quality.FINE, pixels, live=False)
            seen += network.detect([View(frame)])
    return fps, seen, size


def overlaps(drawn: Detections, there: Detections) -> list[float]:
    """For each thing that is there how much of it the box drawn for it covers (IoU)."""
    values = [0.0] * len(there)
    if not len(drawn) or not len(there):
        return values
    each = overlap(drawn.xyxy.astype(np.float64), there.xyxy.astype(np.float64))
    each = np.where(drawn.class_id[:, None] == there.class_id[None], each, 0)
    while each.max() > 0:
        i, j = np.unravel_index(int(each.argmax()), each.shape)
        values[int(j)] = float(each[i, j])
        each[i], each[:, j] = 0, 0
    return values


def judged(
    fps: float, seen: Sequence[Detections], size: tuple[int, int], case_ms: tuple[int, int], *, moved: bool
) -> list[float]:
    """Overlaps over all frames."""
    every, late = (max(least, round(ms * fps / 1000)) for ms, least in zip(case_ms, (1, 0), strict=True))
    motion, values = Motion(), list[float]()
    for index in range(len(seen)):
        source = index - late
        if source >= 0 and source % every == 0:
            motion.add(Seen(0, source, round(source * 1e9 / fps), size, seen[source]))
        drawn = motion.at(0, index, round(index * 1e9 / fps), moved=moved) if index >= FIRST else None
        if drawn is not None:
            there = seen[index]
            values += overlaps(drawn, there[there.score >= LEAST_SCORE])
    return values


def main() -> None:
    """Print mean overlap, and the share above 0.7."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    folder = parser.parse_args().data / "videos"
    with Yolo("yolo26n") as network:
        clips = {name: looked_at(folder / file, network) for name, file in CLIPS.items()}
    tell("")
    for case in CASES_MS:
        for moved in (False, True):
            row = []
            for fps, seen, size in clips.values():
                values = np.array(judged(fps, seen, size, case, moved=moved))
                row.append(f"{values.mean():.3f}, {(values > 0.7).mean():.0%}")
            what = "carried on" if moved else "where they were"
            print(f"{case[0]:3} / {case[1]:3} ms  {what:16}", *row, sep="  ")


if __name__ == "__main__":
    main()
