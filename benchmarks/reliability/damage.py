"""R5: are pictures that lean on lost or wrong data marked, and only those?

    .venv/bin/python -m benchmarks.reliability.damage [--quick] [--seed 0]

Six test cameras (640×360, 30 fps, H.264, a keyframe each second) over UDP. Of three a share of the packets is
lost, of three it has wrong bytes under a number that is right. The truth is the picture itself: damaged is
what is not bit for bit what the file gives, which picture it should be tells its time stamp. Beside it PyAV
(FFmpeg) on the same cameras, with all that it says of a picture: `is_corrupt`. OpenCV says nothing.

Recall: of the damaged pictures that were handed out, those that are marked. Precision: of the marked ones,
those that are damaged. "Longest": so many pictures in a row were marked; a group of pictures is 30.
"""

import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import av
import numpy as np

from benchmarks.clips import clip
from benchmarks.progress import tell
from benchmarks.report import Report, arguments, finish, verdict
from streamer.fakecam import FakeCam
from streamer.frame import LazyPicture
from streamer.sources import SourceOptions, open_source, parse_address

SIZE, FPS, SECONDS = (640, 360), 30, 20
SHARES = (0.001, 0.01, 0.05)
FAULTS = [(word, share) for word in ("loss", "damage") for share in SHARES]
RECALL, PRECISION = 0.99, 0.95

# When it is shown, in s from the first one, a sum of its brightness, and whether it is marked.
Seen = tuple[float, int, bool]


@dataclass(frozen=True, slots=True)
class Found:
    """What one reader said of one camera's pictures."""

    pictures: int
    damaged: int
    marked: int
    right: int
    longest: int

    @property
    def recall(self) -> float | None:
        return self.right / self.damaged if self.damaged else None

    @property
    def precision(self) -> float | None:
        return self.right / self.marked if self.marked else None


def ours(url: str) -> Iterator[Seen]:
    """As a camera's loop gets them."""
    with open_source(parse_address(url), SourceOptions(transport="udp")) as source:
        for captured in source:
            assert isinstance(captured.picture, LazyPicture)
            luma = captured.picture.luma()
            assert luma is not None
            assert captured.pts_ns is not None
            yield captured.pts_ns / 1e9, zlib.crc32(luma.tobytes()), captured.damaged


def pyav(url: str) -> Iterator[Seen]:
    """As somebody who reads the camera with PyAV gets them."""
    with av.open(url, options={"rtsp_transport": "udp"}, timeout=5) as container:
        first: float | None = None
        for frame in container.decode(video=0):
            if frame.time is None:
                continue
            first = frame.time if first is None else first
            yield frame.time - first, _sum(frame), frame.is_corrupt


def _sum(frame: av.VideoFrame) -> int:
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return zlib.crc32(lines[: frame.height, : frame.width].tobytes())


def truth(path: Path) -> Sequence[int]:
    """The sums of the clip's pictures, in order."""
    with av.open(str(path)) as container:
        return [_sum(frame) for frame in container.decode(video=0)]


def judged(seen: Sequence[Seen], clean: Sequence[int]) -> Found:
    """The first pictures are sound, and tell where in its round the clip was."""
    first = clean.index(seen[0][1])
    damaged = [total != clean[(first + round(at_s * FPS)) % len(clean)] for at_s, total, _ in seen]
    marked = [mark for _, _, mark in seen]
    right = sum(bad and mark for bad, mark in zip(damaged, marked, strict=True))
    runs = [len(list(run)) for mark, run in groupby(marked) if mark]
    return Found(len(seen), sum(damaged), sum(marked), right, max(runs, default=0))


def watched(read: Callable[[str], Iterator[Seen]], path: Path, seed: int, for_s: float) -> Sequence[Found]:
    """Each camera in a thread; the faults begin when all of them are there."""
    seen: list[list[Seen]] = [[] for _ in FAULTS]
    stop = threading.Event()

    def follow(number: int, url: str) -> None:
        for one in read(url):
            seen[number].append(one)
            if stop.is_set():
                return

    with FakeCam([path] * len(FAULTS), seed=seed) as cam:
        threads = [
            threading.Thread(target=follow, args=(number, url), daemon=True)
            for number, url in enumerate(cam.urls)
        ]
        for thread in threads:
            thread.start()
        while not all(len(pictures) > FPS for pictures in seen):
            time.sleep(0.05)
        for number, (word, share) in enumerate(FAULTS):
            cam.fault(number, word, share)
        time.sleep(for_s)
        for number in range(len(FAULTS)):
            cam.fault(number, "ok")
        stop.set()
        for thread in threads:
            thread.join(10)
    clean = truth(path)
    return [judged(pictures, clean) for pictures in seen]


def main() -> None:
    args = arguments(__doc__, quick="20 s of each instead of two minutes", seed=0).parse_args()
    path = clip(SIZE, FPS, SECONDS)
    rows, figures = [], {}
    right = {word: [0, 0, 0] for word in ("loss", "damage")}
    for name, read in (("freshframe", ours), ("PyAV", pyav)):
        tell(name)
        for (word, share), found in zip(
            FAULTS, watched(read, path, args.seed, 20.0 if args.quick else 120.0), strict=True
        ):
            rows.append(
                [
                    f"{'lost' if word == 'loss' else 'wrong bytes'}, {share:.1%}",
                    name,
                    str(found.pictures),
                    str(found.damaged),
                    _share(found.recall),
                    _share(found.precision),
                    str(found.longest),
                ]
            )
            figures[f"{name} {word} {share}"] = {
                "pictures": found.pictures,
                "damaged": found.damaged,
                "marked": found.marked,
                "right": found.right,
                "longest": found.longest,
            }
            if read is ours:
                for place, count in enumerate((found.right, found.damaged, found.marked)):
                    right[word][place] += count
    tell("")
    verdicts = []
    for word, what in (("loss", "lost packets"), ("damage", "wrong bytes")):
        hit, damaged, marked = right[word]
        verdicts.append(verdict(f"{what}: recall", hit / max(damaged, 1), "≥", RECALL, digits=4))
        verdicts.append(verdict(f"{what}: precision", hit / max(marked, 1), "≥", PRECISION, digits=4))
    finish(
        Report(
            "R5",
            f"is what is damaged marked? (640×360, 30 fps, UDP, seed {args.seed})",
            ["", "reader", "pictures", "damaged", "recall", "precision", "longest"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
