"""Ctrl-C and SIGTERM, whatever state everything is in: an early end, whole files, nothing left behind.

Tests do not time: what is asserted is twice the goal of two seconds. `benchmarks/reliability` measures.
"""

import fcntl
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Self

import av
import pytest
import zmq

from streamer import wire
from streamer.fakecam import FakeCam
from tests.boxes import until
from tests.running import COMMAND, environment
from tests.source_clips import make_clip

pytestmark = pytest.mark.timeout(60)

AT_MOST_S = 4.0
LOOPBACK = "127.0.0.1"
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


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *words],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def session_of(leader: int) -> list[int]:
    """The processes of its session, itself included while nobody has waited for it."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            if int(stat.read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(stat.parent.name))
    return found


def kill_session(leader: subprocess.Popen[str]) -> None:
    """It and whatever it has left: nobody holds its pipes any more. Not waited for yet, its id is its own."""
    if leader.returncode is None:
        leader.kill()
    for pid in session_of(leader.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def nothing_left(session: int) -> bool:
    """No process of that session and no shared memory that its leader named after itself."""
    left = [str(pid) for pid in session_of(session)]
    named = re.compile(rf"(?<!\d){session}(?!\d)")
    left += [path.name for path in Path("/dev/shm").iterdir() if named.search(path.name)]
    assert not left
    return True


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


# ---- pictures come, or came


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", bf="0", g="15")


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


# ---- the other commands that run until they are stopped


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        kill_session(process)
        with suppress(ValueError):  # read to the end already
            process.communicate(timeout=AT_MOST_S)


def test_cameras_and_bad_networks_are_ended_by_one_signal(clip: Path) -> None:
    """With somebody connected through both of them."""
    with ended(command("fakecam", str(clip), "--port", "0", "--control", "0")) as camera:
        assert camera.stdout is not None
        url = camera.stdout.readline().split()[1]
        with ended(command("impair", url, "--delay", "50")) as network:
            assert network.stdout is not None
            through = network.stdout.readline().split()[1]
            with av.open(through, options={"rtsp_transport": "tcp"}, timeout=10) as watched:
                next(iter(watched.decode(video=0)))
                for process, number in ((network, signal.SIGINT), (camera, signal.SIGTERM)):
                    process.send_signal(number)
                    said = process.communicate(timeout=AT_MOST_S)[1]
                    assert process.returncode == 0, said
                    assert "Traceback" not in said
                    nothing_left(process.pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_listen_is_ended_by_one_signal(number: signal.Signals) -> None:
    """Where nothing comes: the publisher takes the subscription and says nothing."""
    with zmq.Context() as context, context.socket(zmq.XPUB) as silent:
        port = silent.bind_to_random_port(f"tcp://{LOOPBACK}")
        with ended(command("listen", f"tcp://{LOOPBACK}:{port}")) as process:
            assert silent.poll(20_000), "it has subscribed"
            process.send_signal(number)
            said = process.communicate(timeout=AT_MOST_S)[1]
            assert process.returncode == 0, said
            assert "Traceback" not in said
            nothing_left(process.pid)


@pytest.fixture
def measuring(tmp_path: Path, clip: Path, yolo26n: Path) -> dict[str, tuple[str, ...]]:
    """Commands that have cameras in a process of their own."""
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text("for: 600\ncameras: {count: 1, size: 320x240}\n")
    model = ("--model", str(yolo26n), "--imgsz", "320")
    return {"bench": ("bench", "--clip", str(clip), *model), "chaos": ("chaos", str(scenario))}


@pytest.mark.parametrize("name", ["bench", "chaos"])
def test_a_measuring_run_is_ended_by_one_signal(measuring: dict[str, tuple[str, ...]], name: str) -> None:
    """In the very moment in which it starts its cameras; an interrupted one is no answer."""
    with ended(command(*measuring[name])) as process:
        until(lambda: children(process.pid) > 0, step_s=0.0005)
        gives_no_answer(process, signal.SIGINT)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["bench", "chaos"])
def test_it_is_at_any_moment(measuring: dict[str, tuple[str, ...]], name: str) -> None:
    """Also while it is still loading what it needs, and twice."""
    chance = random.Random(name)
    for _ in range(20):
        with ended(command(*measuring[name])) as process:
            until(lambda: handles(process.pid, signal.SIGTERM), step_s=0.002)
            threading.Event().wait(chance.uniform(0, 1.5) ** 2)
            number = chance.choice((signal.SIGINT, signal.SIGTERM))
            if chance.random() < 0.3:
                process.send_signal(number)
            gives_no_answer(process, number)


def gives_no_answer(process: subprocess.Popen[str], number: signal.Signals) -> None:
    process.send_signal(number)
    said = process.communicate(timeout=AT_MOST_S)[1]
    assert process.returncode == 1, said
    assert "interrupted" in said
    assert "Traceback" not in said
    until(lambda: sessions_end(process.pid), timeout_s=AT_MOST_S)


def handles(pid: int, number: signal.Signals) -> bool:
    """Has it a handler for that signal? (proc(5), SigCgt)"""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_started_ends_with_who_started_it(clip: Path, fatal: signal.Signals) -> None:
    """Killed, or ended with the child half started: nobody is left who could end it."""
    starter = "import sys; from streamer import held; child = held.start(held.COMMANDS, sys.argv[1:]);"
    starter += "print(child.pid, child.stdout.readline(), flush=True); child.wait()"
    words = [sys.executable, "-c", starter, "fakecam", str(clip), "--port", "0"]
    process = subprocess.Popen(
        words, env=environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with ended(process):
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        process.send_signal(fatal)
        process.communicate(timeout=AT_MOST_S)
        until(lambda: sessions_end(process.pid), timeout_s=AT_MOST_S)


def children(pid: int) -> int:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return len(listed.read_text().split()) if listed.exists() else 0


def sessions_end(pid: int) -> bool:
    """Its cameras were told to end; they take a moment."""
    try:
        return nothing_left(pid)
    except AssertionError:
        return False


SWALLOWS = """
import sys, threading
print("importing", file=sys.stderr, flush=True)
try:
    threading.Event().wait(0.3)
except BaseException:  # as native modules do it while they load
    pass
class Siren:
    takes = __import__("streamer").Result
    def __enter__(self): return self
    def __exit__(self, *exc): ...
    def write(self, result): ...
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_import_swallows_the_signal(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "swallowing.py").write_text(SWALLOWS)
    config = tmp_path / "c.yaml"
    config.write_text(
        'model: {use: "tests.mine:Bright"}\ncameras: {gate: {source: "synthetic:"}}\n'
        'sinks: [{use: "swallowing:Siren"}]\n'
    )
    with ended(command("run", str(config))) as process:
        assert process.stderr is not None
        assert "importing" in process.stderr.readline()
        process.send_signal(number)
        process.communicate(timeout=AT_MOST_S)
        assert process.returncode == 0
