"""JSON lines: whole lines, this run's only, and errors that say why."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sinks.jsonl import JsonLines
from streamer import ArrayPicture, Detections, Frame, ModelInfo, Quality, Result, SinkError, Timing, wire


def result(index: int, camera: str = "gate", things: int = 2) -> Result:
    picture = ArrayPicture(np.zeros((48, 64, 3), np.uint8))
    frame = Frame(camera, 0, index, 1_000 + index, index, index, None, False, Quality.FINE, picture)
    boxes = np.tile(np.array([1.0, 2.0, 30.5, 40.25], np.float32), (things, 1))
    seen = Detections(("person", "car"), boxes, np.full(things, 0.5, np.float32), np.zeros(things, np.int32))
    return Result(frame, seen, ModelInfo("net"), Timing(1, 2, 3, 4, 5), {})


def test_what_is_written_is_read_back_equal(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    results = [result(i, camera) for i in range(20) for camera in ("gate", "yard")]
    with JsonLines(path) as sink:
        for one in results:
            sink.write(one)
    read = list(wire.read_jsonl(path))
    assert [(m.camera, m.frame, m.seq) for m in read] == [
        (r.frame.camera, r.frame.index, r.frame.index) for r in results
    ]
    assert read[0].detections[0].box == (1.0, 2.0, 30.5, 40.25)
    assert [wire.decode(wire.encode(m)) for m in read] == read


def test_a_file_holds_this_run_only(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    for _ in range(2):
        with JsonLines(path) as sink:
            sink.write(result(0))
    assert len(list(wire.read_jsonl(path))) == 1


def test_two_runs_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with JsonLines(path) as first:
        first.write(result(0))
        with pytest.raises(SinkError, match="another run"), JsonLines(path):
            pass
        first.write(result(1))
    assert [m.frame for m in wire.read_jsonl(path)] == [0, 1]


@pytest.mark.parametrize("where", ["file/out.jsonl", "."])
def test_what_cannot_be_opened_is_said(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(SinkError, match=r"cannot be written: (.*file is no folder|is a directory)"),
        JsonLines(tmp_path / where),
    ):
        pass


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from tests.test_jsonl import result
from sinks.jsonl import JsonLines
with JsonLines(sys.argv[1]) as sink:
    index = 0
    while True:
        sink.write(result(index, things=50))
        index += 1
        if index == 20:
            print("going", flush=True)
"""


def test_a_kill_breaks_off_the_last_line_at_most(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    root = str(Path(__file__).resolve().parents[1])
    writer = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), root], stdout=subprocess.PIPE, text=True
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "going\n"
        writer.send_signal(signal.SIGKILL)
    frames = [message.frame for message in wire.read_jsonl(path)]
    assert frames == list(range(len(frames)))
    assert len(frames) >= 20
    assert len(frames) == path.read_bytes().count(b"\n")


FULL = """
import resource, signal, sys
sys.path.insert(0, sys.argv[2])
from tests.test_jsonl import result
from sinks.jsonl import JsonLines
from streamer import SinkError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
with JsonLines(sys.argv[1]) as sink:
    try:
        for index in range(1000):
            sink.write(result(index))
    except SinkError as error:
        print(error)
"""


def test_a_full_disk_leaves_whole_lines_and_says_so(tmp_path: Path) -> None:
    """A limit on the file's size takes a part of a line first and then refuses, as a full disk does."""
    path = tmp_path / "out.jsonl"
    root = str(Path(__file__).resolve().parents[1])
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(path), root], capture_output=True, text=True, check=True
    ).stdout
    assert "cannot be written any more: file too large" in said
    assert path.read_bytes().endswith(b"\n")
    assert list(wire.read_jsonl(path))


def test_a_pipe_that_nobody_reads_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SinkError, match="nobody reads from this pipe"):
        JsonLines(tmp_path / "pipe").__enter__()


def test_a_reader_that_goes_away_is_an_error_of_the_sink_only(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with JsonLines(pipe) as sink:
        sink.write(result(0))
        os.close(reader)
        with pytest.raises(SinkError, match="whoever read it has gone"):
            sink.write(result(1))


def test_the_folder_is_made(tmp_path: Path) -> None:
    with JsonLines(tmp_path / "new" / "folder" / "out.jsonl") as sink:
        sink.write(result(0))
    assert len(list(wire.read_jsonl(tmp_path / "new" / "folder" / "out.jsonl"))) == 1
