"""USB cameras by the real OpenCV: a driver in user space stands in for the kernel's, not for OpenCV."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import usb_scenes
from conftest import missing
from running import environment
from usb_cameras import Desk, StandIn, jpeg

HERE = Path(__file__).parent
Scene = Callable[[str], "subprocess.CompletedProcess[str]"]

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.debian,  # a C compiler
    pytest.mark.skipif(sys.platform != "linux", reason="V4L2 is Linux' own"),
]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, to be preloaded."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/videodev2.h").exists():
        missing("a C compiler with the kernel's headers (Debian: gcc, libc6-dev)")
    made = tmp_path_factory.mktemp("driver") / "usb_driver.so"
    flags = ["-O1", "-Wall", "-Wextra", "-Wno-format-truncation", "-shared", "-fPIC", "-pthread"]
    subprocess.run([str(compiler), *flags, "-o", made, HERE / "usb_driver.c", "-ldl"], check=True)
    return made


@pytest.fixture
def scene(library: Path, tmp_path: Path) -> Scene:
    """Plays a scene in a process that has the driver."""

    def play(name: str) -> "subprocess.CompletedProcess[str]":
        more = {"LD_PRELOAD": str(library), "USB_CAMERAS": str(tmp_path)}
        more["PYTHONPATH"] = os.pathsep.join([environment()["PYTHONPATH"], str(HERE)])
        done = subprocess.run(
            [sys.executable, HERE / "usb_scenes.py", name, tmp_path],
            env=environment(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return play


def said(done: "subprocess.CompletedProcess[str]") -> Any:
    """What it printed last."""
    return json.loads(done.stdout.splitlines()[-1])


def test_the_stand_in_says_what_opencv_says(scene: Scene, tmp_path: Path) -> None:
    other = Desk(tmp_path / "stand-in")
    other.plug(0)
    (other.dev / "video0.MJPG").write_bytes(jpeg())
    stand_in = StandIn([jpeg()] * 3)
    ours = json.loads(json.dumps(usb_scenes.conversation(other, stand_in.opencv)))
    theirs = said(scene("opencv"))
    assert ours == theirs


def test_pictures_are_fresh_also_after_a_hold_up(scene: Scene) -> None:
    done = scene("fresh")
    assert "INFO usb:0 (HD Webcam, " in done.stderr
    assert ": 1280x720 MJPG 30 fps" in done.stderr
    measured = said(done)
    assert measured["skipped"][5] >= 2, "held up for 0.4 s, what lay there was skipped"
    assert sorted(measured["ages_ms"])[len(measured["ages_ms"]) // 2] < 60
    assert max(measured["ages_ms"]) < 250, "without that they would be 370, 340, 310 and 280 ms old"


def test_one_without_mjpg(scene: Scene) -> None:
    done = scene("plain")
    assert "WARNING usb:0 (Old webcam, " in done.stderr
    assert "asked for 1280x720 MJPG 30 fps, granted 1280x720 YUYV 5 fps: it sends uncompressed" in done.stderr
    assert ": 640x480 YUYV 30 fps" in done.stderr


def test_unplugged_and_back_under_another_number(scene: Scene) -> None:
    measured = said(scene("unplugged"))
    assert measured["back_s"] < 3
    assert measured["reconnects"] == {"device": 1}


@pytest.mark.parametrize("name", ["held", "others", "isolated"])
def test_scene(scene: Scene, name: str) -> None:
    scene(name)
