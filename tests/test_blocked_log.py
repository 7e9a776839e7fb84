"""Whoever reads what we say has paused (Ctrl-S, a pager, a hung journal) or has gone: nobody waits for it."""

import contextlib
import fcntl
import json
import logging
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from boxes import Keeper, Looker, picture, until
from running import COMMAND, environment

from streamer import Camera, Captured, Cause, Pipeline, SourceError
from streamer.cli.console import log_to, quiet
from streamer.cli.speaker import MOST_DUE, Speaker, Unbuffered

pytestmark = pytest.mark.timeout(60)

CONFIG = """
cameras:
  gate: {source: "rtsp://me:hunter2@127.0.0.1:9/x"}
  yard: {source: "synthetic:?size=320x240&fps=20"}
model: {use: "tests.mine:Bright"}
sinks: [{use: jsonl, path: out.jsonl}]
"""


@contextlib.contextmanager
def full_pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe that takes nothing more, until somebody reads."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writes, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writes, b"." * 64)
    os.set_blocking(writes, True)
    try:
        yield reads, writes
    finally:
        os.set_blocking(reads, False)
        with contextlib.suppress(BlockingIOError):
            while os.read(reads, 65_536):  # whoever hangs in a write ends
                pass
        os.close(reads)
        os.close(writes)


def read(fd: int, timeout_s: float = 0.3) -> str:
    """What comes, until nothing has come for so long."""
    data = b""
    while select.select([fd], [], [], timeout_s)[0]:
        try:
            part = os.read(fd, 65_536)
        except OSError:  # a terminal whose other side has gone
            break
        if not part:
            break
        data += part
    return data.decode()


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    ours = logging.getLogger("freshframe")
    before = ours.level, ours.propagate, list(ours.handlers)
    yield ours
    ours.level, ours.propagate, ours.handlers[:] = before


class Flapping:
    """Half a second of pictures, and it is gone."""

    live, ends = True, False
    entries = 0

    def __enter__(self) -> "Flapping":
        Flapping.entries += 1
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        for number in range(10):
            time.sleep(0.01)  # as a camera does
            yield Captured(picture(), time.monotonic_ns(), number * 10_000_000)
        raise SourceError(Cause.NETWORK, f"gone {Flapping.entries * 'x'}")


def test_cameras_come_back_and_end_though_nobody_reads_the_log(logger: logging.Logger) -> None:
    with full_pipe() as (_, writes), os.fdopen(os.dup(writes), "w") as stream:
        aside = log_to(logging.StreamHandler(Unbuffered(stream)))
        pipeline = Pipeline()
        for name in "ab":
            pipeline.add(Camera(name, Flapping()), Looker(1))
        pipeline.sink(Keeper())
        with pipeline:
            until(lambda: Flapping.entries >= 8)
            begun = time.monotonic()
        assert time.monotonic() - begun < 2
        assert not pipeline._threads.given_up
        quiet(aside)
        assert time.monotonic() - begun < 2.5


def test_lines_keep_their_order_and_say_what_is_missing(logger: logging.Logger) -> None:
    with full_pipe() as (reads, writes), os.fdopen(os.dup(writes), "w") as stream:
        aside = log_to(logging.StreamHandler(Unbuffered(stream)))
        begun = time.monotonic()
        for number in range(2 * MOST_DUE):
            logger.info("%d rtsp://me:hunter2@gate/x", number)
        assert time.monotonic() - begun < 2
        said = read(reads)
        logger.info("the last")
        said += read(reads)
        quiet(aside)
    lines = said.lstrip(".").splitlines()
    assert "hunter2" not in said
    numbers = [int(line.split()[1]) for line in lines if "rtsp://***@gate/x" in line]
    assert numbers == list(range(len(numbers)))
    assert MOST_DUE <= len(numbers) <= MOST_DUE + 1
    assert lines[-2:] == [
        f"freshframe: lines left out here, for nobody read them in time: {2 * MOST_DUE - len(numbers)}",
        "freshframe: the last",
    ]


def test_what_is_due_is_said_at_the_end_and_a_line_that_cannot_be_made_is_said_so(
    logger: logging.Logger, tmp_path: Path
) -> None:
    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with (tmp_path / "log").open("w") as stream:
        aside = log_to(logging.StreamHandler(Unbuffered(stream)))
        logger.info("before")
        logger.info("%s", Mute())
        for number in range(100):
            logger.info("%d", number)
        quiet(aside)
        assert not aside.speaker._thread.is_alive()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[0] == "freshframe: before"
    assert "could not be made: RuntimeError" in lines[1]
    assert lines[2:] == [f"freshframe: {number}" for number in range(100)]


def test_only_the_newest_is_shown_and_after_all_that_is_to_be_said() -> None:
    go_on, did = threading.Event(), list[Any]()
    speaker = Speaker(did.append)
    speaker.say(lambda: go_on.wait(10))
    for number in range(10):
        speaker.show(lambda number=number: did.append(f"table {number}"))  # type: ignore[misc]
        speaker.say(lambda number=number: did.append(number))  # type: ignore[misc]
    go_on.set()
    until(lambda: len(did) == 11)
    speaker.close()
    assert did == [*range(10), "table 9"]


def run_it(folder: Path, stderr: int, columns: int = 100) -> "subprocess.Popen[bytes]":
    (folder / "c.yaml").write_text(CONFIG)
    return subprocess.Popen(
        [*COMMAND, "run", "c.yaml"],
        cwd=folder,
        env=environment({"TERM": "xterm", "COLUMNS": str(columns)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )


def ends_soon(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """It runs, and ends well and soon when it is told to."""
    lines = 0

    def grew() -> bool:
        nonlocal lines
        before, lines = (
            lines,
            len((folder / "out.jsonl").read_bytes().splitlines()) if (folder / "out.jsonl").exists() else 0,
        )
        return lines > before > 5

    try:
        until(grew, timeout_s=30)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert time.monotonic() - begun < 2
        assert json.loads((folder / "out.jsonl").read_bytes().splitlines()[-1])["camera"] == "yard"
    finally:
        process.kill()
        process.wait()


def test_a_run_whose_stderr_nobody_reads_ends_within_two_seconds(tmp_path: Path) -> None:
    with full_pipe() as (_, writes):
        ends_soon(run_it(tmp_path, writes), tmp_path)


def test_a_run_whose_reader_has_gone_ends_as_well(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    process = run_it(tmp_path, writes)
    os.close(writes)
    ends_soon(process, tmp_path)


def test_a_run_with_a_terminal_that_is_held_ends_as_well(tmp_path: Path) -> None:
    """The table is drawn four times a second: the terminal is soon full."""
    ours, theirs = pty.openpty()
    process = run_it(tmp_path, theirs, columns=3000)
    try:
        poll = select.poll()
        poll.register(theirs, select.POLLOUT)
        until(lambda: not poll.poll(0), timeout_s=40)
        ends_soon(process, tmp_path)
    finally:
        process.kill()
        os.close(theirs)
        read(ours)
        os.close(ours)


def screen(said: str) -> list[str]:
    """What a terminal shows in the end that was sent this, as far as ours sends it."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", said):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.endswith("A") and part[0] == "\x1b":
            row -= int(part[2:-1] or 1)
            assert row >= 0
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part[0] not in "\x1b\r":
            lines[row] += part
    return lines


def test_lines_stay_above_the_table_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = run_it(tmp_path, theirs)
    os.close(theirs)
    said = ""
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and said.count("objects now") < 6:
            said += read(ours, 0.05)
        process.send_signal(signal.SIGINT)
        said += read(ours, 2)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert "hunter2" not in said
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1, "the cursor is given back"
    shown = screen(said)
    assert sum("objects now" in line for line in shown) == 0, "nothing of any table is left"
    told = [line for line in shown if line.startswith("freshframe: ")]
    assert len(told) == 2
    assert any("yard: live, 320×240" in line for line in told)
    assert shown.index(told[-1]) < next(n for n, line in enumerate(shown) if "captured" in line)
