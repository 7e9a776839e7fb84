"""`freshframe doctor SOURCE` as users run it."""

import os
import pty
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from streamer.cli.commands import main
from streamer.fakecam import FakeCam
from tests.doctor_films import NO_B_FRAMES, coded
from tests.running import COMMAND, environment, freshframe, started
from tests.scripted_camera import Scripted, interleaved
from tests.source_clips import make_clip

pytestmark = pytest.mark.timeout(40)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", 60, **NO_B_FRAMES)


def test_the_command_hides_passwords(clip: Path) -> None:
    with FakeCam([clip], user="joe", password="sesame7") as camera:
        url = camera.urls[0].replace("//", "//joe:sesame7@")
        with started("doctor", url.replace("sesame7", "lettuce9")) as wrong:
            right = freshframe("doctor", url, "--for", "0.5", "--transport", "udp")
            said, complained = wrong.communicate(timeout=30)
    assert right.returncode == 0, right.stderr
    assert "Recommended settings" in right.stdout
    assert "${CAM_127_0_0_1_PASSWORD}" in right.stdout
    assert wrong.returncode == 1
    assert "transport: udp\n" in right.stdout
    assert "user name or password was refused" in said
    assert "Traceback" not in complained
    for text in (right.stdout, right.stderr, said, complained):
        assert "sesame7" not in text
        assert "lettuce9" not in text


def test_mistakes_are_said_before_anything_begins(capsys: pytest.CaptureFixture[str]) -> None:
    udp = ("--transport", "udp")
    for arguments in (("concat:a",), ("--for", "5"), ("synthetic:", "--for", "never"), udp, ("usb:0", *udp)):
        assert main(["doctor", *arguments]) == 2, arguments
        assert capsys.readouterr().out == ""


def test_ctrl_c_ends_it_with_what_was_found(tmp_path: Path) -> None:
    pictures = coded(make_clip(tmp_path / "a.ts", 60, **NO_B_FRAMES))
    seen, over = threading.Event(), threading.Event()

    def plays(sock: socket.socket) -> None:
        for number, picture in enumerate(pictures):
            sock.sendall(b"".join(map(interleaved, picture)))
            if number == 40:
                seen.set()  # what came a second ago has been looked at
            over.wait(0.01)
        over.wait(20)

    with Scripted(plays=plays) as camera, started("doctor", camera.url, "--for", "600") as process:
        assert seen.wait(30)
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=10)
        over.set()
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


def test_on_a_narrow_terminal() -> None:
    ours, theirs = pty.openpty()
    environ = {**environment(), "TERM": "xterm", "COLUMNS": "10"}
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
    assert max(map(len, plain.splitlines())) <= 40


def test_the_example_in_the_documentation(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / "doctor.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    example = example.replace("seconds=1", "seconds=0.3")
    exec(compile(example, "doctor.md", "exec"), {})
    assert re.fullmatch(r"True None \(320, 240\) (29|30|31) fps\n", capsys.readouterr().out)


def test_a_password_comes_from_the_environment_as_for_detect() -> None:
    address = "rtsp://${GATE_USER}:${GATE_PASSWORD}@127.0.0.1:9/x"
    done = freshframe("doctor", address, "--for", "1", env={"GATE_USER": "me", "GATE_PASSWORD": "hunter22"})
    assert done.returncode == 1
    assert "refused" in done.stdout
    assert "hunter22" not in done.stdout + done.stderr
    done = freshframe("doctor", address, env={"GATE_USER": "me"})
    assert done.returncode == 2
    assert "GATE_PASSWORD is not set" in done.stderr
