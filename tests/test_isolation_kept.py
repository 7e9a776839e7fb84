"""How long the process of a camera is kept, and when it is started again."""

import contextlib
import gc
import os
import signal
import socket
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from streamer import Cause, SourceError
from streamer.fakecam import FakeCam
from streamer.isolation.messages import Opened, encode
from streamer.isolation.process import Process
from streamer.isolation.starting import start
from tests import decoder_processes
from tests.boxes import until
from tests.decoder_processes import Played, gone, held, in_thread, isolated

pytestmark = pytest.mark.timeout(60)
nothing_held_by_others = decoder_processes.nothing_held_by_others
clip = decoder_processes.clip


def test_a_camera_that_is_away_costs_no_process_for_each_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source, before, pids = isolated(f"rtsp://127.0.0.1:{port}/cam"), held(), set()
    for _ in range(10):
        with pytest.raises(SourceError) as caught, source:
            pass
        assert caught.value.cause is Cause.NETWORK
        assert source.pid is not None
        pids.add(source.pid)
    assert len(pids) == 1
    source.stop()
    assert gone(pids.pop())
    until(lambda: held() == before)


def test_one_that_nobody_stops_ends_with_its_source() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = isolated(f"rtsp://127.0.0.1:{port}/cam")
    with contextlib.suppress(SourceError), source:
        pass
    pid = source.pid
    assert pid is not None
    assert not gone(pid)
    del source
    gc.collect()
    assert gone(pid)


def test_a_lost_connection_costs_no_process(clip: Path) -> None:
    with FakeCam([clip]) as fake:
        source, pids = isolated(fake.urls[0]), set()
        for _ in range(3):
            with contextlib.suppress(SourceError), source:
                for _ in source:
                    fake.fault(0, "drop")
            pids.add(source.pid)
    (pid,) = pids
    assert pid is not None
    assert not gone(pid)
    source.stop()
    assert gone(pid)


def test_a_process_that_died_while_nobody_read_it_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = isolated(f"rtsp://127.0.0.1:{port}/cam")
    pids = []
    for _ in range(2):
        with pytest.raises(SourceError) as caught, source:
            pass
        assert caught.value.cause is Cause.NETWORK
        pid = source.pid
        assert pid is not None
        pids.append(pid)
        os.kill(pid, signal.SIGKILL)
        process = source._process
        assert process is not None
        until(lambda process=process: not process.alive)  # type: ignore[misc]
    assert pids[0] != pids[1]
    source.stop()
    assert all(gone(pid) for pid in pids)


def test_one_that_dies_before_a_picture_is_started_ever_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_ns, started_ns = 0, []

    def begun(_: object) -> Played:
        started_ns.append(now_ns)
        return Played(lambda channel: channel.send(encode(Opened())))

    monkeypatch.setattr("streamer.isolation.source.start", begun)
    monkeypatch.setattr("streamer.isolation.deaths.time.monotonic_ns", lambda: now_ns)
    source, reasons = isolated(), set()
    while len(started_ns) < 10:
        with pytest.raises(SourceError) as caught, source:
            list(source)
        assert caught.value.cause is Cause.CRASH
        reasons.add(str(caught.value).partition(";")[0])
        now_ns += 10**8
    pauses_s = [round((later - sooner) / 1e9, 1) for sooner, later in pairwise(started_ns)]
    assert pauses_s == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert len(reasons) == 1
    assert "died (signal 9) before its first picture" in reasons.pop()


def test_stopped_while_it_starts_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    starting, on = threading.Event(), threading.Event()

    def slow(user: int) -> Process:
        starting.set()
        assert on.wait(10)
        return start(user)

    monkeypatch.setattr("streamer.isolation.source.start", slow)
    source, before, errors = isolated(), held(), []

    def use() -> None:
        try:
            with source:
                pass
        except SourceError as error:
            errors.append(str(error))

    thread = in_thread(use)
    assert starting.wait(10)
    source.stop()  # would hang here
    source.renew()
    on.set()
    thread.join(5)
    assert "was stopped" in errors[0]
    assert source.pid is None
    until(lambda: held() == before)
