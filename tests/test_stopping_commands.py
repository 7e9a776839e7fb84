"""The other commands that run until they are stopped: each is ended by one signal."""

import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import av
import pytest
import stopped
import zmq
from stopped import AT_MOST_S, LOOPBACK, command, ended, nothing_left

from tests.boxes import until
from tests.running import environment

pytestmark = pytest.mark.timeout(60)

clip = stopped.clip


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
        said = process.communicate(timeout=AT_MOST_S)[1]
        assert process.returncode == 0, said
