"""Stopping the process of a camera, and what it may not do."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from streamer import Cause, SourceError
from tests import decoder_processes
from tests.boxes import until
from tests.decoder_processes import gone, held, in_thread, isolated, silent_camera
from tests.running import environment

pytestmark = pytest.mark.timeout(60)
nothing_held_by_others = decoder_processes.nothing_held_by_others


def test_stopping_ends_it_while_it_waits_for_the_camera() -> None:
    before, causes = held(), []
    with silent_camera() as url:
        source = isolated(url)

        def use() -> None:
            try:
                with source:
                    pass
            except SourceError as error:
                causes.append(error.cause)

        thread = in_thread(use)
        until(lambda: source.pid is not None)
        pid = source.pid
        source.stop()
        thread.join(3)
        assert not thread.is_alive()
        assert pid is not None
        assert gone(pid)
    assert causes == [Cause.ENDED]
    until(lambda: held() == before)
    with pytest.raises(SourceError, match="stopped"), source:
        pass


def test_stopping_ends_the_iteration() -> None:
    source = isolated()
    with source:
        for _ in source:
            source.stop()
    assert source.pid is None


def test_one_waits_to_take_the_place_of_one_that_dies() -> None:
    def children() -> set[int]:
        tasks = Path("/proc/self/task").iterdir()
        return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}

    def spare() -> int:
        until(lambda: len(children() - before) == 2)
        (pid,) = children() - before - {source.pid or 0}
        return pid

    source, before, expected = isolated(), children(), 0
    for _ in range(3):
        with contextlib.suppress(SourceError), source:
            pictures = iter(source)
            next(pictures)
            assert source.pid is not None
            assert expected in (0, source.pid)
            expected = spare()
            os.kill(source.pid, signal.SIGKILL)
            list(pictures)
    os.kill(expected, signal.SIGKILL)
    until(lambda: Path(f"/proc/{expected}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    with source:
        assert next(iter(source)).picture.size == (320, 240)
        assert source.pid != expected
        spare()
    until(lambda: children() == before)


def test_one_that_does_not_listen_is_killed() -> None:
    source, before = isolated(), held()
    with source:
        next(iter(source))
        assert source.pid is not None
        pid = source.pid
        os.kill(pid, signal.SIGSTOP)
    assert gone(pid)
    until(lambda: held() == before)


def test_a_new_one_in_place_of_one_that_hangs() -> None:
    first = isolated()
    with first:
        for _ in first:
            assert first.pid is not None
            os.kill(first.pid, signal.SIGSTOP)
            with first.renew() as second:
                assert next(iter(second)).picture.size == (320, 240)
    with pytest.raises(SourceError, match="stopped"), first:
        pass


def test_the_password_is_neither_in_its_arguments_nor_in_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "other-word")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = isolated(f"rtsp://me:secret-word@127.0.0.1:{server.getsockname()[1]}/cam")

        def use() -> None:
            with pytest.raises(SourceError), source:
                pass

        thread = in_thread(use)
        connection, _ = server.accept()  # it has the address by now
        with connection:
            told = [Path(f"/proc/{source.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
            source.stop()
            thread.join(5)
    assert b"streamer.isolation.child" in told[0]
    for secret in (b"secret-word", b"other-word"):
        assert all(secret not in text for text in told)


def test_it_keeps_what_connections_need_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "https_proxy", "HTTPS_PROXY", "NO_PROXY", "OTHER"):
        monkeypatch.setenv(name, f"/{name}")
    with isolated() as source:
        environ = Path(f"/proc/{source.pid}/environ").read_text().split("\0")
    assert "SSL_CERT_FILE=/SSL_CERT_FILE" in environ
    assert {"SSL_CERT_DIR=/SSL_CERT_DIR", "https_proxy=/https_proxy"} <= set(environ)
    assert {"HTTPS_PROXY=/HTTPS_PROXY", "NO_PROXY=/NO_PROXY"} <= set(environ)
    assert "OTHER=/OTHER" not in environ


def test_it_is_confined() -> None:
    with isolated() as source:
        next(iter(source))
        limits = Path(f"/proc/{source.pid}/limits").read_text().splitlines()
        most = {line[:26].strip(): line[26:].split()[:2] for line in limits}
        status = Path(f"/proc/{source.pid}/status").read_text()
        descriptors = {str(Path(f"/proc/{source.pid}/fd/{number}").readlink()) for number in (0, 1, 2)}
        assert source.pid is not None
        assert os.getsid(source.pid) == source.pid
    assert most["Max core file size"] == most["Max file size"] == ["0", "0"]
    assert most["Max data size"] == [str(1 << 30)] * 2
    assert "NoNewPrivs:\t1" in status
    assert descriptors == {"/dev/null"}


def test_its_memory_is_bounded() -> None:
    code = """
import numpy as np
from streamer.isolation.confinement import confine
confine()
held = []
try:
    while True:
        held.append(np.empty(64 << 20, np.uint8))
except MemoryError:
    print(len(held) * 64)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert 512 <= int(done.stdout) <= 1024
