"""R13: Ctrl-C, with the cameras and sinks in any state. How soon is it over, and what is left?

    .venv/bin/python -m benchmarks.reliability.stopping [--quick] [--rounds 5]

`freshframe run` with four cameras, the oracle, JSON lines and ZeroMQ, in a process of its own; SIGINT once it
is where it should be: all cameras healthy, hanging, black-holed, saying nothing to the first word, a
subscriber that has stalled, a FIFO that nobody reads in place of the file. Time: SIGINT → the process gone.
Left: child processes, files in /dev/shm, the ports; the file must be readable to its last line.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from benchmarks.processes import children, free_port
from benchmarks.progress import tell
from benchmarks.reliability.rig import Rig
from benchmarks.report import Report, arguments, finish, verdict
from benchmarks.rounds import ROUNDS, Spread
from streamer.chaos.scenario import Fault
from streamer.wire import MessageError, read_jsonl

CAMERAS = 4
RUNS_S, WAITS_S = 3.0, 30.0
GOAL_S = 2.0
SHM = Path("/dev/shm")


@dataclass(frozen=True, slots=True)
class Case:
    """A state in which SIGINT comes. `at_start`: the cameras are in it before the program begins."""

    words: str = ""
    network: bool = False
    at_start: bool = False
    stalled: bool = False  # a subscriber that takes nothing
    fifo: bool = False


CASES = {
    "all healthy": Case(),
    "all hang in mid-stream": Case("hang"),
    "all behind a black hole": Case("blackhole", network=True),
    "all say nothing from the start": Case("mute", at_start=True),
    "all refuse": Case("refuse"),
    "subscriber stalled": Case(stalled=True),
    "FIFO full, reader stalled": Case(fifo=True),
}
QUICK = ("all healthy", "all behind a black hole", "FIFO full, reader stalled")


@dataclass
class Found:
    """Of all rounds of one case."""

    seconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def once(case: Case, found: Found) -> None:
    """Start, wait, interrupt, look what is left."""
    networked = range(CAMERAS) if case.network else ()
    with tempfile.TemporaryDirectory() as name, Rig(CAMERAS, CAMERAS, networked) as rig:
        folder, port = Path(name), free_port()
        out = folder / "out.jsonl"
        steps = rig.steps([Fault(0, tuple(range(CAMERAS)), case.words, case.network)] if case.words else [])
        if case.at_start:
            steps.do()
        with contextlib.ExitStack() as opened:
            if case.fifo:
                os.mkfifo(out)
                opened.enter_context(_stalled_reader(out))
            if case.stalled:
                opened.enter_context(_stalled_subscriber(port))
            before = _segments()
            process = opened.enter_context(_running(_configuration(folder, rig.urls, port)))
            time.sleep(RUNS_S)
            if steps.next_s is not None:
                steps.do()
                time.sleep(RUNS_S / 2)
            if process.poll() is not None:
                raise RuntimeError(f"it ended by itself, status {process.returncode}")
            below = list(children(process.pid))
            started_s = time.monotonic()
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(WAITS_S)
            found.seconds.append(time.monotonic() - started_s)
            found.statuses.append(-1 if process.poll() is None else process.returncode)
            found.left += [f"process {pid}" for pid in below if Path(f"/proc/{pid}").exists()]
            found.left += sorted(_segments() - before)
            found.left += [] if _free(port) else [f"port {port}"]
        if not case.fifo and not _readable(out):
            found.left.append("a file that cannot be read")
        steps.mend_all()


def _configuration(folder: Path, urls: list[str], port: int) -> Path:
    cameras = "".join(f"  cam{number}: {{source: '{url}'}}\n" for number, url in enumerate(urls))
    path = folder / "run.yaml"
    path.write_text(
        f"model: {{use: 'detectors.oracle:Oracle'}}\ncameras:\n{cameras}sinks:\n"
        f"- {{use: jsonl, path: out.jsonl}}\n- {{use: zmq, endpoint: 'tcp://127.0.0.1:{port}'}}\n",
        "utf-8",
    )
    return path


@contextlib.contextmanager
def _running(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "streamer", "run", str(path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def _stalled_subscriber(port: int) -> Iterator[None]:
    """Subscribes to everything over a connection, and never reads."""
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.RCVHWM, 1)
        subscriber.setsockopt(zmq.RCVBUF, 4096)
        subscriber.setsockopt(zmq.LINGER, 0)
        subscriber.subscribe(b"")
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        yield


@contextlib.contextmanager
def _stalled_reader(path: Path) -> Iterator[None]:
    """Opens a FIFO, so that writing can begin, and never reads."""
    over = threading.Event()

    def hold() -> None:
        with path.open("rb"):
            over.wait()

    thread = threading.Thread(target=hold, name="stalled reader", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        # Where nobody came to write, it still waits in `open`.
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        thread.join()


def _segments() -> set[str]:
    return {path.name for path in SHM.iterdir()} if SHM.is_dir() else set()


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what only lingers is no owner
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _readable(path: Path) -> bool:
    try:
        for _ in read_jsonl(path):
            pass
    except (MessageError, OSError):
        return False
    return not path.stat().st_size or path.read_bytes().endswith(b"\n")


def main() -> None:
    parser = arguments(__doc__, quick="three cases, once each", rounds=ROUNDS)
    parser.add_argument("--case", action="append", choices=CASES, metavar="NAME", help=", ".join(CASES))
    args = parser.parse_args()
    rows, verdicts, figures = [], [], {}
    for name in args.case or (QUICK if args.quick else CASES):
        found = figures[name] = Found()
        for number in range(1 if args.quick else args.rounds):
            tell(f"{name}: round {number + 1}")
            once(CASES[name], found)
        rows.append(
            [
                name,
                Spread(found.seconds).text(2),
                ", ".join(str(status) for status in sorted(set(found.statuses))),
                ", ".join(found.left) or "nothing",
            ]
        )
        verdicts.append(verdict(f"{name}: ended after, at most", max(found.seconds), "≤", GOAL_S, " s"))
    finish(
        Report(
            "R13",
            f"SIGINT → the process is gone ({CAMERAS} cameras; median and range)",
            ["", "s", "exit status", "left behind"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
