"""R12: what do 64 healthy subscribers notice of one that has stalled?

    .venv/bin/python -m benchmarks.subscribers [--seconds 6]

Four cameras at 30 fps (ten boxes a message) are published to 64 subscribers in a process of their own,
which note when each message arrives. Beside them, in turn, one more in a process of its own: healthy, or
stopped by SIGSTOP right after it has subscribed. Published is `Publisher.write`, paced by the clock.
The messages are padded with boxes so that a stalled queue would show in the memory if it grew.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.publishing import result
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import Figures, interleaved, ratio
from sinks.publisher import Publisher

HEALTHY, CAMERAS, FPS = 64, 4, 30.0
GOAL, GOAL_MB = 1.1, 64.0

# Bare sockets: what the publisher does to them is the question, not what our client costs.
READERS = """
import sys, time, zmq
count, address = int(sys.argv[1]), sys.argv[2]
context, poller, sockets = zmq.Context(), zmq.Poller(), []
for _ in range(count):
    socket = context.socket(zmq.SUB)
    socket.connect(address)
    socket.subscribe(b"det.")
    poller.register(socket, zmq.POLLIN)
    sockets.append(socket)
heard, counts, late_us = set(), set(), []
mark = b'"captured_mono_ns":'
while True:
    for socket, _ in poller.poll(1000):
        while True:
            try:
                packet = socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                break
            now_ns = time.monotonic_ns()
            if packet.startswith(b"det.end"):
                counts.discard(socket)
                if not counts:
                    print(*sorted(late_us), flush=True)
                    sys.exit()
                continue
            if packet.startswith(b"det.begin"):
                counts.add(socket)
                continue
            at = packet.index(mark) + len(mark)
            sent_ns = int(packet[at : packet.index(b",", at)])
            if len(heard) < count:
                heard.add(socket)
                if len(heard) == count:
                    print("ready", flush=True)
            if socket in counts:
                late_us.append((now_ns - sent_ns) // 1000)
"""


@contextmanager
def reading(count: int, address: str) -> "Iterator[subprocess.Popen[str]]":
    command = [sys.executable, "-c", READERS, str(count), address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


class Pace:
    """Publishes of each camera in turn when it is time to; `captured` is the moment of writing."""

    def __init__(self, publisher: Publisher, boxes: int) -> None:
        made = result()
        seen = made.detections
        many: list[Any] = [
            np.resize(seen.xyxy, (boxes, 4)),
            np.resize(seen.score, boxes),
            np.resize(seen.class_id, boxes),
        ]
        self._made = replace(made, detections=replace(seen, xyxy=many[0], score=many[1], class_id=many[2]))
        self._publisher = publisher
        self._index = 0

    def write(self, camera: str) -> None:
        frame = replace(self._made.frame, camera=camera, captured_ns=time.monotonic_ns())
        self._publisher.write(replace(self._made, frame=frame))

    def go_on(self, seconds: float, fps: float) -> None:
        started = time.perf_counter()
        while (due := started + self._index / (fps * CAMERAS)) < started + seconds:
            time.sleep(max(0.0, due - time.perf_counter()))
            self.write(f"cam{self._index % CAMERAS}")
            self._index += 1
        self._index = 0


def resident_mb() -> float:
    """What of this process is in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def run(
    *, stalled: bool, seconds: float, healthy: int = HEALTHY, fps: float = FPS, boxes: int = 10
) -> Figures:
    """Delays of all messages at all healthy subscribers, ms; and how much our memory grew, MB."""
    with Publisher("tcp://127.0.0.1:*") as publisher:
        pace = Pace(publisher, boxes)
        with reading(healthy, publisher.address) as readers, reading(1, publisher.address) as other:
            for process in (readers, other):
                assert process.stdout is not None
                os.set_blocking(process.stdout.fileno(), False)
                while process.stdout.readline() != "ready\n":
                    pace.go_on(0.1, FPS)
                os.set_blocking(process.stdout.fileno(), True)
            if stalled:
                other.send_signal(signal.SIGSTOP)
            pace.write("begin")
            before_mb = resident_mb()
            pace.go_on(seconds, fps)
            grown_mb = resident_mb() - before_mb
            pace.write("end")
            assert readers.stdout is not None
            late_us = np.array(readers.stdout.readline().split(), np.int64)
    sent = len(range(round(seconds * fps * CAMERAS)))
    return {
        "p50_ms": float(np.percentile(late_us, 50)) / 1e3,
        "p99_ms": float(np.percentile(late_us, 99)) / 1e3,
        "arrived": len(late_us) / (sent * healthy),
        "grown_mb": grown_mb,
    }


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    args = parser.parse_args()
    quiet, stalled = f"{HEALTHY} and one more, all healthy", f"{HEALTHY} healthy, one stopped"
    found = interleaved(
        {
            quiet: partial(run, stalled=False, seconds=args.seconds),
            stalled: partial(run, stalled=True, seconds=args.seconds),
        }
    )
    share = ratio(found[stalled]["p99_ms"], found[quiet]["p99_ms"])
    flood = run(stalled=True, seconds=args.seconds, healthy=4, fps=10 * FPS, boxes=100)
    rows = [
        [name, one["p50_ms"].text(2), one["p99_ms"].text(2), one["arrived"].text(3), one["grown_mb"].text(1)]
        for name, one in found.items()
    ]
    rows.append(
        [
            f"4 healthy, one stopped, {10 * FPS:.0f} fps of 100 boxes",
            *(f"{flood[key]:.{digits}f}" for key, digits in (("p50_ms", 2), ("p99_ms", 2), ("arrived", 3))),
            f"{flood['grown_mb']:.1f}",
        ]
    )
    finish(
        Report(
            "R12",
            f"what do healthy subscribers notice of a stalled one? ({CAMERAS} cameras of {FPS:.0f} fps)",
            ["", "p50 ms", "p99 ms", "arrived", "memory grew, MB"],
            rows,
            [
                verdict("p99 beside a stalled one ÷ beside a healthy one", share.median, "≤", GOAL),
                f"its spread: {share.text(2)}",
                verdict(
                    "memory that a stalled one costs under a flood", flood["grown_mb"], "≤", GOAL_MB, " MB", 1
                ),
            ],
            {**found, "ratio": share, "flood": flood},
        ),
        args,
    )


if __name__ == "__main__":
    main()
