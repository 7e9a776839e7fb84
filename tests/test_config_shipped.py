"""The configurations that are shipped, run as a new user would: only addresses are changed."""

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from streamer import wire
from streamer.cli.commands import main
from streamer.fakecam import FakeCam
from streamer.looking import Region
from tests.boxes import until
from tests.running import ROOT, freshframe, started
from tests.screen import Screen
from tests.served_display import serving

CONFIGS = ROOT / "configs"
SHIPPED = {path.name for path in CONFIGS.glob("*.yaml")}
PASSWORDS = {"GATE_PASSWORD": "hunter2", "YARD_PASSWORD": "hunter2"}

pytestmark = pytest.mark.timeout(90)


def own_copy(name: str, folder: Path, addresses: Mapping[str, str]) -> Path:
    """A configuration with one's own addresses in it."""
    text = (CONFIGS / name).read_text()
    for theirs, mine in addresses.items():
        assert theirs in text, f"{name} has no {theirs} any more"
        text = text.replace(theirs, mine)
    path = folder / name
    path.write_text(text)
    return path


def messages(path: Path) -> list[wire.DetectionsMessage]:
    """What a run has written so far."""
    return list(wire.read_jsonl(path)) if path.exists() else []


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Stop it as Ctrl-C does: exit status and what it said."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    return process.returncode, out + err


def test_the_ones_there_are() -> None:
    assert sorted(SHIPPED) == ["dashcam.yaml", "demo.yaml", "live-overlay.yaml", "security-cameras.yaml"]


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_each_is_read_in_a_minute(name: str) -> None:
    lines = (CONFIGS / name).read_text().splitlines()
    assert len(lines) <= 60
    assert lines[0].startswith("# ")
    assert max(map(len, lines)) <= 110
    # Each key that a newcomer meets is explained where it stands or just above.
    keys = [i for i, line in enumerate(lines) if re.match(r"\s*(- )?\w+:", line)]
    explained = [i for i in keys if "#" in lines[i] or "#" in lines[i - 1]]
    assert len(explained) >= len(keys) / 3


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_check_has_nothing_against_them(
    name: str,
    yolo26n: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, value in PASSWORDS.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(sys, "path", [*sys.path])  # the configuration's folder is added
    with serving(tmp_path / "X") as display:
        monkeypatch.setenv("DISPLAY", display)
        assert main(["check", str(CONFIGS / name)]) == 0
    out, err = capsys.readouterr()
    # The dashcam's card is in the camera.
    *said, last = err.splitlines()
    assert [line for line in said if "there is no " not in line] == []
    assert bool(said) == (name == "dashcam.yaml")
    assert last == f"{CONFIGS / name}: no problems{', 1 warning' * len(said)}"
    assert "hunter2" not in out + err
    assert set(yaml.safe_load(out)) == {"model", "cameras", "sinks"}


def test_a_password_that_is_not_set_is_named() -> None:
    env = {name: value for name, value in PASSWORDS.items() if name != "YARD_PASSWORD"}
    done = freshframe("run", CONFIGS / "security-cameras.yaml", env=env)
    assert done.returncode == 2
    assert "cameras.yard.source: the environment variable YARD_PASSWORD is not set" in done.stderr


def part(clip: Path, target: Path, count: int) -> None:
    """The first pictures of a clip, as they are."""
    with av.open(str(clip)) as whole, av.open(str(target), "w") as cut:
        stream = cut.add_stream_from_template(whole.streams.video[0])
        for packet in whole.demux(video=0):
            if packet.dts is None or count == 0:
                break
            count -= 1
            packet.stream = stream
            cut.mux(packet)


@pytest.mark.shared
def test_security_cameras(shared_data: Path, tmp_path: Path, yolo26n: Path) -> None:
    videos = shared_data / "videos"
    people = tmp_path / "people.mp4"
    part(videos / "people_crowd_ocv4nodejs.mp4", people, 48)  # it has B-frames: all of it is encoded anew
    clips = [videos / "road_cctv_ozlu.mp4", people, people]
    with FakeCam(clips, user="viewer", password="hunter2") as fake:
        addresses = {
            f"192.0.2.{10 + i}/stream2": url.removeprefix("rtsp://") for i, url in enumerate(fake.urls)
        }
        path = own_copy("security-cameras.yaml", tmp_path, addresses | {"127.0.0.1:5555": "127.0.0.1:*"})
        written = tmp_path / "detections.jsonl"

        def seen() -> dict[str, int]:
            counts = dict.fromkeys(("gate", "yard", "garage"), 0)
            for message in messages(written):
                counts[message.camera] += len(message.detections)
            return counts

        with started("run", path, env=PASSWORDS) as process:
            until(lambda: process.poll() is not None or min(seen().values()) >= 5, 60, 0.1)
            status, said = ended(process)
    assert status == 0, said
    assert "hunter2" not in said
    found = messages(written)
    labels: dict[str, set[str]] = {camera: set() for camera in ("gate", "yard", "garage")}
    for message in found:
        for thing in message.detections:
            labels[message.camera].add(thing.label)
            assert thing.score > (0.5 if thing.label == "person" else 0.35)
    assert labels["gate"] | labels["yard"] <= {"person", "car", "bicycle", "dog", "cat"}
    assert labels["garage"] == {"person"}
    boxes = np.array(
        [thing.box_n for message in found if message.camera == "gate" for thing in message.detections]
    )
    assert (boxes[:, 3] >= 0.35).all()
    assert {message.model.name for message in found} == {"yolo26n"}


@pytest.mark.shared
def test_a_dashcam(shared_data: Path, tmp_path: Path, yolo26n: Path) -> None:
    card = tmp_path / "card" / "DCIM" / "Movie"
    card.mkdir(parents=True)
    clip = shared_data / "videos" / "dashcam_solidWhiteRight_udacity.mp4"
    for name in ("20260101_120000.mp4", "20260101_120100.mp4"):
        part(clip, card / name, 25)
    (card / "20260101_120000.thm").write_bytes(b"a thumbnail")
    path = own_copy("dashcam.yaml", tmp_path, {"DCIM/Movie/": "card/DCIM/Movie/"})
    done = freshframe("run", path, timeout_s=80)
    assert done.returncode == 0, done.stderr
    found = messages(tmp_path / "dashcam.jsonl")
    # 50 pictures at 25 a second, of which ten a second are looked at; the time goes on from film to film.
    assert 18 <= len(found) <= 22
    times = [message.scene_time for message in found]
    assert times == sorted(times)
    assert 1.6 <= times[-1] - times[0] <= 2.0
    things = [thing for message in found for thing in message.detections]
    assert "car" in {thing.label for thing in things}
    region = Region([((0, 0), (1, 0), (1, 0.9), (0, 0.9))])
    feet = np.array([((thing.box_n[0] + thing.box_n[2]) / 2, thing.box_n[3]) for thing in things])
    assert region.holds(feet.clip(0, 1)).all()
    with av.open(str(tmp_path / "dashcam-front.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == len(found)


@pytest.mark.shared
def test_the_demo(shared_data: Path, tmp_path: Path, yolo26n: Path) -> None:
    (tmp_path / "configs").mkdir()
    clips = [shared_data / "videos" / "road_cctv_ozlu.mp4"] * 2
    with FakeCam(clips) as fake:
        addresses = {f"127.0.0.1:8554/cam{i}": url.removeprefix("rtsp://") for i, url in enumerate(fake.urls)}
        path = own_copy("demo.yaml", tmp_path / "configs", addresses | {"127.0.0.1:5555": "127.0.0.1:*"})
        written = tmp_path / "demo-out" / "detections.jsonl"

        def cameras() -> set[str]:
            return {message.camera for message in messages(written)[5:] if message.detections}

        with started("run", path) as process:
            until(lambda: process.poll() is not None or cameras() == {"cam0", "cam1"}, 60, 0.1)
            status, said = ended(process)
    assert status == 0, said
    for name in ("cam0", "cam1"):
        with av.open(str(tmp_path / "demo-out" / f"{name}.mp4")) as film:
            assert film.streams.video[0].width == 640


@pytest.mark.shared
@pytest.mark.debian
def test_a_live_overlay(shared_data: Path, tmp_path: Path, yolo26n: Path) -> None:
    """Pictures move on the screen, and q ends it."""
    clip = shared_data / "videos" / "road_cctv_ozlu.mp4"
    (tmp_path / "screen").mkdir()
    with FakeCam([clip]) as fake, Screen(tmp_path / "screen") as screen:
        path = own_copy("live-overlay.yaml", tmp_path, {"source: usb:0": f"source: {fake.urls[0]}"})
        with started("run", path, env={"DISPLAY": screen.name}) as process:
            until(lambda: process.poll() is not None or screen.pixels().std() > 20, 60, 0.2)
            before = screen.pixels().copy()
            until(lambda: process.poll() is not None or (screen.pixels() != before).mean() > 0.05, 20, 0.2)
            assert process.poll() is None, process.communicate()[1]
            screen.press("q")
            _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said


def test_a_live_overlay_without_a_display_says_so_before_anything_starts(
    tmp_path: Path, yolo26n: Path
) -> None:
    path = own_copy("live-overlay.yaml", tmp_path, {"source: usb:0": "source: 'synthetic:'"})
    done = freshframe("run", path, env={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert done.returncode == 2
    assert "there is no display" in done.stderr
