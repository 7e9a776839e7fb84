"""What `freshframe doctor` says of this machine, and of one that is broken."""

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from streamer.doctor.examination import examine
from streamer.doctor.finding import Level, Section, broken
from streamer.doctor.machine import (
    displays,
    libraries,
    processor,
    storage,
    usb_cameras,
    video_codecs,
)
from streamer.doctor.machine.engines import Speed
from streamer.doctor.machine.libraries import Loaded
from streamer.sources.usb import Camera
from tests.boxes import until
from tests.doctor_sections import one
from tests.running import environment, freshframe, started

pytestmark = pytest.mark.timeout(60)

TITLES = ("Python", "Machine", "Libraries", "Models", "Engines", "Codecs", "Display", "USB cameras")


def test_codecs_of_the_real_av() -> None:
    section = video_codecs.section(libraries.load(["av"]))
    assert {"H.264", "H.265", "MJPEG"} <= set(re.findall(r"[\w.-]+", one(section, "decoded").text))
    assert not broken([section])
    without = Loaded({"av": {"decoders": {"h264": "h264", "mjpeg": "mjpeg"}, "hardware": {}}})
    assert one(video_codecs.section(without), "H.265").level is Level.PROBLEM


def test_opencv_without_windows() -> None:
    real = displays.section(libraries.load(["cv2"]), {})
    assert one(real, "OpenCV").level is Level.OK
    headless = displays.section(Loaded({"cv2": {"gui": "NONE", "imshow": True}}), {})
    assert one(headless, "OpenCV").level is Level.WARNING


@pytest.mark.skipif(sys.platform != "linux", reason="displays elsewhere are the system's own")
def test_displays() -> None:
    def level(environ: dict[str, str]) -> Level:
        return one(displays.section(Loaded(), environ), "display").level

    assert level({}) is Level.FACT
    number = 20_000 + os.getpid() % 40_000
    assert level({"DISPLAY": f":{number}"}) is Level.WARNING
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        assert level({"DISPLAY": f":{number}.0"}) is Level.OK
    assert level({"WAYLAND_DISPLAY": "wayland-none", "XDG_RUNTIME_DIR": "/nowhere"}) is Level.WARNING


def test_usb_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = "/dev/v4l/by-id/usb-Acme_C9-video-index0"
    device = tmp_path / "video7"
    device.touch()
    monkeypatch.setattr(usb_cameras, "cameras", lambda: [Camera(7, device, "Acme C9", (link,), None)])
    said = one(usb_cameras.section(), "usb:7")
    assert (said.level, link in said.text) == (Level.OK, True)
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = one(usb_cameras.section(), "usb:7")
    assert said.level is Level.WARNING
    assert "group" in said.advice or "-aG video" in said.advice


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not broken([processor.section()])
    import resource  # noqa: PLC0415 - Linux and macOS

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    said = one(processor.section(), "open files")
    assert (said.level, said.advice) == (Level.WARNING, "ulimit -n 4096")
    monkeypatch.setattr(time, "time", lambda: 1e9)  # 2001
    assert one(processor.section(), "clock").level is Level.WARNING


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading everything takes seconds; other tests do."""
    monkeypatch.setattr(libraries, "load", lambda names: Loaded({name: {} for name in names}))


@pytest.mark.usefixtures("light")
def test_a_section_that_fails_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Section:
        raise MemoryError("none left")

    monkeypatch.setattr(storage, "section", fail)
    monkeypatch.setattr(usb_cameras, "cameras", fail)
    sections = list(examine(lambda *_: Speed(10.0)))
    assert tuple(section.title for section in sections) == TITLES
    failed = [section.title for section in sections if "could not be looked at" in section.findings[0].text]
    assert failed == ["Models", "USB cameras"]
    assert broken(sections)


def test_a_broken_machine(tmp_path: Path) -> None:
    """Libraries that raise, exit and crash, no home, an empty cache: everything is said, nothing is made."""
    broken_ones = tmp_path / "broken"
    broken_ones.mkdir()
    for name, text in {
        "numpy": "raise ImportError('libgfortran.so.5 is missing')",
        "onnxruntime": "raise SystemExit('no')",
        "torch": "import os; os.abort()",
        "torchvision": "raise RuntimeError('operator torchvision::nms does not exist')",  # nobody loads it
        "ultralytics": "raise RuntimeError('settings cannot be written')",
        "filelock": "raise OSError('odd')",
    }.items():
        (broken_ones / f"{name}.py").write_text(text)
    path = os.pathsep.join((environment()["PYTHONPATH"], str(broken_ones)))
    done = freshframe(
        "doctor",
        cwd=tmp_path,
        env={"PYTHONPATH": path, "FRESHFRAME_CACHE": str(tmp_path / "cache"), "HOME": "", "COLUMNS": "100"},
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line in TITLES] == list(TITLES)
    for text in ("libgfortran.so.5", "SystemExit", "SIGABRT", "settings cannot be", "force-reinstall"):
        assert text in done.stdout
    assert "torchvision" not in done.stdout
    assert re.search(r"^\d+ problems, ", done.stdout.splitlines()[-1])
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert not (tmp_path / "cache").exists()


def test_ctrl_c_ends_it_and_its_processes(tmp_path: Path) -> None:
    (tmp_path / "av.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "time.sleep(600)\n"
    )
    path = os.pathsep.join((environment()["PYTHONPATH"], str(tmp_path)))
    with started("doctor", env={"PYTHONPATH": path}) as process:
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != "", 30)
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=10)
    assert process.returncode == 1, complained
    assert "Machine" in said
    assert "interrupted: not everything was looked at" in complained
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not Path(f"/proc/{pid}").exists())


def test_every_problem_comes_with_what_to_do() -> None:
    display = displays.section(Loaded(), {"DISPLAY": ":59999"})
    for section in (libraries.section(Loaded()), storage.section(), display):
        for finding in section.findings:
            if finding.level in (Level.WARNING, Level.PROBLEM):
                assert finding.advice, finding
                assert "\n" not in finding.advice
