"""Ctrl-C and SIGTERM, whatever state everything is in: an early end, whole files, nothing left behind.

Tests do not time: what is asserted is twice the goal of two seconds. `benchmarks/reliability` measures.
"""

import fcntl
import json
import os
import re
import signal
import socket
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Self

import av
import pytest
import stopped
import zmq
from stopped import AT_MOST_S, LOOPBACK, command, kill_session, nothing_left

from streamer import wire
from streamer.fakecam import FakeCam
from tests.boxes import until

pytestmark = pytest.mark.timeout(60)

clip = stopped.clip


WATCHER = """
import time
from tests.mine import Bright

class Loading(Bright):
    '''Its network takes for ever to load.'''
    def __enter__(self):
        print("loading", flush=True)
        time.sleep(600)

class Thinking(Bright):
    '''It never comes back from its first look, as a driver that hangs.'''
    def detect(self, views):
        print("thinking", flush=True)
        time.sleep(600)
"""


class Watcher:
    """`freshframe run` in a session of its own, with its output read line by line."""

    def __init__(
        self, folder: Path, *cameras: str, model: str = "tests.mine:Bright", sinks: str = "", more: str = ""
    ) -> None:
        self.folder = folder
        (folder / "watcher.py").write_text(WATCHER)
        lines = "".join(f"  cam{n}: {{source: '{source}'{more}}}\n" for n, source in enumerate(cameras))
        wanted = sinks or "  - {use: jsonl, path: out.jsonl}\n"
        config = folder / "cameras.yaml"
        config.write_text(f'model: {{use: "{model}"}}\ncameras:\n{lines}sinks:\n{wanted}')
        self._words = ["run", str(config)]
        self.out = ""
        self.said = ""

    def __enter__(self) -> Self:
        self.process = command(*self._words)
        self._readers = [
            threading.Thread(target=self._keep, args=(name, stream))
            for name, stream in (("out", self.process.stdout), ("said", self.process.stderr))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *exc: object) -> None:
        kill_session(self.process)
        self.process.wait()
        for reader in self._readers:
            reader.join()

    def _keep(self, name: str, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                setattr(self, name, getattr(self, name) + line)

    def stopped_by(self, number: signal.Signals) -> None:
        """Send one signal and see a clean end: in time, status 0, no traceback, nothing left."""
        assert self.process.poll() is None, self.said
        self.process.send_signal(number)
        status = self.process.wait(AT_MOST_S)
        for reader in self._readers:
            reader.join(AT_MOST_S)  # a process that was left would hold their pipes
            assert not reader.is_alive()
        assert status == 0, self.said
        assert "Traceback" not in self.said
        assert nothing_left(self.process.pid)


# ---- cameras that nothing comes from


@contextmanager
def black_hole() -> Iterator[tuple[str, Callable[[], bool]]]:
    """An address where connecting never ends: nobody accepts, and the queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [stack.enter_context(socket.socket()) for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex((LOOPBACK, port))
        mine = {filler.getsockname()[1] for filler in fillers}
        yield f"rtsp://{LOOPBACK}:{port}/cam", lambda: connecting(port, mine)


def connecting(port: int, but: set[int]) -> bool:
    """Does somebody else wait for this port to accept? (proc(5), /proc/net/tcp: 02 is SYN_SENT)"""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state = line.split()[:4]
        if (int(remote[-4:], 16), state) == (port, "02") and int(local[-4:], 16) not in but:
            return True
    return False


@contextmanager
def conversation(answers: dict[str, str]) -> Iterator[tuple[str, Callable[[], bool]]]:
    """A server that answers some requests and says nothing to the others."""
    asked: list[str] = []
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((LOOPBACK, 0)))

        def serve() -> None:
            while True:
                try:
                    caller = stack.enter_context(listener.accept()[0])
                except OSError:
                    return
                with suppress(OSError), caller.makefile("r", newline="\r\n") as lines:  # it has gone
                    head: list[str] = []
                    for line in lines:
                        head.append(line)
                        if line != "\r\n":
                            continue
                        method = head[0].split()[0]
                        asked.append(method)
                        cseq = next(each for each in head if each.lower().startswith("cseq"))
                        if method in answers:
                            caller.sendall(f"RTSP/1.0 200 OK\r\n{cseq}{answers[method]}\r\n".encode())
                        head.clear()

        # Left behind in a read where its caller still holds on; a daemon, and the sockets are closed.
        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        yield f"rtsp://{LOOPBACK}:{port}/cam", lambda: any(method not in answers for method in asked)
        listener.shutdown(socket.SHUT_RDWR)


STATES = {
    "connecting to a black hole": (black_hole, signal.SIGINT),
    "accepted, and nothing is said": (lambda: conversation({}), signal.SIGTERM),
    "DESCRIBE is never answered": (
        lambda: conversation({"OPTIONS": "Public: DESCRIBE, SETUP, PLAY\r\n"}),
        signal.SIGINT,
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_every_camera_hangs(tmp_path: Path, state: str) -> None:
    hanging, number = STATES[state]
    with hanging() as (url, in_it), Watcher(tmp_path, url, url) as watcher:
        until(in_it)
        watcher.stopped_by(number)
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_waiting_to_try_again(tmp_path: Path) -> None:
    with Watcher(tmp_path, f"rtsp://{LOOPBACK}:1/cam") as watcher:
        until(lambda: "refused" in watcher.said)
        watcher.stopped_by(signal.SIGINT)


FILES = "  - {use: jsonl, path: out.jsonl}\n  - {use: video, path: 'out/{camera}.mp4'}\n"


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.mark.parametrize(
    ("fault", "number", "more"),
    [
        ("ok", signal.SIGTERM, ""),
        ("hang", signal.SIGINT, ""),
        ("refuse", signal.SIGTERM, ""),
        ("ok", signal.SIGINT, ", isolation: process"),
        ("hang", signal.SIGTERM, ", isolation: process"),
    ],
)
def test_in_mid_stream_files_are_whole(
    tmp_path: Path, clip: Path, fault: str, number: signal.Signals, more: str
) -> None:
    """Healthy, hanging with the connection open, and lost for good; decoded in a process of its own, too."""
    with FakeCam([clip]) as camera, Watcher(tmp_path, camera.urls[0], sinks=FILES, more=more) as watcher:
        until(lambda: lines_in(tmp_path / "out.jsonl") >= 20)
        camera.fault(0, fault)
        watcher.stopped_by(number)
    text = (tmp_path / "out.jsonl").read_text()
    assert text.endswith("\n")
    assert len([json.loads(line) for line in text.splitlines()]) >= 20
    assert len(list(wire.read_jsonl(tmp_path / "out.jsonl"))) == len(text.splitlines())
    assert frames_in(tmp_path / "out" / "cam0.mp4") >= 12  # the disk may have been behind by a backlog
    assert re.search(r"^cam0 +\d+ ", watcher.said, re.MULTILINE), "the account"


# ---- the detector and the sinks


@pytest.mark.parametrize(
    ("model", "word"), [("watcher:Loading", "loading"), ("watcher:Thinking", "thinking")]
)
def test_a_detector_that_never_comes_back(tmp_path: Path, model: str, word: str) -> None:
    with Watcher(tmp_path, "synthetic:?size=64x64", model=model) as watcher:
        until(lambda: word in watcher.out)
        watcher.stopped_by(signal.SIGINT)


@contextmanager
def unread_pipe(path: Path) -> Iterator[Callable[[], bool]]:
    """A FIFO that is open and never read; says when no other line fits."""
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    room = fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4096)

    def full() -> bool:
        held: int = struct.unpack("i", fcntl.ioctl(end, termios.FIONREAD, bytes(4)))[0]
        return held > room - 1024

    try:
        yield full
    finally:
        os.close(end)


PIPE = "  - {use: jsonl, path: pipe.jsonl}\n  - {use: jsonl, path: out.jsonl}\n"
STREAM = "synthetic:?size=64x64&fps=200"


@contextmanager
def stuck(folder: Path) -> Iterator[Watcher]:
    """One of two sinks hangs in its write; the other one runs on."""
    out = folder / "out.jsonl"
    with unread_pipe(folder / "pipe.jsonl") as full, Watcher(folder, STREAM, sinks=PIPE) as watcher:
        until(full)
        before = lines_in(out)
        until(lambda: lines_in(out) > before + 5)
        yield watcher


def test_a_sink_that_is_stuck(tmp_path: Path) -> None:
    with stuck(tmp_path) as watcher:
        watcher.stopped_by(signal.SIGTERM)
    assert (tmp_path / "out.jsonl").read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGTERM, signal.SIGINT),
    ],
)
def test_the_second_one_ends_it_at_once(
    tmp_path: Path, first: signal.Signals, second: signal.Signals
) -> None:
    """A clean end takes its time here, for the sink is waited for; who has no patience need not have any."""
    with stuck(tmp_path) as watcher:
        watcher.process.send_signal(first)
        threading.Event().wait(0.5)  # nobody presses a key twice in less, and the end takes longer
        watcher.process.send_signal(second)
        assert watcher.process.wait(AT_MOST_S) == -second, watcher.said
        nothing_left(watcher.process.pid)
    whole = (tmp_path / "out.jsonl").read_bytes().rpartition(b"\n")[0]
    assert len([json.loads(line) for line in whole.splitlines()]) > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_in_one_moment_are_one(tmp_path: Path, number: signal.Signals) -> None:
    """`timeout` signals a process and then its group; `make` and shells do the like."""
    with Watcher(tmp_path, "synthetic:?size=64x64", sinks=FILES) as watcher:
        until(lambda: lines_in(tmp_path / "out.jsonl") >= 20)
        watcher.process.send_signal(number)
        watcher.stopped_by(number)
    assert (tmp_path / "out.jsonl").read_bytes().endswith(b"\n")
    assert frames_in(tmp_path / "out" / "cam0.mp4") >= 12


def test_a_subscriber_that_takes_nothing(tmp_path: Path) -> None:
    """What is queued for it must not hold up the end, nor the port."""
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    endpoint = f"tcp://{LOOPBACK}:{port}"
    sinks = f"  - {{use: zmq, endpoint: '{endpoint}'}}\n  - {{use: jsonl, path: out.jsonl}}\n"
    with zmq.Context() as context, context.socket(zmq.SUB) as stalled:
        stalled.setsockopt(zmq.RCVHWM, 1)
        stalled.setsockopt(zmq.RCVBUF, 2048)
        stalled.setsockopt(zmq.LINGER, 0)
        stalled.subscribe(b"")
        with Watcher(tmp_path, *[STREAM] * 4, sinks=sinks) as watcher:
            stalled.connect(endpoint)
            assert stalled.poll(10_000), "the subscriber is there, and takes nothing of what has come"
            before = lines_in(tmp_path / "out.jsonl")
            until(lambda: lines_in(tmp_path / "out.jsonl") >= before + 500, step_s=0.02)
            watcher.stopped_by(signal.SIGTERM)
    with socket.create_server((LOOPBACK, port)):
        pass
