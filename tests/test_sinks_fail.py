"""Sinks that fail and come back: in a pipeline, on disks that are really full, in pipes that really stall."""

import logging
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
import pytest
from boxes import Keeper, Looker, Stream, assert_gaps_explained, until

from sinks.jsonl import JsonLines
from sinks.video import AnnotatedVideo
from streamer import (
    ArrayPicture,
    Camera,
    Cause,
    Detections,
    Frame,
    Health,
    ModelInfo,
    Pipeline,
    Quality,
    Result,
    SinkError,
    SourceError,
    State,
    Timing,
    wire,
)
from streamer.errors import Unwritten
from tests.conftest import missing
from tests.running import ROOT, environment

pytestmark = pytest.mark.timeout(60)

RECOVERY_S = 1.0  # what is promised once the cause is gone


class Flaky(Keeper):
    """Fails as long as `error` is there: in `write`, and on entering where `shut`."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__(self._maybe)
        self.error = error
        self.shut = False
        self.entries = self.exits = self.refused = 0

    def __enter__(self) -> Any:
        self.entries += 1
        if self.shut and self.error:
            raise self.error
        return super().__enter__()

    def __exit__(self, *exc: object) -> None:
        self.exits += 1
        super().__exit__(*exc)

    def _maybe(self, result: Result) -> None:
        if self.error:
            self.refused += 1
            raise self.error


@contextmanager
def running(
    *sinks: Any, fps: float = 200.0, cameras: tuple[str, ...] = ("gate",), check: bool = True
) -> Iterator[Pipeline]:
    """A pipeline of live cameras; at its end its account is right."""
    pipeline, detector = Pipeline(on_status=lambda _: None), Looker(4)
    for name in cameras:
        pipeline.add(Camera(name, Stream(fps=fps), seed=1), detector)
    for number, sink in enumerate(sinks):
        pipeline.sink(sink, f"sink{number}")
    with pipeline:
        yield pipeline
    stats = pipeline.stats()
    processed = sum(camera.processed for camera in stats.cameras)
    for sink in stats.sinks if check else []:
        assert processed == sink.written + sum(sink.dropped.values()), sink


def said(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if text in record.getMessage()]


@pytest.fixture(autouse=True)
def hears(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, "freshframe")
    monkeypatch.setattr(logging.getLogger("freshframe"), "propagate", True)


# ---- in a pipeline


@pytest.mark.parametrize("shut", [False, True])
def test_a_sink_comes_back_and_its_losses_are_counted(shut: bool, caplog: pytest.LogCaptureFixture) -> None:
    flaky, fine = Flaky(), Keeper()
    with running(flaky, fine) as pipeline:
        until(lambda: len(flaky.got) > 10)
        flaky.shut, flaky.error = shut, OSError("disk full")
        until(lambda: flaky.entries > 6)
        down = pipeline.stats().sinks[0]
        assert "disk full" in down.why
        flaky.error = None
        got, cured = len(flaky.got), time.monotonic()
        until(lambda: len(flaky.got) > got)
        assert time.monotonic() - cured < RECOVERY_S
        until(lambda: len(flaky.got) > got + 20)
        up = pipeline.stats().sinks[0]
    assert (up.why, up.failures) == ("", 1)
    assert up.dropped["sink"] > 10
    assert_gaps_explained(flaky.got)
    assert_gaps_explained(fine.got)
    assert len(fine.got) > len(flaky.got)
    assert flaky.exits == flaky.entries if not shut else flaky.exits > 1
    assert said(caplog, "disk full") == [
        "sink sink0: OSError: disk full; the others run on, and it is tried again"
    ]
    (back,) = said(caplog, "works again")
    assert back.startswith("sink sink0 works again after ")
    assert 10 < int(back.rpartition(" ")[2]) <= up.dropped["sink"]


def test_what_waits_while_it_is_down_is_the_newest() -> None:
    flaky = Flaky()
    with running(flaky, fps=400, cameras=("a", "b")):
        until(lambda: len(flaky.of("a")) > 5 and len(flaky.of("b")) > 5)
        flaky.error = OSError("disk full")
        until(lambda: flaky.entries > 4)
        before, flaky.error = len(flaky.got), None
        until(lambda: len(flaky.got) > before + 2)
        now_ns = time.monotonic_ns()
        first = flaky.got[before]
    assert now_ns - first.timing.published_ns < 0.5e9
    assert first.dropped["sink"] > 10
    for name in ("a", "b"):
        assert_gaps_explained(flaky.of(name))


def test_when_no_sink_works_the_run_goes_on_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    one, two = Flaky(OSError("one")), Flaky(OSError("two"))
    with running(one, two) as pipeline:
        until(lambda: one.entries > 2 and two.entries > 2)
        assert pipeline.error is None
        assert len(said(caplog, "no sink works now")) == 1
    assert isinstance(pipeline.error, SinkError), "in the end it has failed"


def test_a_recording_does_not_wait_for_a_sink_that_is_down() -> None:
    flaky, fine = Flaky(OSError("disk full")), Keeper()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("film", Stream(live=False, count=400)), Looker(4))
    pipeline.sink(flaky)
    pipeline.sink(fine)
    pipeline.run()
    assert [result.frame.index for result in fine.got] == list(range(400))
    assert pipeline.stats().sinks[0].dropped == {"sink": 400}


def test_the_end_does_not_wait_for_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 100.0)
    monkeypatch.setattr("streamer.outage.LONGEST_S", 100.0)
    flaky = Flaky(OSError("disk full"))
    with running(flaky, Keeper()) as pipeline:
        until(lambda: bool(pipeline.stats().sinks[0].why))
        pipeline.stop()
        stopped = time.monotonic()
    assert time.monotonic() - stopped < 1
    assert pipeline._threads.given_up == []


@pytest.mark.parametrize("shut", [False, True])
def test_a_bug_is_shown_once_and_does_not_flood_the_log(
    shut: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 0.002)
    monkeypatch.setattr("streamer.outage.LONGEST_S", 0.002)
    flaky = Flaky()
    with running(flaky, Keeper(), check=False):
        until(lambda: len(flaky.got) > 2)
        flaky.shut, flaky.error = shut, TypeError("a bug")
        until(lambda: flaky.entries > 50)
        for _ in range(20):  # it comes and goes
            flaky.error = None
            got = len(flaky.got)
            until(lambda: len(flaky.got) > got)  # noqa: B023 - called at once
            flaky.error = TypeError("a bug")
            refused = flaky.entries
            until(lambda: flaky.entries > refused)  # noqa: B023 - called at once
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert len(said(caplog, "a bug")) == 1
    assert len(said(caplog, "works again")) == 1


def test_one_cameras_results_that_cannot_be_written_leave_the_sink_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Half(Keeper):
        broken = True
        entries = 0

        def __enter__(self) -> Any:
            self.entries += 1
            return super().__enter__()

        def write(self, result: Result) -> None:
            if self.broken and result.frame.camera == "b":
                raise Unwritten("no room for b")
            super().write(result)

    half = Half()
    with running(half, Keeper(), cameras=("a", "b")) as pipeline:
        until(lambda: len(half.of("a")) > 30)
        assert not half.of("b")
        assert pipeline.stats().sinks[0].why == "no room for b"
        half.broken = False
        until(lambda: len(half.of("b")) > 10)
        assert pipeline.stats().sinks[0].why == ""
    assert half.entries == 1
    assert len(said(caplog, "no room for b")) == 1
    assert len(said(caplog, "sink sink0, camera b works again")) == 1
    for name in ("a", "b"):
        assert_gaps_explained(half.of(name))


def test_a_required_sink_ends_the_run_at_one_result_too() -> None:
    def refuse(result: Result) -> None:
        raise Unwritten("not this one")

    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream()), Looker())
    pipeline.sink(Keeper(refuse), required=True)
    with pytest.raises(SinkError, match="not this one"):
        pipeline.run()


def test_a_required_sink_ends_the_run_at_system_exit_too() -> None:
    def leave(result: Result) -> None:
        raise SystemExit(3)

    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Stream()), Looker())
    pipeline.sink(Keeper(leave), "odd", required=True)
    with pytest.raises(SinkError, match="sink odd: SystemExit: 3"):
        pipeline.run()


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddSinkError(SinkError):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class OddUnwritten(Unwritten):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit(), Odd(), OddSinkError(), OddUnwritten()])
@pytest.mark.parametrize("shut", [False, True])
def test_whatever_a_sink_raises_the_others_run_on(error: BaseException, shut: bool) -> None:
    flaky, fine = Flaky(), Keeper()
    with running(flaky, fine) as pipeline:
        until(lambda: len(flaky.got) > 2)
        flaky.shut, flaky.error = shut, error
        assert type(error).__name__ in down(pipeline)
        seen = len(fine.got)
        until(lambda: len(fine.got) > seen + 20)
        flaky.error = None
        assert cured(pipeline) < RECOVERY_S
    assert pipeline.error is None
    assert_gaps_explained(flaky.got)


# ---- what counts as failed, and the last try


class Clerk:
    """A sink of results and health that raises what `refuse` says of an item, if anything."""

    takes: Any = (Result, Health)

    def __init__(self, refuse: Callable[[Any], BaseException | None]) -> None:
        self.got: list[Any] = []
        self.entries = 0
        self._refuse = refuse

    def __enter__(self) -> Any:
        self.entries += 1
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, item: Any) -> None:
        error = self._refuse(item)
        if error is not None:
            raise error
        self.got.append(item)

    @property
    def frames(self) -> list[int]:
        return [item.frame.index for item in self.got if isinstance(item, Result)]

    @property
    def states(self) -> list[State]:
        return [item.status.state for item in self.got if isinstance(item, Health)]


def once(condition: Callable[[Any], bool], error: BaseException) -> Callable[[Any], BaseException | None]:
    """Refuse the first item of which that is true."""
    refused: list[Any] = []

    def refuse(item: Any) -> BaseException | None:
        if refused or not condition(item):
            return None
        refused.append(item)
        return error

    return refuse


def recorded(sink: Any, *cameras: str, count: int = 60) -> Pipeline:
    pipeline = Pipeline(on_status=lambda _: None)
    for name in cameras:
        pipeline.add(Camera(name, Stream(live=False, count=count)), Looker(4))
    pipeline.sink(sink)
    return pipeline


def test_health_that_is_written_shows_that_a_sink_works_again() -> None:
    class Away(Stream):
        def __enter__(self) -> Any:
            raise SourceError(Cause.NETWORK, "away")

    clerk = Clerk(once(lambda item: True, SinkError("one hiccup")))
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(Camera("gate", Away(), seed=1), Looker())
    pipeline.sink(clerk)
    with pipeline:
        until(lambda: len(clerk.got) > 1)
        assert pipeline.stats().sinks[0].why == ""
    assert pipeline.error is None


def test_one_cameras_results_that_cannot_be_written_fail_no_run() -> None:
    def refuse(item: Any) -> BaseException | None:
        return Unwritten("no room for b") if isinstance(item, Result) and item.frame.camera == "b" else None

    clerk = Clerk(refuse)
    pipeline = recorded(clerk, "a", "b")
    pipeline.run()
    assert clerk.frames == list(range(60))
    assert pipeline.stats().sinks[0].dropped == {"sink": 60}


def test_a_sink_that_wrote_nothing_has_failed_whatever_it_says() -> None:
    clerk = Clerk(lambda item: Unwritten("no room") if isinstance(item, Result) else None)
    with pytest.raises(SinkError, match="no room"):
        recorded(clerk, "a").run()


def test_at_the_end_there_is_a_last_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 100.0)
    monkeypatch.setattr("streamer.outage.LONGEST_S", 100.0)
    clerk = Clerk(
        once(lambda item: isinstance(item, Result) and item.frame.index == 40, SinkError("a moment"))
    )
    pipeline = recorded(clerk, "a")
    pipeline.run()
    assert clerk.frames == [*range(40), 59], "the newest of what came meanwhile"
    assert clerk.states[-1] is State.ENDED
    assert clerk.entries == 2
    assert pipeline.stats().sinks[0].dropped == {"sink": 19}


def test_the_last_try_is_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.outage.FIRST_S", 100.0)
    clerk = Clerk(
        lambda item: SinkError("full") if isinstance(item, Result) and item.frame.index >= 40 else None
    )
    with pytest.raises(SinkError, match="full"):
        recorded(clerk, "a").run()
    assert clerk.entries == 2


def test_health_that_could_not_be_written_is_written_later() -> None:
    clerk = Clerk(
        once(
            lambda item: isinstance(item, Health) and item.status.state is State.ENDED, SinkError("a moment")
        )
    )
    pipeline = recorded(clerk, "a")
    pipeline.run()
    assert clerk.states[-1] is State.ENDED
    assert clerk.frames[-1] == 59


def test_health_that_never_can_be_written_does_not_hold_up_results() -> None:
    clerk = Clerk(lambda item: TypeError("a bug") if isinstance(item, Health) else None)
    with running(clerk, check=False):
        until(lambda: clerk.entries > 3)
        got = len(clerk.got)
        until(lambda: len(clerk.got) > got + 2)


# ---- disks


class Disk(Protocol):
    folder: Path

    def fill(self) -> None:
        """From now on nothing more can be written."""

    def free(self) -> None:
        """There is room again."""


class Limit:
    """No file may grow beyond a size: for the tests what a full disk is, without being root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, self._before[1]))

    def stop_at(self, size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, self._before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


class Tmpfs:
    """A disk of one megabyte."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self.folder.mkdir()
        self._ballast = self.folder / "ballast"
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(self.folder)]
        if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            missing("mounting a small disk needs root")

    def fill(self) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            while True:
                try:
                    file.write(bytes(4096))
                except OSError:
                    return

    def free(self) -> None:
        self._ballast.unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@pytest.fixture(params=["limit", "tmpfs"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "limit":
        limit = Limit(tmp_path)
        yield limit
        limit.free()
    else:
        tmpfs = Tmpfs(tmp_path)
        yield tmpfs
        tmpfs.unmount()


def cured(pipeline: Pipeline) -> float:
    """How long it takes until the first sink works again."""
    begun = time.monotonic()
    until(lambda: not pipeline.stats().sinks[0].why)
    return time.monotonic() - begun


def down(pipeline: Pipeline) -> str:
    """Wait until the first sink is down; returns why."""
    until(lambda: bool(pipeline.stats().sinks[0].why), timeout_s=20)
    return pipeline.stats().sinks[0].why


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


# ---- films


def noisy(index: int, camera: str, size: tuple[int, int] = (320, 192)) -> Result:
    """A picture that does not compress well."""
    pixels = np.random.default_rng(index).integers(0, 255, (size[1], size[0], 3), np.uint8)
    at_ns = index * 40_000_000
    picture = ArrayPicture(pixels)
    frame = Frame(camera, 0, index, at_ns, at_ns, at_ns, None, False, Quality.FINE, picture, False)
    return Result(frame, Detections.none(("thing",)), ModelInfo("net"), Timing(*[at_ns] * 5), {})


def frames(path: Path) -> int:
    """How many pictures a player sees; fails where it finds damage."""
    with av.open(str(path), options={"err_detect": "explode"}) as container:
        return sum(1 for _ in container.decode(video=0))


class Filming:
    """Writes pictures of cameras in turn; remembers what was taken and what was refused."""

    def __init__(self, video: AnnotatedVideo, *cameras: tuple[str, tuple[int, int]]) -> None:
        self.taken: dict[str, list[int]] = {camera: [] for camera, _ in cameras}
        self.refused: dict[str, list[int]] = {camera: [] for camera, _ in cameras}
        self._video = video
        self._cameras = cameras
        self._index = 0

    def go_on(self, until: Callable[[], bool], limit_s: float = 20.0) -> None:
        deadline = time.monotonic() + limit_s
        while not until():
            assert time.monotonic() < deadline
            for camera, size in self._cameras:
                try:
                    self._video.write(noisy(self._index, camera, size))
                    self.taken[camera].append(self._index)
                except Unwritten:
                    self.refused[camera].append(self._index)
            self._index += 1


def test_films_on_a_full_disk_stay_playable_and_go_on_in_a_new_file(disk: Disk) -> None:
    with AnnotatedVideo(disk.folder / "{camera}.mp4") as video:
        films = Filming(video, ("gate", (96, 64)))
        films.go_on(lambda: len(films.taken["gate"]) == 60)
        disk.fill()
        films.go_on(lambda: len(films.refused["gate"]) > 20)
        before = len(films.taken["gate"])
        assert (disk.folder / "gate.mp4").exists()
        disk.free()
        begun = time.monotonic()
        films.go_on(lambda: len(films.taken["gate"]) > before)
        assert time.monotonic() - begun < RECOVERY_S
        films.go_on(lambda: len(films.taken["gate"]) == before + 70)
    names = sorted(path.name for path in disk.folder.glob("*.mp4"))
    assert names == ["gate-2.mp4", "gate.mp4"], "no file for each try"
    # All but the last two seconds: what had not been written out yet.
    assert before - 51 <= frames(disk.folder / "gate.mp4") <= before
    assert frames(disk.folder / "gate-2.mp4") == 70


@pytest.mark.parametrize("count", [20, 70, 120])
def test_a_film_whose_end_does_not_fit_says_so_and_stays_playable(disk: Disk, count: int) -> None:
    video = AnnotatedVideo(disk.folder / "{camera}.mp4").__enter__()
    for index in range(count):
        video.write(noisy(index, "gate", (32, 32)))
    disk.fill()
    if isinstance(disk, Limit):
        disk.stop_at((disk.folder / "gate.mp4").stat().st_size + 100)
    with pytest.raises(SinkError, match="cannot be written"):
        video.__exit__(None, None, None)
    disk.free()
    films = list(disk.folder.glob("*.mp4"))
    assert [frames(film) for film in films] == ([count // 50 * 50] if count > 50 else [])


def test_a_film_that_fails_does_not_touch_the_others(tmp_path: Path) -> None:
    disk = Limit(tmp_path)
    try:
        with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
            films = Filming(video, ("large", (320, 192)), ("small", (16, 16)))
            disk.fill()
            films.go_on(lambda: len(films.refused["large"]) > 20)
            assert not list(tmp_path.glob("large*")), "it held nothing whole: no file, and its name is free"
            disk.free()
            films.go_on(lambda: len(films.taken["large"]) > 60)
            assert not list(tmp_path.glob("*-*"))
    finally:
        disk.free()
    assert not films.refused["small"]
    assert frames(tmp_path / "small.mp4") == len(films.taken["small"])


def test_a_film_that_is_deleted_goes_on_in_a_new_file(tmp_path: Path) -> None:
    with AnnotatedVideo(tmp_path / "films" / "{camera}.mp4") as video:
        films = Filming(video, ("gate", (64, 64)))
        films.go_on(lambda: len(films.taken["gate"]) == 10)
        shutil.rmtree(tmp_path / "films")
        films.go_on(lambda: len(films.taken["gate"]) == 40)
    assert not films.refused["gate"]
    assert frames(tmp_path / "films" / "gate-2.mp4") == 30


def test_a_picture_that_cannot_be_read_costs_no_film(tmp_path: Path) -> None:
    class Stale:
        size = (64, 64)

        def bgr(self) -> Any:
            raise ValueError("overwritten")

    with AnnotatedVideo(tmp_path / "{camera}.mp4") as video:
        for index in range(20):
            made = noisy(index, "gate", (64, 64))
            if index == 10:
                object.__setattr__(made.frame, "picture", Stale())
                with pytest.raises(Unwritten, match="a picture of gate cannot be read: overwritten"):
                    video.write(made)
            else:
                video.write(made)
    assert [path.name for path in tmp_path.iterdir()] == ["gate.mp4"]
    assert frames(tmp_path / "gate.mp4") == 19
