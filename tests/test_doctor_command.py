"""`freshframe doctor SOURCE` as users run it."""

import os
import pty
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from streamer.fakecam import FakeCam
from tests.boxes import until
from tests.doctor_films import NO_B_FRAMES
from tests.running import COMMAND, environment, freshframe, started
from tests.source_clips import make_clip

pytestmark = pytest.mark.timeout(40)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 60, **NO_B_FRAMES)


def test_the_command_hides_passwords(clip: Path) -> None:
    with FakeCam([clip], user="joe", password="sesame7") as camera:
        url = camera.urls[0].replace("//", "//joe:sesame7@")
        right = freshframe("doctor", url, "--for", "1")
        wrong = freshframe("doctor", url.replace("sesame7", "lettuce9"))
    assert right.returncode == 0, right.stderr
    assert "Recommended settings" in right.stdout
    assert "${CAM_127_0_0_1_PASSWORD}" in right.stdout
    assert wrong.returncode == 1
    assert "user name or password was refused" in wrong.stdout
    assert "Traceback" not in wrong.stderr
    for done in (right, wrong):
        assert "sesame7" not in done.stdout + done.stderr
        assert "lettuce9" not in done.stdout + done.stderr


def test_mistakes_are_said_before_anything_begins() -> None:
    for arguments in (("concat:a",), ("--for", "5"), ("synthetic:", "--for", "never")):
        done = freshframe("doctor", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments


def test_ctrl_c_ends_it_with_what_was_found(clip: Path, tmp_path: Path) -> None:
    log = tmp_path / "sent.jsonl"
    with FakeCam([clip], log=log) as camera, started("doctor", camera.urls[0], "--for", "600") as process:
        until(lambda: log.exists() and log.read_bytes().count(b"\n") > 40, 30)
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=10)
    assert process.returncode == 0, complained
    assert "interrupted: this is what was found so far" in said
    assert "160x120" in said
    assert "Traceback" not in complained


def test_ctrl_c_while_nobody_answers() -> None:
    """FFmpeg waits in native code: it is left there."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/a.ts"
        with started("doctor", url, "--for", "600") as process:
            mute.settimeout(30)
            connection, _ = mute.accept()
            begun = time.monotonic()
            process.send_signal(signal.SIGINT)
            said, complained = process.communicate(timeout=10)
            assert time.monotonic() - begun < 4
            connection.close()
    assert process.returncode == 1, complained
    assert "interrupted" in said
    assert "Traceback" not in complained


def test_a_library_that_does_not_load_is_said(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('libavcodec.so.62: cannot open shared object file')")
    path = f"{environment()['PYTHONPATH']}{os.pathsep}{tmp_path}"
    done = subprocess.run(
        [*COMMAND, "doctor", str(clip)],
        env={**environment(), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "libavcodec.so.62" in done.stdout
    assert "freshframe doctor" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_full_disk_behind_the_output() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "doctor", "synthetic:?count=3"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "the output cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("columns", [10, 60, 120])
def test_on_a_terminal(columns: int) -> None:
    ours, theirs = pty.openpty()
    environ = {**environment(), "TERM": "xterm", "COLUMNS": str(columns)}
    environ.pop("NO_COLOR", None)
    with subprocess.Popen(
        [*COMMAND, "doctor", "nothing.mp4"], env=environ, stdout=theirs, stderr=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:  # EIO: the other end is closed
                break
            if not chunk:
                break
            said += chunk
        assert process.wait(30) == 1
    os.close(ours)
    text = said.decode()
    assert "\x1b[1;31mproblem" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= max(columns, 40)


def test_the_example_in_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(example, "doctor.md", "exec"), {})
    assert re.fullmatch(r"True None \(320, 240\) (29|30|31) fps\n", capsys.readouterr().out)
