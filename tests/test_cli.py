"""The command line from outside: outputs, exit statuses, and what it says to mistakes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from streamer import wire
from tests.running import ROOT, environment, freshframe, started

TESTS = ROOT / "tests"
CONFIG = """\
model: {use: "mine:Bright"}
cameras:
  one: {source: "synthetic:?size=160x96&seed=1&count=30"}
  two: {source: "synthetic:?size=96x64&seed=2&count=20"}
sinks:
  - {use: jsonl, path: out.jsonl}
  - {use: "mine:Siren", label: bright}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration and classes of one's own beside it."""
    (tmp_path / "mine.py").write_text((TESTS / "mine.py").read_text())
    (tmp_path / "cameras.yaml").write_text(CONFIG)
    return tmp_path


def config(folder: Path, old: str, new: str) -> Path:
    assert old in CONFIG
    path = folder / "cameras.yaml"
    path.write_text(CONFIG.replace(old, new))
    return path


def test_a_configuration_with_classes_of_ones_own(folder: Path) -> None:
    done = freshframe("run", folder / "cameras.yaml")
    assert done.returncode == 0, done.stderr
    assert "one 29 bright!" in done.stdout.splitlines()
    frames = [(m.camera, m.frame) for m in wire.read_jsonl(folder / "out.jsonl")]
    assert sorted(frames) == [("one", i) for i in range(30)] + [("two", i) for i in range(20)]
    assert re.search(r"^one +30 +30 ", done.stderr, re.MULTILINE), done.stderr


@pytest.mark.shared
def test_detect_writes_every_frame_of_a_video(tmp_path: Path, yolo26n: Path, shared_data: Path) -> None:
    out = tmp_path / "out.jsonl"
    clip = shared_data / "videos" / "vtest.avi"
    done = freshframe(
        *("detect", clip, "--every-frame", "--imgsz", "320", "--classes", "person", "--jsonl", out)
    )
    assert done.returncode == 0, done.stderr
    messages = list(wire.read_jsonl(out))
    assert [message.frame for message in messages] == list(range(795))
    labels = {thing.label for message in messages for thing in message.detections}
    assert labels == {"person"}
    assert messages[25].scene_time == pytest.approx(2.5)


def test_stdout_carries_json_lines_only(yolo26n: Path) -> None:
    done = freshframe("detect", "synthetic:?size=320x240&count=5", "--jsonl", "-", "--imgsz", "320")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["frame"] for line in done.stdout.splitlines()] == [0, 1, 2, 3, 4]


def test_the_names_of_cameras(folder: Path, yolo26n: Path) -> None:
    done = freshframe(
        *("detect", "synthetic:?count=1", "synthetic:?count=1", "synthetic:?count=1"),
        *("--name", "gate", "--imgsz", "320", "--jsonl", "-"),
    )
    assert {json.loads(line)["camera"] for line in done.stdout.splitlines()} == {
        "gate",
        "synthetic",
        "synthetic-2",
    }


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(folder: Path, number: signal.Signals) -> None:
    path = config(folder, "&count=30", "")
    with started("run", path) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("one 20"):
                break
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert process.returncode == 0, said
    assert "captured" in said
    assert (folder / "out.jsonl").read_bytes().endswith(b"\n")


def test_for_ends_it(folder: Path) -> None:
    done = freshframe("run", config(folder, "&count=30", ""), "--for", "1")
    assert done.returncode == 0, done.stderr


def test_a_reader_that_goes_ends_it(folder: Path) -> None:
    """As in `| head -1`: the only sink has gone, so the rest is for nobody."""
    command = f"{sys.executable} -m streamer detect 'synthetic:?size=64x64' --imgsz 320 --jsonl - | head -1"
    done = subprocess.run(
        ["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_a_password_can_stay_out_of_the_process_list(yolo26n: Path) -> None:
    source = "rtsp://me:${SECRET_OF_MINE}@127.0.0.1:1/cam"
    done = freshframe("detect", source, "--for", "1", env={"SECRET_OF_MINE": "hunter22"})
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert "hunter22" not in done.stderr
    done = freshframe("detect", source, "--for", "1")
    assert done.returncode == 2
    assert "SECRET_OF_MINE is not set" in done.stderr


def test_modules_in_the_current_folder_are_not_ours(tmp_path: Path, yolo26n: Path) -> None:
    """An export runs in a process of its own; a stray random.py beside the user must not be run."""
    (tmp_path / "random.py").write_text("raise SystemExit('hijacked')")
    cache = tmp_path / "cache"
    assert freshframe("models", "pull", "yolo26n", env={"FRESHFRAME_CACHE": str(cache)}).returncode == 0
    done = subprocess.run(
        [sys.executable, "-P", "-m", "streamer", "detect", "synthetic:?count=1", "--jsonl", "-"],
        cwd=tmp_path,
        env=environment({"FRESHFRAME_CACHE": str(cache)}),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1


# ---- what users get wrong


def video(path: Path, *, frames: int = 30, audio_only: bool = False) -> Path:
    with av.open(str(path), "w") as container:
        if audio_only:
            sound = container.add_stream("aac", rate=8000, layout="mono")
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            noise.sample_rate = 8000
            for _ in range(30):
                container.mux(sound.encode(noise))
            container.mux(sound.encode())
        else:
            stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            for i in range(frames):
                picture = np.full((96, 160, 3), i * 5 % 256, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
    return path


def bad_sources(folder: Path) -> dict[str, tuple[str, str]]:
    """Source → what the error has to say."""
    (folder / "empty").mkdir()
    (folder / "text.mp4").write_text("this is no video")
    (folder / "zero.mp4").touch()
    whole = video(folder / "whole.mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    video(folder / "sound.mp4", audio_only=True)
    return {
        "missing": ("missing.mp4", "no such file"),
        "no pictures": ("empty", "no picture"),
        "text": ("text.mp4", "not a video"),
        "zero bytes": ("zero.mp4", "empty"),
        "cut off": ("cut.mp4", "damaged"),
        "sound": ("sound.mp4", "no video stream"),
    }


def test_a_bad_recording_is_said_and_the_others_run_on(folder: Path) -> None:
    bad = bad_sources(folder)
    lines = "".join(f"  bad{i}: {{source: {path}}}\n" for i, (path, _) in enumerate(bad.values()))
    done = freshframe("run", config(folder, "sinks:\n", lines + "sinks:\n"))
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for i, (path, text) in enumerate(bad.values()):
        said = [line for line in done.stderr.splitlines() if line.startswith(f"freshframe: bad{i}: ")]
        assert len(said) == 1, done.stderr
        assert path in said[0]
        assert text in said[0]
    frames = [message.frame for message in wire.read_jsonl(folder / "out.jsonl") if message.camera == "one"]
    assert frames == list(range(30))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("detect", "file:/etc/passwd"), "file: is not allowed"),
        (("detect", "concat:a|b"), "concat: is not allowed"),
        (("detect", "x.mp4", "--for", "-1"), "--for -1: allowed"),
        (("detect", "x.mp4", "--for", "soon"), "--for soon: allowed"),
        (("detect", "x.mp4", "--imgsz", "33"), "--imgsz"),
        (("detect", "x.mp4", "--conf", "1.5"), "--conf"),
        (("detect", "x.mp4", "--model", "yolo26m"), "yolo26n"),
        (("detect", "x.mp4", "--model", "nowhere/net.pt"), "nowhere/net.pt"),
        (("detect", "x.mp4", "--name", "a/b"), "a/b"),
        (("detect", "x.mp4", "y.mp4", "--name", "a", "--name", "a"), "two cameras"),
        (("detect", "x.mp4", "--zmq", "tcp://0.0.0.0:5555"), "--zmq"),
        (("detect", "x.mp4", "--zmq", "nonsense"), "--zmq"),
        (("detect", "x.mp4", "--jsonl", "/dev/null/out.jsonl"), "/dev/null/out.jsonl"),
        (("detect", "rtsp://192.0.2.1/x", "--every-frame"), "--every-frame"),
        (("detect", "x.mp4", "--frobnicate"), "--frobnicate"),
        (("detect", "x.mp4", "--video", "x.avi"), "--video"),
        (("detect", "synthetic:?count=9", "--classes", "person,cra"), "car"),
        (("run", "missing.yaml"), "missing.yaml"),
        (("listen", "nonsense"), "nonsense"),
        (("listen", "tcp://127.0.0.1:5555", "--count", "0"), "--count"),
        (("models", "path", "yolo26m"), "yolo26n"),
        (("fakecam", "missing.mp4"), "missing.mp4"),
        (("fakecam", "missing.mp4", "--port", "99999"), "99999"),
        (("fakecam", "missing.mp4", "--user", "me"), "--password-env"),
        ((), "COMMAND"),
    ],
)
def test_wrong_use_is_status_2_and_names_the_thing(
    tmp_path: Path, yolo26n: Path, arguments: tuple[str, ...], text: str
) -> None:
    done = freshframe(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_model_that_is_not_there_names_the_command_that_fetches_it(tmp_path: Path) -> None:
    done = freshframe("detect", "synthetic:?count=1", env={"FRESHFRAME_CACHE": str(tmp_path)})
    assert done.returncode == 2
    assert "freshframe models pull yolo26n" in done.stderr


def test_weights_of_unknown_hash_are_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "net.pt").write_bytes(b"not a network")
    done = freshframe("detect", "synthetic:?count=1", "--model", tmp_path / "net.pt")
    assert done.returncode == 2
    assert "--trust-weights" in done.stderr


def test_a_port_in_use_is_an_error_before_anything_starts(yolo26n: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        done = freshframe("detect", "synthetic:?count=1", "--zmq", endpoint)
    assert done.returncode == 2, done.stderr
    assert endpoint in done.stderr


def test_a_required_sink_that_dies_ends_the_run(folder: Path) -> None:
    own = '{use: "mine:Siren", label: bright}'
    path = config(folder, own, '{use: "mine:Dying", label: bright, required: true}')
    done = freshframe("run", path)
    assert done.returncode == 1, done.stderr
    assert "the siren is broken" in done.stderr
    path = config(folder, own, '{use: "mine:Dying", label: bright}')
    done = freshframe("run", path)
    assert done.returncode == 0, done.stderr
    assert "the others run on" in done.stderr
    assert len(list(wire.read_jsonl(folder / "out.jsonl"))) == 50


def test_a_detector_that_never_succeeds_ends_the_run(folder: Path) -> None:
    done = freshframe("run", config(folder, "mine:Bright", "mine:Failing"))
    assert done.returncode == 1, done.stderr
    assert "out of ideas" in done.stderr


def test_no_camera_that_ever_delivered_is_status_1(yolo26n: Path) -> None:
    with socket.socket() as deaf:  # accepts, and says nothing
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        silent = f"rtsp://me:hunter22@127.0.0.1:{deaf.getsockname()[1]}/cam"
        done = freshframe(
            "detect", silent, "rtsp://127.0.0.1:1/cam", "rtsp://no.such.host.invalid/cam", "--for", "8"
        )
    assert done.returncode == 1, done.stderr
    assert "refused" in done.stderr
    assert "unknown host" in done.stderr
    assert "nothing came" in done.stderr
    assert "no camera ever delivered a frame" in done.stderr
    assert "hunter22" not in done.stderr


def test_it_stops_at_once_beside_a_camera_that_hangs(yolo26n: Path) -> None:
    """A thread that waits in native code is given up; it does not hold up the exit."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        source = f"rtsp://127.0.0.1:{deaf.getsockname()[1]}/cam"
        with started("detect", source, "synthetic:?size=64x64", "--imgsz", "320", "--jsonl", "-") as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=5)
    assert process.returncode == 0, said


def test_a_recording_is_not_written_over(tmp_path: Path, yolo26n: Path) -> None:
    clip = video(tmp_path / "in.mp4")
    before = clip.read_bytes()
    for flag in ("--jsonl", "--video"):
        done = freshframe("detect", clip, flag, clip)
        assert done.returncode == 2, done.stderr
        assert "is the recording to be read" in done.stderr
    assert clip.read_bytes() == before


def test_one_file_for_two_sinks_names_both_flags(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    done = freshframe("detect", "synthetic:?count=1", "--jsonl", out, "--video", out)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", ["pipe.mp4", "/dev/full"])
def test_a_film_goes_into_an_ordinary_file(tmp_path: Path, yolo26n: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "full.mp4").symlink_to("/dev/full")
    path = tmp_path / ("full.mp4" if target == "/dev/full" else target)
    done = freshframe("detect", "synthetic:?count=3", "--video", path)
    assert done.returncode == 2, done.stderr
    assert "not an ordinary file" in done.stderr


def test_names_with_brackets_are_shown_as_they_are(tmp_path: Path, yolo26n: Path) -> None:
    done = freshframe("detect", "synthetic:?count=3", "d[/x]/no[bold].mp4", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.count("d[/x]/no[bold].mp4") == 2, "in the message and in the account"


@pytest.mark.parametrize(
    ("redirection", "status"),
    [(">&-", 2), ("2>&-", 0), (">/dev/full", 1), ("2>/dev/full", 0), ("<&-", 0)],
)
def test_streams_that_are_closed_or_full(yolo26n: Path, redirection: str, status: int) -> None:
    command = f"{sys.executable} -m streamer detect 'synthetic:?count=3' --imgsz 320 --jsonl - {redirection}"
    done = subprocess.run(
        ["bash", "-c", command], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


ODD = """
class NoWrite:
    from streamer import Result as takes
    def __enter__(self): return self
    def __exit__(self, *exc): ...

class Raising(NoWrite):
    def __init__(self): raise KeyError("nothing here")
    def write(self, result): ...

class Leaving(NoWrite):
    def __init__(self): raise SystemExit(7)
    def write(self, result): ...

class Telling(NoWrite):
    def write(self, result): raise RuntimeError("rtsp://me:hunter22@192.0.2.1/x \\x1b]0;title\\x07")

number = 7
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NoWrite", "has no write"),
        ("Raising", "nothing here"),
        ("Leaving", "SystemExit"),
        ("number", "is a int, not a class"),
        ("Nobody", "has no 'Nobody'"),
    ],
)
def test_a_class_of_ones_own_that_cannot_be_used(folder: Path, name: str, text: str) -> None:
    (folder / "odd.py").write_text(ODD)
    path = config(folder, '{use: "mine:Siren", label: bright}', f'{{use: "odd:{name}"}}')
    for command in ("check", "run"):
        done = freshframe(command, path)
        assert done.returncode == 2, done.stderr
        assert text in done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_that_others_say_shows_a_password_or_drives_the_terminal(folder: Path) -> None:
    (folder / "odd.py").write_text(ODD)
    path = config(folder, '{use: "mine:Siren", label: bright}', '{use: "odd:Telling"}')
    done = freshframe("run", path)
    assert done.returncode == 0, done.stderr
    assert "hunter22" not in done.stderr
    assert "\x1b" not in done.stderr
    assert "sink Telling: 0 results written" in done.stderr


SLOW = """
class Slow(NoWrite):
    def __enter__(self):
        import time
        print("opening", flush=True)
        time.sleep(60)
    def write(self, result): ...
"""


def test_a_signal_while_a_sink_opens_ends_it(folder: Path) -> None:
    (folder / "odd.py").write_text(ODD + SLOW)
    path = config(folder, '{use: "mine:Siren", label: bright}', '{use: "odd:Slow"}')
    with started("run", path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "opening\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=5)
    assert process.returncode == 0, said


def test_a_log_is_not_written_over_a_clip(tmp_path: Path) -> None:
    clip = video(tmp_path / "in.mp4")
    before = clip.read_bytes()
    done = freshframe("fakecam", clip, "--port", "0", "--log", clip)
    assert done.returncode == 2, done.stderr
    assert "is a clip" in done.stderr
    assert clip.read_bytes() == before


def test_the_path_of_somebody_elses_sink_is_its_own_affair(folder: Path) -> None:
    video(folder / "in.mp4")
    (folder / "odd.py").write_text(ODD + PATHS)
    path = config(folder, '{use: "mine:Siren", label: bright}', '{use: "odd:Paths", path: 5}')
    path.write_text(path.read_text().replace("cameras:", "cameras:\n  file: {source: in.mp4}"))
    done = freshframe("run", path)
    assert done.returncode == 0, done.stderr


PATHS = """
class Paths(NoWrite):
    def __init__(self, path): ...
    def write(self, result): ...
"""
