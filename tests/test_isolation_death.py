"""A decoder that dies: it costs its camera a moment, the others nothing, and leaks nothing."""

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamer import Camera, Cause, Pipeline, SourceError
from streamer.isolation import Isolated, deaths
from streamer.isolation.process import Process
from streamer.sources import open_source, parse_address
from streamer.watermark import read
from tests import decoder_processes
from tests.boxes import Keeper, Looker, until
from tests.decoder_processes import CAMERA, gone, held, isolated, watch
from tests.running import environment, started

pytestmark = pytest.mark.timeout(60)
nothing_held_by_others = decoder_processes.nothing_held_by_others


def test_a_crash_is_an_error_of_this_camera_and_entering_again_goes_on() -> None:
    source = isolated()
    for number in (signal.SIGSEGV, signal.SIGKILL):
        with source:
            pictures = iter(source)
            captured = next(pictures)
            assert source.pid is not None
            os.kill(source.pid, number)
            with pytest.raises(SourceError, match=rf"died \(signal {number:d}\)") as caught:
                list(pictures)
        assert caught.value.cause is Cause.CRASH
        assert read(captured.picture.bgr()).mark is not None
    with source:
        assert next(iter(source)).captured_ns > captured.captured_ns


@pytest.mark.parametrize("times", [8, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_instants_it_leaks_nothing_and_shows_nothing_torn(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deaths, "FIRST_S", 0.0)
    luck = random.Random(times)
    seen: list[int] = []
    source = isolated()
    with source:
        next(iter(source))
    before = held()
    for _ in range(times):
        with source:
            pid = source.pid
            assert pid is not None
            killer = threading.Timer(luck.uniform(0, 0.05), os.kill, (pid, signal.SIGKILL))
            killer.start()
            with pytest.raises(SourceError, match="signal 9"):
                watch(source, seen)
        killer.join()
        assert gone(pid)
    source.stop()
    assert seen
    until(lambda: held() == before)


def test_killed_while_it_starts_it_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    luck, begin, before = random.Random(3), Isolated._begin, held()

    def killed(self: Isolated, process: Process) -> None:
        threading.Event().wait(luck.uniform(0, 0.1))
        process.kill()
        begin(self, process)

    monkeypatch.setattr(Isolated, "_begin", killed)
    monkeypatch.setattr(deaths, "FIRST_S", 0.0)
    source = isolated()
    for _ in range(5):
        with pytest.raises(SourceError, match=r"died \(signal 9\) before its first picture"), source:
            pass
    source.stop()
    until(lambda: held() == before)


def test_a_pipeline_loses_one_camera_for_a_moment_and_the_others_not_a_frame() -> None:
    struck = isolated()
    other = "synthetic:?size=320x240&fps=50&seed=2"
    pipeline, keeper, detector = Pipeline(), Keeper(), Looker()
    pipeline.add(Camera("struck", struck, seed=1), detector)
    pipeline.add(Camera("other", open_source(parse_address(other))), detector)
    pipeline.sink(keeper)
    with pipeline:
        for _ in range(3):
            had = len(keeper.of("struck"))
            until(lambda had=had: len(keeper.of("struck")) > had + 5)  # type: ignore[misc]
            assert struck.pid is not None
            os.kill(struck.pid, signal.SIGSEGV)
            epoch = keeper.of("struck")[-1].frame.epoch
            until(lambda epoch=epoch: keeper.of("struck")[-1].frame.epoch > epoch)  # type: ignore[misc]
        camera = next(camera for camera in pipeline.stats().cameras if camera.name == "struck")
        assert camera.reconnects[Cause.CRASH] == 3
    assert {result.frame.epoch for result in keeper.of("other")} == {0}
    assert struck.pid is None


PARENT = """
import sys, threading
from streamer.isolation import Isolated
from streamer.sources import parse_address
with Isolated(parse_address(sys.argv[1])) as source:
    for captured in source:
        print(source.pid, flush=True)
        threading.Event().wait()
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_no_orphan_is_left_when_the_parent_is_killed(stopped: bool) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CAMERA], env=environment(), stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if stopped:  # it cannot see that its parent is gone: the kernel ends it
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    until(lambda: gone(pid), timeout_s=5)


RUN = """
model: {use: "tests.mine:Bright"}
cameras: {hostile: {source: "synthetic:?size=320x240", isolation: process}}
sinks: [{use: jsonl, path: seen.jsonl}]
"""


def test_a_configuration_asks_for_it_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "cameras.yaml").write_text(RUN)
    seen = tmp_path / "seen.jsonl"
    with started("run", tmp_path / "cameras.yaml") as process:
        until(lambda: seen.exists() and seen.read_text().count("\n") > 3, timeout_s=20)
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        children = [pid for task in tasks for pid in (task / "children").read_text().split()]
        assert len(children) == 2, "one, and a spare"
        assert all("isolation.child" in Path(f"/proc/{pid}/cmdline").read_text() for pid in children)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert "died" not in said
    assert all(gone(int(pid)) for pid in children)
