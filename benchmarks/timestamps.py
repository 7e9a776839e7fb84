"""P9: how much delay does decoding add, and are the times true?

    .venv/bin/python -m benchmarks.timestamps

One live RTSP camera in a process of its own, H.264 720p30 with a watermark, read over TCP and over UDP.
For each frame: the camera sent its last byte → its packet came out of the demuxer → its picture was
there. FFmpeg's parser knows the end of a frame by the beginning of the next one, so that one interval
in the first step is its own. Times: `pts` against the frame's number in the watermark, and the camera's
own clock (RTCP sender reports) against the same number, and against the moment it sent the frame.
"""

import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.cameras import cameras
from benchmarks.clips import clip
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Figures, interleaved
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.watermark import Mark, read

FPS = 30
FRAMES = 240
WARM_UP = 30


def run(path: Path, transport: str) -> Figures:
    """One connection."""
    rows = []
    with cameras([path]) as served:
        with open_source(parse_address(served.urls[0]), SourceOptions(transport=transport)) as source:
            for captured in source:
                decoded_ns = time.monotonic_ns()
                mark = read(captured.picture.bgr()).mark
                if mark is None:
                    raise RuntimeError("a frame whose watermark cannot be read")
                times_ns = captured.captured_ns, decoded_ns, captured.pts_ns or 0, captured.source_ns or 0
                rows.append((mark.frame, *times_ns))
                if len(rows) == FRAMES + WARM_UP:
                    break
        sent = served.sent()
    rows = rows[WARM_UP:]
    numbers = np.unwrap([row[0] for row in rows], period=FPS * 30)
    sent_ns = np.array([row[2] - (sent.true_age_ns(Mark(0, row[0]), row[2]) or 0) for row in rows])
    captured_ns, decoded_at_ns, pts_ns, source_ns = np.array([row[1:] for row in rows], np.int64).T
    true_ns = (numbers - numbers[0]) * 1e9 / FPS
    unix_ns = time.time_ns() - time.monotonic_ns()
    return {
        "sent_to_packet_ms": float(np.median(captured_ns - sent_ns)) / 1e6,
        "packet_to_picture_ms": float(np.median(decoded_at_ns - captured_ns)) / 1e6,
        "pts_error_ms": float(np.percentile(np.abs(pts_ns - pts_ns[0] - true_ns), 99.9)) / 1e6,
        "source_time_error_ms": float(np.percentile(np.abs(source_ns - source_ns[0] - true_ns), 99.9)) / 1e6,
        "source_time_off_ms": abs(float(np.median(source_ns - sent_ns - unix_ns))) / 1e6,
        "skipped": float((np.diff(numbers) != 1).sum()),
    }


def main() -> None:
    args = arguments(__doc__).parse_args()
    path = clip(fps=FPS, seconds=30)
    found = interleaved({name: partial(run, path, name) for name in ("tcp", "udp")})
    keys = (
        "sent_to_packet_ms",
        "packet_to_picture_ms",
        "pts_error_ms",
        "source_time_error_ms",
        "source_time_off_ms",
    )
    rows = [[name, *(one[key].text(2) for key in keys)] for name, one in found.items()]
    interval_ms = 1000 / FPS
    verdicts = []
    for name, one in found.items():
        whole = one["sent_to_packet_ms"].median + one["packet_to_picture_ms"].median
        verdicts += [
            verdict(
                f"{name}: sent → picture",
                whole,
                "≤",
                round(2 * interval_ms, 1),
                " ms (parser's frame + one)",
                1,
            ),
            verdict(f"{name}: pts true, p99.9", one["pts_error_ms"].median, "≤", 1, " ms"),
            verdict(f"{name}: source_time even, p99.9", one["source_time_error_ms"].median, "≤", 1, " ms"),
            verdict(f"{name}: source_time true, median", one["source_time_off_ms"].median, "≤", 1, " ms"),
        ]
    finish(
        Report(
            "P9",
            "what delay does decoding add, and are the times true? (720p30, live)",
            [
                "transport",
                "sent → packet ms",
                "packet → picture ms",
                "pts error p99.9 ms",
                "source_time error p99.9 ms",
                "off by ms",
            ],
            rows,
            verdicts,
            found,
        ),
        args,
    )


if __name__ == "__main__":
    main()
