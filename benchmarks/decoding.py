"""P4: what does decoding cost beside PyAV alone?

    .venv/bin/python -m benchmarks.decoding

N cameras are N threads that decode the same clip: ours through the sources (times, checks, lazy
pictures, no conversion), PyAV's as its documentation shows it, with one slice thread. Processor time
of the whole process for each frame, in turn, five times.
"""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import av

from benchmarks.clips import clip
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Spread, interleaved, ratio
from streamer.sources import open_source, parse_address

SIZES = {"1920x1080": (1920, 1080), "1280x720": (1280, 720), "640x360": (640, 360)}
CAMERAS = (1, 4, 8)
GOAL_RATIO, GOAL_MORE_MS = 1.1, 0.15


def pyav(path: Path) -> int:
    """Decode a whole clip with PyAV alone; how many frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "SLICE", 1
        return sum(1 for _ in container.decode(stream))


def ours(path: Path) -> int:
    """The same through our source."""
    with open_source(parse_address(str(path))) as source:
        return sum(1 for _ in source)


def side_by_side(decode: Callable[[Path], int], path: Path, cameras: int) -> Mapping[str, float]:
    """Processor time in ms for each frame."""
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(decode(path))) for _ in range(cameras)]
    cpu_s = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) < cameras:
        raise RuntimeError("a decoder failed")
    return {"cpu_ms": (time.process_time() - cpu_s) / sum(counts) * 1e3}


def main() -> None:
    args = arguments(__doc__).parse_args()
    rows, verdicts, figures = [], [], {}
    for name, size in SIZES.items():
        path = clip(size, seconds=10)
        for cameras in CAMERAS:
            found = interleaved(
                {
                    "pyav": lambda path=path, n=cameras: side_by_side(pyav, path, n),  # type: ignore[misc]
                    "ours": lambda path=path, n=cameras: side_by_side(ours, path, n),  # type: ignore[misc]
                }
            )
            mine, theirs = found["ours"]["cpu_ms"], found["pyav"]["cpu_ms"]
            share = ratio(mine, theirs)
            more = Spread([a - b for a, b in zip(mine.values, theirs.values, strict=True)])
            rows.append([f"{cameras} × {name}", theirs.text(2), mine.text(2), share.text(2), more.text(3)])
            figures[f"{cameras}x{name}"] = {**found, "ratio": share, "more_ms": more}
            if name == "1920x1080":
                verdicts.append(verdict(f"{cameras} × {name}, ours ÷ PyAV", share.median, "≤", GOAL_RATIO))
            else:
                what = f"{cameras} × {name}, more than PyAV"
                verdicts.append(verdict(what, more.median, "≤", GOAL_MORE_MS, " ms", 3))
    finish(
        Report(
            "P4",
            "what does decoding cost beside PyAV alone?",
            ["cameras", "PyAV, CPU ms/frame", "ours", "ratio", "difference, ms"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
