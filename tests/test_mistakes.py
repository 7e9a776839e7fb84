"""What people type wrong, and what they are told: one line that names it, and what is allowed or meant."""

import socket
from pathlib import Path

import pytest

from streamer.cli.commands import COMMANDS, main

MISTAKES = [
    ("detct x", "there is no command 'detct'; did you mean detect?"),
    ("models lst", "there is no command 'lst'; did you mean list?"),
    ("detect", "missing: SOURCE"),
    ("detect x --clases a", "there is no --clases; did you mean --classes?"),
    ("detect x --engine=tensorrt", "--engine: found 'tensorrt'; allowed: auto, onnx,"),
    ("detect x --conf half", "--conf: found 'half'; allowed: a number"),
    ("detect x --imgsz big", "--imgsz: found 'big'; allowed: a whole number"),
    ("detect x --live --every-frame", "--every-frame: not allowed with argument --live"),
    ("listen tcp://127.0.0.1:5 b", "'b' is a word too many"),
    ("detect synthetic: --insecure", "--insecure is for what --zmq publishes, and there is no --zmq"),
    ("models pull yolo26m", "the catalogue has no 'yolo26m': did you mean yolo26n?"),
    ("detect x --model yolo11n", "for any other model give the path of its .pt or .onnx file"),
    (
        "detect rtsp://",
        "allowed is rtsp://HOST/PATH or rtsp://HOST:PORT/PATH, with USER:PASSWORD@ before HOST",
    ),
    ("detect a b --name x --name y --name z", "there are more names (3) than sources (2): 'z' names nothing"),
    ("impair 127.0.0.1:1 --delay 90000", "delay 90 s: allowed is 0 to 60 s"),
    ("impair 127.0.0.1:1 --listen 192.0.2.1:0", "192.0.2.1 cannot be listened on: cannot assign requested"),
    ("detect x --classes a,,b", "--classes 'a,,b': has an empty name in it; allowed: labels with commas"),
    ("run {film}", "is a source, and no configuration; write: freshframe detect /"),
    ("run rtsp://me:hunter2@h/x", "rtsp://***@h/x: is a source, and no configuration"),
    ("impair rtsp://me:hunt/er2@h/x", "there is an @ behind its host; in a user name or password"),
    ("fakecam rtsp://me:hunter2@h/x", "***@h/x: there is no such file"),
    ("listen me:hunter2@h:5555", "ZeroMQ endpoint '***@h:5555': allowed are tcp://HOST:PORT"),
    ("doctor rtsp://me:p@hunt/er2@h/x", "it cannot be told where the password ends"),
    ("detect 127.0.0.1:8554/cam0", "did you mean rtsp://127.0.0.1:8554/cam0?"),
    ("bench --clip {film}", "it is not a video that can be read"),
    ("demo --out {film}", "that is a file; give a folder"),
    ("completion fish", "found 'fish'; allowed: bash, zsh, tcsh"),
]


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        status = main(words)
    except SystemExit as end:
        status = int(end.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_text("no film", encoding="utf-8")
    return path


@pytest.mark.parametrize(("typed", "text"), MISTAKES, ids=[typed for typed, _ in MISTAKES])
def test_a_mistake_is_named_in_one_line(
    typed: str, text: str, film: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.cli.demo.fetch", lambda asset, progress: Path())
    status, out, err = told([word.format(film=film) for word in typed.split()], capsys)
    assert (status, out) == (2, "")
    assert text in err
    assert "hunt" not in err
    assert err.startswith("freshframe: ")
    assert len(err.splitlines()) == 1
    assert "usage:" not in err


def test_no_command_shows_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = told([], capsys)
    assert (status, out) == (2, "")
    assert [name for name in COMMANDS if name not in err] == []


def test_a_recording_that_is_missing_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for missing in ("missing.mp4", "DCIM/"):
        status, out, err = told(["detect", str(tmp_path / missing)], capsys)
        assert (status, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert "no such file" in err


def test_an_address_in_place_of_a_configuration_shows_no_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, out, err = told(["check", "rtsp://me:hunter2@h/x"], capsys)
    assert (status, out) == (2, "")
    assert "h/x: cannot be read" in err
    assert "hunter2" not in err


def test_each_line_of_what_is_wrong_says_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("camera: {}\nsinks: 3\n", encoding="utf-8")
    status, _, err = told(["run", str(path)], capsys)
    assert status == 2
    assert len(err.splitlines()) > 1
    assert all(line.startswith(f"freshframe: {path}:") for line in err.splitlines())


def test_a_folder_that_an_output_makes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "typo" / "out.jsonl"
    for said in (1, 0):
        status, _, err = told(["detect", "synthetic:?count=1", "--jsonl", str(path)], capsys)
        assert status == 0
        assert err.count(f"jsonl: the folder {path.parent} is not there yet, and is made") == said


def test_a_file_where_a_folder_is_wanted(film: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for output in ("--jsonl", "--video"):
        words = ["detect", "synthetic:?count=1", output, f"{film}/out.mp4"]
        status, _, err = told(words, capsys)
        assert status == 2
        assert f"{film} is no folder" in err


def test_a_film_that_is_none_has_no_account_of_watermarks(
    film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = told(["watermark", str(film)], capsys)
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1


@pytest.mark.timeout(30)
def test_a_publisher_that_never_says_anything_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        status, out, err = told(["listen", endpoint, "--for", "0.3"], capsys)
    assert (status, out) == (0, "")
    assert f"nothing came from {endpoint}: does it run" in err
