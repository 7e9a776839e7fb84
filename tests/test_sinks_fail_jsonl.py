"""JSON lines whose disk is full, whose file is gone, whose pipe stalls."""

import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sinks.jsonl import JsonLines
from streamer import SinkError, wire
from tests import failing_sinks, small_disks
from tests.boxes import Keeper, assert_gaps_explained, until
from tests.failing_sinks import RECOVERY_S, cured, down, noisy, running
from tests.running import ROOT, environment
from tests.small_disks import Disk

pytestmark = pytest.mark.timeout(60)
hears = failing_sinks.hears
disk = small_disks.disk


def assert_lines_explained(path: Path, processed: int, written: int) -> None:
    """Whole lines, `seq` without a gap, and each gap of frames is what `dropped` says."""
    lines = list(wire.read_jsonl(path))
    assert [line.seq for line in lines] == list(range(len(lines)))
    assert len(lines) == written
    following = 0
    for line in lines:
        assert line.frame - following == sum(line.dropped.values()), line
        following = line.frame + 1


def test_json_lines_on_a_full_disk(disk: Disk) -> None:
    path, fine = disk.folder / "out.jsonl", Keeper()
    with running(JsonLines(path), fine, fps=300) as pipeline:
        until(lambda: pipeline.stats().sinks[0].written > 30)
        disk.fill()
        assert "out.jsonl cannot be written" in down(pipeline)
        seen = len(fine.got)
        until(lambda: len(fine.got) > seen + 100)
        kept = path.read_bytes()
        assert kept.endswith(b"\n"), "whole lines"
        disk.free()
        assert cured(pipeline) < RECOVERY_S
        count = pipeline.stats().sinks[0].written
        until(lambda: pipeline.stats().sinks[0].written > count + 20)
    assert path.read_bytes().startswith(kept), "nothing of what this run wrote has gone"
    assert_gaps_explained(fine.got)
    assert_lines_explained(path, pipeline.stats().cameras[0].processed, pipeline.stats().sinks[0].written)


@pytest.mark.parametrize("folder_too", [False, True])
def test_json_lines_whose_file_is_deleted(tmp_path: Path, folder_too: bool) -> None:
    path = tmp_path / "logs" / "out.jsonl"
    with running(JsonLines(path)) as pipeline:
        until(lambda: path.exists() and path.stat().st_size > 1000)
        if folder_too:
            shutil.rmtree(path.parent)
        else:
            path.unlink()
        begun = time.monotonic()
        until(lambda: path.exists() and path.stat().st_size > 1000)
        assert time.monotonic() - begun < RECOVERY_S
    assert pipeline.stats().sinks[0].failures == 0
    assert len(list(wire.read_jsonl(path))) > 1


def test_json_lines_that_are_rotated_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with running(JsonLines(path)) as pipeline:
        for number in range(3):
            until(lambda: path.exists() and path.stat().st_size > 5000)
            path.rename(tmp_path / f"out.{number}")
        until(lambda: path.exists() and path.stat().st_size > 5000)
    lines = [
        line.seq
        for name in ("out.0", "out.1", "out.2", path.name)
        for line in wire.read_jsonl(tmp_path / name)
    ]
    assert lines == list(range(len(lines)))
    assert len(lines) == pipeline.stats().sinks[0].written
    assert pipeline.stats().sinks[0].failures == 0


def test_half_a_line_that_could_not_be_taken_back_goes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, sink = tmp_path / "out.jsonl", JsonLines(tmp_path / "out.jsonl")
    write, truncate = os.write, os.ftruncate
    broken = threading.Event()

    def dying_write(fd: int, data: bytes) -> int:
        if not broken.is_set():
            return write(fd, data)
        if len(data) > 100:
            return write(fd, data[:100])
        raise OSError(5, "Input/output error")

    def dying_truncate(fd: int, length: int) -> None:
        if broken.is_set():
            raise OSError(30, "Read-only file system")
        truncate(fd, length)

    monkeypatch.setattr(os, "write", dying_write)
    monkeypatch.setattr(os, "ftruncate", dying_truncate)
    with running(sink) as pipeline:
        until(lambda: pipeline.stats().sinks[0].written > 5)
        broken.set()
        assert "input/output error" in down(pipeline)
        assert not path.read_bytes().endswith(b"\n")
        broken.clear()
        assert cured(pipeline) < RECOVERY_S
    assert_lines_explained(path, pipeline.stats().cameras[0].processed, pipeline.stats().sinks[0].written)


def test_a_pipe_that_stalls_and_whose_reader_changes(tmp_path: Path) -> None:
    path, fine = tmp_path / "pipe", Keeper()
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with running(JsonLines(path), fine, fps=500) as pipeline:
        until(lambda: pipeline.stats().sinks[0].stuck_s > 0.2)
        seen = len(fine.got)
        until(lambda: len(fine.got) > seen + 50)
        stuck = pipeline.stats().sinks[0]
        assert stuck.dropped["sink"] > 20
        assert stuck.why == ""
        assert len(os.read(reader, 1 << 20)) > 30_000
        until(lambda: pipeline.stats().sinks[0].stuck_s == 0)
        os.close(reader)
        assert "whoever read it has gone" in down(pipeline)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert cured(pipeline) < RECOVERY_S
        assert os.read(reader, 1 << 20).startswith(b'{"schema"')
        os.close(reader)
    assert_gaps_explained(fine.got)


STDOUT = """
import os, resource, signal, sys
from tests.test_jsonl import result
from sinks.jsonl import JsonLines
from streamer import SinkError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sink = JsonLines("-")
with sink:
    sink.write(result(0))
size = os.lseek(1, 0, os.SEEK_CUR)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, before[1]))
with sink:
    try:
        sink.write(result(1))
    except SinkError as error:
        print(error, file=sys.stderr)
resource.setrlimit(resource.RLIMIT_FSIZE, before)
with sink:
    sink.write(result(2))
"""


@pytest.mark.parametrize("mode", ["wb", "ab"])
def test_stdout_in_a_file_on_a_full_disk(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "out.jsonl"
    with path.open(mode) as file:
        said = subprocess.run(
            [sys.executable, "-c", STDOUT],
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
            env=environment(),
        ).stderr
    assert "stdout cannot be written any more: file too large" in said
    assert b"\0" not in path.read_bytes()
    assert [(line.frame, line.seq) for line in wire.read_jsonl(path)] == [(0, 0), (2, 1)]


def test_half_a_line_on_stdout_that_stays_there_spoils_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, broken = os.write, threading.Event()

    def dying_write(fd: int, data: bytes) -> int:
        if broken.is_set() and len(data) < 100:
            raise OSError(5, "Input/output error")
        return write(fd, data[:-50] if broken.is_set() else data)

    def dying_truncate(fd: int, length: int) -> None:
        raise OSError(30, "Read-only file system")

    with (tmp_path / "out.jsonl").open("wb") as file:
        monkeypatch.setattr(sys, "stdout", file)
        monkeypatch.setattr(os, "write", dying_write)
        monkeypatch.setattr(os, "ftruncate", dying_truncate)
        sink = JsonLines("-")
        with sink:
            sink.write(noisy(0, "gate"))
            broken.set()
            with pytest.raises(SinkError, match="input/output error"):
                sink.write(noisy(1, "gate"))
            broken.clear()
        with sink:
            sink.write(noisy(2, "gate"))
            sink.write(noisy(3, "gate"))
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    whole = [wire.decode(line) for number, line in enumerate(lines) if number != 1]
    assert [line.seq for line in whole] == [0, 1, 2]


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    sink, count, failures = JsonLines("-"), 200, list[BaseException]()
    long = {f"reason{number}" * 40: 1 for number in range(16)}

    def write_all() -> None:
        try:
            with sink:
                for index in range(count):
                    sink.write(replace(noisy(index, "gate"), dropped=long))
        except BaseException as error:
            failures.append(error)

    with os.fdopen(writer, "wb") as stdout, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        writing = threading.Thread(target=write_all)
        writing.start()
        got = b""
        while got.count(b"\n") < count and not failures:
            got += os.read(reader, 5000)
        writing.join()
    os.close(reader)
    assert not failures
    assert [wire.decode(line).seq for line in got.splitlines()] == list(range(count))
