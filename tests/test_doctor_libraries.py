"""Libraries that are old, compromised, in the way of others, missing or broken."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from streamer.doctor import examination
from streamer.doctor.finding import Level
from streamer.doctor.machine import (
    child,
    engines,
    installed,
    libraries,
)
from streamer.doctor.machine.engines import Speed
from streamer.doctor.machine.libraries import Loaded
from tests.doctor_sections import one
from tests.running import environment

pytestmark = pytest.mark.timeout(60)


def install(folder: Path, name: str, version: str, *requires: str) -> None:
    """A distribution's metadata, found before those of the real one."""
    place = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    (place / "METADATA").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In front of everything that is installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def every(module: str = "") -> Loaded:
    """Everything loads, but for this one."""
    names = [name for name in libraries.modules() if name != module]
    return Loaded({name: {} for name in names})


def test_versions_come_from_the_metadata(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wants = ("av>=18", "onnxruntime>=99.1", "opencv-python (>=5)", 'openvino>=98; extra == "o"')
    install(folder, "freshframe", "1", *wants)
    asked = installed.requirements()
    assert [(r.name, r.at_least, r.extra) for r in asked] == [
        ("av", "18", None),
        ("onnxruntime", "99.1", None),
        ("opencv-python", "5", None),
        ("openvino", "98", "o"),
    ]
    said = one(libraries.section(every()), "onnxruntime")
    assert said.level is Level.PROBLEM
    assert "older than 99.1" in said.text
    assert "install --upgrade 'onnxruntime>=99.1'" in said.advice
    assert "openvino" not in [r.name for r in libraries.wanted()]
    monkeypatch.setattr(engines, "version_of", lambda _: None)
    assert "'openvino>=98'" in one(engines.section(Loaded(), None, "not now"), "openvino").advice


def test_our_own_metadata_are_understood(folder: Path) -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    ours = text.partition("dependencies = [")[2].partition("\n]")[0]
    names = re.findall(r'^    "([a-z0-9-]+)>=([\d.]+)",', ours, re.MULTILINE)
    install(folder, "freshframe", "1", *(f"{name}>={floor}" for name, floor in names))
    assert [(r.name, r.at_least) for r in libraries.wanted()] == names
    assert set(libraries.NEEDED) <= {name for name, _ in names}, "what a checkout needs is what is asked for"
    assert not [finding for finding in libraries.section(every()).findings if finding.level is Level.PROBLEM]


@pytest.mark.parametrize(
    ("found", "wanted", "is_older"),
    [
        ("1.9", "1.26", True),
        ("1.31.1", "1.26", False),
        ("2.13.0+cpu", "2.4", False),
        ("5", "5.0.0", False),
        ("8.4.99", "8.4.100", True),
    ],
)
def test_versions_are_compared_as_numbers(found: str, wanted: str, is_older: bool) -> None:
    assert installed.older(found, wanted) is is_older


@pytest.mark.parametrize("version", ["8.3.41", "8.3.42", "8.3.45", "8.3.46"])
def test_compromised_versions_are_named_and_never_loaded(folder: Path, version: str) -> None:
    install(folder, "ultralytics", version)
    (folder / "ultralytics.py").write_text("raise SystemExit('loaded')")
    assert "ultralytics" not in libraries.modules()
    said = one(libraries.section(every()), "ultralytics")
    assert said.level is Level.PROBLEM
    assert "compromised" in said.text
    assert libraries.harmful()
    measured: list[str] = []

    def measure(engine: str, device: str) -> Speed:
        measured.append(engine)
        return Speed(10.0)

    section = examination._engines(every(), measure)
    assert not measured, "making the network ready would load it"
    assert "must not be loaded" in one(section, "speed").text


def test_distributions_in_each_others_way(folder: Path) -> None:
    install(folder, "opencv-python-headless", "4.9")
    said = one(libraries.section(every()), "opencv-python")
    assert said.level is Level.WARNING
    assert "opencv-python-headless" in said.text
    assert "uninstall" in said.advice


def test_a_torchvision_that_does_not_fit(folder: Path) -> None:
    install(folder, "torchvision", "0.9", "numpy", "torch (==1.8.0)")
    said = one(libraries.section(every()), "torchvision")
    assert said.level is Level.WARNING
    assert "made for torch 1.8.0" in said.text
    shutil.rmtree(folder / "torchvision-0.9.dist-info")
    install(folder, "torchvision", "0.28.0", f"torch=={str(installed.version_of('torch')).partition('+')[0]}")
    assert not [finding for finding in libraries.section(every()).findings if finding.name == "torchvision"]


def test_what_is_missing_raises_exits_crashes_or_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "first.py").write_text("print('noise on stdout')")
    (folder / "raising.py").write_text("raise ImportError('libfoo.so.1 is missing')")
    (folder / "exiting.py").write_text("raise SystemExit(3)")
    (folder / "crashing.py").write_text("import os; os.abort()")
    (folder / "hanging.py").write_text("import time; time.sleep(600)")
    (folder / "last.py").write_text("")
    names = ["first", "nowhere", "raising", "exiting", "crashing", "last"]
    loaded = libraries.load(names)
    assert [name for name in names if loaded.loads(name)] == ["first", "last"]
    assert loaded.said["nowhere"]["missing"]
    assert "libfoo.so.1" in loaded.said["raising"]["error"]
    assert "SystemExit" in loaded.said["exiting"]["error"]
    assert "SIGABRT" in loaded.said["crashing"]["error"]
    hanging = libraries.load(["hanging"], timeout_s=0.5)
    assert "not done after 0.5 s" in hanging.said["hanging"]["error"]


def test_what_a_library_starts_ends_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold the pipes open, and nobody waits for it."""
    monkeypatch.setenv("PYTHONPATH", str(folder))
    command = "import time; time.sleep(600)"
    (folder / "starting.py").write_text(
        f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {command!r}])"
    )
    assert libraries.load(["starting"], timeout_s=1).loads("starting")


def test_its_process_ends_with_us(tmp_path: Path) -> None:
    """Whoever started it is killed: the pipe that is its stdin closes."""
    (tmp_path / "hanging.py").write_text("import time; time.sleep(600)")
    read, write = os.pipe()
    answer_read, answer_write = os.pipe()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", str(child.IMPORTS), "hanging"],
        {**environment(), "PYTHONPATH": str(tmp_path)},
        file_actions=[
            (os.POSIX_SPAWN_DUP2, read, 0),
            (os.POSIX_SPAWN_DUP2, answer_write, 1),
            (os.POSIX_SPAWN_CLOSE, write),
        ],
    )
    os.close(read)
    os.close(answer_write)
    os.close(write)
    _, status = os.waitpid(pid, 0)  # the test's own time limit ends a wait that does not
    os.close(answer_read)
    assert os.waitstatus_to_exitcode(status) == 1


def test_a_distribution_with_a_hyphen_is_imported_with_an_underscore() -> None:
    assert [libraries._module(name) for name in ("faster-coco-eval", "opencv-python", "numpy")] == [
        "faster_coco_eval",
        "cv2",
        "numpy",
    ]
