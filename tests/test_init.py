"""`freshframe init` as users run it: cameras on loopback, a terminal, and the file that comes of it."""

import io
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

from streamer.cli.commands import main, parser_of
from streamer.cli.questions import Terminal
from streamer.fakecam import FakeCam
from streamer.setup import candidates, trying
from tests.boxes import until
from tests.dialog import Dialog
from tests.fakecam_clips import write_clip
from tests.onvif_camera import LOOPBACK, OnvifCamera, Responder, Stream, matches
from tests.running import ROOT, started
from tests.scripted_camera import Asked, Scripted, reply

pytestmark = pytest.mark.timeout(100)

PASSWORD, ENCODED = "ge heim/1", "ge%20heim%2F1"
HERE = ("--interface", LOOPBACK)
LOGIN = ("--user", "admin", "--password-env", "PW")
NO_SCREEN = ("DISPLAY", "WAYLAND_DISPLAY", "CAMERAS_PASSWORD")


@pytest.fixture(scope="module")
def rtsp(tmp_path_factory: pytest.TempPathFactory, bikes: Path) -> Iterator[FakeCam]:
    """A main stream, a substream of a street, and one that is too small; they want a password."""
    folder = tmp_path_factory.mktemp("clips")
    large, small = (
        write_clip(folder / f"{width}.mp4", size=(width, height))
        for width, height in ((1280, 720), (320, 240))
    )
    with FakeCam([large, bikes, small], user="admin", password=PASSWORD) as cam:
        yield cam


def streams(rtsp: FakeCam) -> list[Stream]:
    main, sub, small = rtsp.urls
    return [
        Stream("main", main, "H264", (1280, 720), 30, "MainStream"),
        Stream("sub", sub, "H264", (640, 272), 25, "SubStream"),
        Stream("small", small, "H264", (320, 240), 30, "ThirdStream"),
    ]


@pytest.fixture
def camera(rtsp: FakeCam) -> Iterator[OnvifCamera]:
    with OnvifCamera(streams(rtsp), password=PASSWORD) as camera:
        yield camera


@pytest.fixture
def found(camera: OnvifCamera) -> Iterator[OnvifCamera]:
    """The same, and it answers when somebody looks for cameras."""
    scopes = "onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/Eye-3"

    def answers(message_id: str) -> Sequence[bytes]:
        return [matches(message_id, ("urn:uuid:init", camera.url, scopes))]

    with Responder(answers, multicast=True):
        yield camera


@dataclass(frozen=True)
class Done:
    """How it ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


class Init:
    """`freshframe init` in this process, with less patience, and nothing of it left in the environment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
        return self._run("init", *words, cwd=cwd, env=env)

    def check(self, file: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
        """What `freshframe check` says of it, where only these variables are set."""
        return self._run("check", file, cwd=cwd, env=env)

    def _run(self, *words: str, cwd: Path, env: Mapping[str, str] | None) -> Done:
        self._capsys.readouterr()
        with self._monkeypatch.context() as patched, patch.dict(os.environ, env or {}):
            patched.setattr(candidates, "COLLECT_S", 0.3)
            patched.setattr(trying, "TRY_S", 0.4)
            patched.chdir(cwd)
            patched.setattr("sys.stdin", io.StringIO())
            patched.setattr("sys.path", [*sys.path])  # `check` adds the folder of the file
            status = main(list(words))
        said = self._capsys.readouterr()
        return Done(status, said.out, said.err)


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Init:
    return Init(monkeypatch, capsys)


def cameras_of(file: Path) -> dict[str, dict[str, object]]:
    tree = yaml.safe_load(file.read_text())
    assert isinstance(tree, dict)
    return dict(tree["cameras"])


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestByFlags:
    def test_what_is_found_is_tried_written_and_runs(
        self, init: Init, found: OnvifCamera, tmp_path: Path, rtsp: FakeCam, yolo26n: Path
    ) -> None:
        env = {"PW": ENCODED}
        words = ("--yes", *HERE, *LOGIN, "--classes", "all", "--results", "jsonl")
        done = init(*words, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert left_in(tmp_path) == ["cameras.yaml"]
        text = (tmp_path / "cameras.yaml").read_text()
        assert cameras_of(tmp_path / "cameras.yaml") == {
            "Front-door": {"source": rtsp.urls[1].replace("://", "://admin:${PW}@")}
        }
        assert "#   SubStream    640x272   H.264  25 fps  <- this one\n" in text
        assert "# Tried: 640x272 H.264 25 fps" in text
        for secret in (PASSWORD, ENCODED):
            assert secret not in text + done.stderr
        checked = init.check("cameras.yaml", cwd=tmp_path, env=env)
        assert checked.returncode == 0, checked.stderr
        results = tmp_path / "detections.jsonl"
        with started("run", "cameras.yaml", cwd=tmp_path, env=env) as running:
            until(lambda: results.exists() and '"label":"person"' in results.read_text(), 40)
            running.send_signal(signal.SIGINT)
            assert running.wait(20) == 0
        messages = [json.loads(line) for line in results.read_text().splitlines()]
        assert {one["camera"] for one in messages} == {"Front-door"}
        assert {(one["width"], one["height"]) for one in messages} == {(640, 272)}

    def test_a_named_camera_in_another_network(self, init: Init, camera: OnvifCamera, tmp_path: Path) -> None:
        place = f"{LOOPBACK}:{camera.port}"
        done = init(
            *("--yes", "--onvif", place, *LOGIN, "--output", "a.yaml", "--results", "zmq,video"),
            *("--classes", "person, dog"),
            cwd=tmp_path,
            env={"PW": PASSWORD},
        )
        assert done.returncode == 0, done.stderr
        tree = yaml.safe_load((tmp_path / "a.yaml").read_text())
        assert list(tree["cameras"]) == ["Acme-Eye-3"]
        assert tree["model"]["classes"] == ["person", "dog"]
        assert [sink["use"] for sink in tree["sinks"]] == ["zmq", "video"]
        assert "asking on" not in done.stderr

    def test_a_source_with_its_password_in_it(self, init: Init, rtsp: FakeCam, tmp_path: Path) -> None:
        url = rtsp.urls[0].replace("://", f"://admin:{ENCODED}@")
        done = init("--yes", "--source", url, "--results", "jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "cameras.yaml").read_text()
        assert rtsp.urls[0].replace("://", "://admin:${CAMERAS_PASSWORD}@") in text
        assert ENCODED not in text + done.stderr
        assert "#   IFS= read -rs CAMERAS_PASSWORD && export CAMERAS_PASSWORD\n" in text
        assert init.check("cameras.yaml", cwd=tmp_path, env={"CAMERAS_PASSWORD": PASSWORD}).returncode == 0
        missing = init.check("cameras.yaml", cwd=tmp_path)
        assert "the environment variable CAMERAS_PASSWORD is not set" in missing.stderr

    def test_a_source_with_the_users_own_variable(self, init: Init, rtsp: FakeCam, tmp_path: Path) -> None:
        url = rtsp.urls[2].replace("://", "://admin:${MINE}@")
        env = {"MINE": ENCODED}
        done = init("--yes", "--source", url, cwd=tmp_path, env=env)
        assert done.returncode == 0, done.stderr
        assert cameras_of(tmp_path / "cameras.yaml") == {"127-0-0-1": {"source": url}}
        assert "Smaller than the 640 pixels" in (tmp_path / "cameras.yaml").read_text()
        assert init.check("cameras.yaml", cwd=tmp_path, env=env).returncode == 0

    def test_two_of_the_same_and_a_clip(self, init: Init, tmp_path: Path) -> None:
        clip = write_clip(tmp_path / "a clip: #1.mp4")
        same = ("--source", "synthetic:?fps=30&size=640x360")
        drive = tmp_path / "drive"
        drive.mkdir()
        (drive / "1.mp4").hardlink_to(clip)
        files = ("--source", clip.name, "--source", drive.name)
        done = init("--yes", *same, *same, *files, "--output", "drive/c.yaml", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found = cameras_of(drive / "c.yaml")
        assert list(found) == ["synthetic", "synthetic-2", "a-clip-1", "drive"]
        assert found["drive"] == {"source": str(drive), "live": True}
        assert found["a-clip-1"] == {"source": str(clip), "live": True}
        assert init.check("drive/c.yaml", cwd=tmp_path).returncode == 0

    def test_a_named_camera_that_is_away_is_written_down_and_said(self, init: Init, tmp_path: Path) -> None:
        with socket.socket() as nobody:
            nobody.bind((LOOPBACK, 0))
            url = f"rtsp://{LOOPBACK}:{nobody.getsockname()[1]}/stream2"
            done = init("--yes", "--source", url, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        assert "written down all the same" in done.stderr
        assert "# When this was written it gave no picture: " in (tmp_path / "cameras.yaml").read_text()
        assert "\nno camera gave a picture:\n  127-0-0-1: " in done.stderr

    def test_what_cameras_lack_that_refuse_is_the_last_word(
        self, init: Init, rtsp: FakeCam, tmp_path: Path
    ) -> None:
        refused = ("--source", rtsp.urls[0], "--source", rtsp.urls[1].replace("://", "://admin:${PW}@"))
        done = init("--yes", *refused, cwd=tmp_path, env={"PW": "wrong"})
        assert done.returncode == 1
        last = done.stderr.partition("no camera gave a picture:\n")[2].splitlines()
        first, second = cameras_of(tmp_path / "cameras.yaml")
        assert last[0] == f"  {first}: asks for a user name and a password (401)"
        assert f"  {second}: user name or password was refused (401)" in last
        assert "--user NAME --password-env VARIABLE" in last[1]
        assert last[-1] == "then run `freshframe init` again with --force, or edit the file"
        assert max(map(len, done.stderr.splitlines())) <= 80
        works = ("--source", rtsp.urls[2].replace("://", f"://admin:{ENCODED}@"))
        done = init("--yes", *refused[:2], *works, "--force", cwd=tmp_path)
        assert done.returncode == 0
        assert "\n1 of 2 cameras gave no picture:\n" in done.stderr

    def test_one_that_is_found_but_not_let_in_is_left_out(
        self, init: Init, found: OnvifCamera, tmp_path: Path
    ) -> None:
        done = init("--yes", *HERE, *LOGIN, cwd=tmp_path, env={"PW": "wrong"})
        assert done.returncode == 2
        assert "left out: " in done.stderr
        assert "refuses the user name or password" in done.stderr
        assert "no camera is left; nothing was written" in done.stderr
        assert left_in(tmp_path) == []
        assert found.refused == 1  # asked once: more could lock the account

    def test_one_that_is_found_is_not_told_the_password_itself(self, init: Init, tmp_path: Path) -> None:
        def basic(asked: Asked) -> bytes:
            return reply(asked, "401 Unauthorized", WWW_Authenticate='Basic realm="x"')

        with Scripted(basic) as stream, OnvifCamera([Stream("a", stream.url)], password=PASSWORD) as camera:

            def answers(message_id: str) -> Sequence[bytes]:
                return [matches(message_id, ("urn:uuid:init", camera.url, ""))]

            with Responder(answers, multicast=True):
                done = init("--yes", *HERE, *LOGIN, cwd=tmp_path, env={"PW": ENCODED})
            assert done.returncode == 2
            said = " ".join(done.stderr.split())
            assert "name it by --source, with USER:${PASSWORD}@ in its address left out" in said
            assert left_in(tmp_path) == []
            assert not any("authorization" in asked.headers for asked in stream.asked)
            words = ("--yes", "--onvif", f"{LOOPBACK}:{camera.port}", *LOGIN)
            init(*words, cwd=tmp_path, env={"PW": ENCODED})
        assert any("authorization" in asked.headers for asked in stream.asked), "its owner named it"

    def test_no_camera_at_all(self, init: Init, tmp_path: Path) -> None:
        done = init("--yes", *HERE, cwd=tmp_path)
        assert done.returncode == 2
        assert f"asking on {LOOPBACK}" in done.stderr
        assert "answers: none" in done.stderr
        assert "firewall" in done.stderr
        assert "--source rtsp://" in done.stderr
        assert left_in(tmp_path) == []

    def test_what_is_there_is_not_written_over(self, init: Init, tmp_path: Path) -> None:
        file = tmp_path / "cameras.yaml"
        file.write_text("mine")
        words = ("--yes", "--source", "synthetic:?fps=30")
        done = init(*words, cwd=tmp_path)
        assert done.returncode == 2
        assert "is already there; --force writes over it" in done.stderr
        assert file.read_text() == "mine"
        assert init(*words, "--force", cwd=tmp_path).returncode == 0
        assert cameras_of(file) == {"synthetic": {"source": "synthetic:?fps=30"}}
        assert left_in(tmp_path) == ["cameras.yaml"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--output", "no/such/x.yaml"], "there is no folder no/such"),
            (["--output", "."], "is a folder; name a file"),
            (["--output", "/proc/x.yaml"], "--output /proc/x.yaml: "),
            (["--classes", "persn"], "did you mean person?"),
            (["--results", "fax"], "results to fax: allowed: window, jsonl, zmq, video"),
            (["--user", "admin"], "--user and --password-env go together"),
            (["--password-env", "PW"], "--user and --password-env go together"),
            (["--user", "a", "--password-env", "UNSET"], "the environment variable UNSET is not set"),
            (["--user", "a", "--password-env", "BAD"], "that are not printable"),
            (["--interface", "wlan99"], "there is no such network here"),
            (["--onvif", "a/b"], "allowed is a camera's HOST or HOST:PORT"),
            (["--source", "ftp://x/"], "ftp: is not allowed"),
            (["--source", "holiday.mp4"], "there is no such file"),
            (["--source", "rtsp://u:${UNSET}@h/"], "the environment variable UNSET is not set"),
            (["--source", "rtsp://u:hunter2@h/${PW}"], "a password stands in it, beside a variable"),
            (["--source", "rtsp://${PW}:hunter2@h/"], "a password stands in it, beside a variable"),
            (["--source", "http://h/?ch=${PW}&pwd=hunter2"], "a password stands in it, beside a variable"),
        ],
    )
    def test_mistakes_are_said_before_anything_is_done(
        self,
        words: list[str],
        said: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PW", "x")
        monkeypatch.setenv("BAD", "a\tb")
        assert main(["init", "--yes", *words]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert said in told.err
        assert "hunter2" not in told.err
        assert "asking on" not in told.err
        assert left_in(tmp_path) == []

    def test_a_camera_that_means_no_good(self, init: Init, tmp_path: Path, rtsp: FakeCam) -> None:
        street = rtsp.urls[1]
        evil = [
            Stream("a", f"{street}?x=${{PW}}", size=(800, 600)),  # would read our environment
            Stream("b", f"{street}?password=hunter2", size=(700, 600)),
            Stream(
                "c", f"{street}?a=$$PW&b=%7BPW%7D", size=(640, 272), name='"}\n  evil: {source: usb:0} # '
            ),
        ]
        with OnvifCamera(evil, password=PASSWORD, maker="A: [\u2028b]", model="- {x: *y}") as camera:
            words = ("--yes", "--onvif", f"{LOOPBACK}:{camera.port}", *LOGIN)
            done = init(*words, cwd=tmp_path, env={"PW": ENCODED})
        assert done.returncode == 0, done.stderr
        (found,) = cameras_of(tmp_path / "cameras.yaml").items()
        url = street.replace("://", "://admin:${PW}@")
        assert found == ("A-b-x-y", {"source": f"{url}?a=$$$$PW&b=%7BPW%7D"})
        text = (tmp_path / "cameras.yaml").read_text()
        assert "hunter2" not in text
        assert text.isascii() or "\u2028" not in text
        assert init.check("cameras.yaml", cwd=tmp_path, env={"PW": ENCODED}).returncode == 0

    def test_a_recorder_is_as_many_cameras_as_it_has_channels(
        self, init: Init, tmp_path: Path, rtsp: FakeCam
    ) -> None:
        channels = [
            Stream(f"{channel}{size[0]}", rtsp.urls[number], size=size, source=f"channel {channel}")
            for channel in (1, 2)
            for number, size in enumerate([(1280, 720), (640, 272)])
        ]
        channels.append(replace(channels[1], token="again"))  # the same stream once more
        with OnvifCamera(channels, password=PASSWORD, maker="", model="NVR") as recorder:
            words = ("--yes", "--onvif", f"{LOOPBACK}:{recorder.port}", *LOGIN)
            done = init(*words, cwd=tmp_path, env={"PW": ENCODED})
        assert done.returncode == 0, done.stderr
        assert list(cameras_of(tmp_path / "cameras.yaml")) == ["NVR-1", "NVR-2"]
        assert (tmp_path / "cameras.yaml").read_text().count("<- this one") == 2


def _ctrl_d(*_: object) -> str:
    raise EOFError


class TestOnATerminal:
    def test_enter_all_the_way(self, found: OnvifCamera, tmp_path: Path, rtsp: FakeCam) -> None:
        with Dialog("init", *HERE, cwd=tmp_path, without=NO_SCREEN) as user:
            user.hear("Enter takes what stands in")
            user.hear("USB cameras: ")
            user.hear(r"1  ONVIF  127\.0\.0\.1  Front door Eye-3")
            user.answer(r"Which ones\?.*\[all\] ")
            user.hear("asks for a user name and password")
            user.answer(r"User name.*\[admin\] ")
            user.answer("Password .*: ", "wrong")
            user.hear("refuses the user name or password")
            user.answer("User name")
            user.answer("Password", PASSWORD)
            user.hear("Tried: 640x272 H.264 25 fps")
            user.answer(r"What shall be recognised\?.*\[person, bicycle, .*\] ")
            user.answer(r"Where shall results go\?.*\[jsonl\] ")
            user.hear("written: cameras.yaml; next:")
            user.hear("read -rs CAMERAS_PASSWORD && export CAMERAS_PASSWORD")
            user.hear("freshframe check cameras.yaml")
            user.hear("freshframe run cameras.yaml")
            assert user.status() == 0
        text = (tmp_path / "cameras.yaml").read_text()
        assert rtsp.urls[1].replace("://", "://admin:${CAMERAS_PASSWORD}@") in text
        assert PASSWORD not in user.said + text
        assert left_in(tmp_path) == ["cameras.yaml"]

    def test_a_wrong_answer_is_asked_again(self, rtsp: FakeCam, camera: OnvifCamera, tmp_path: Path) -> None:
        """And a login that was right is not asked for again by the next camera."""
        with Dialog("init", *HERE, cwd=tmp_path, without=NO_SCREEN) as user:
            user.answer(r"Camera \[", "ftp://x/")
            user.hear("ftp: is not allowed")
            user.answer(r"Camera \[", f"{rtsp.urls[1]} {LOOPBACK}:{camera.port}")
            user.hear("asks for a user name and password")
            user.answer("User name", "a\x1b[2J")
            user.hear("not printable")
            user.answer("User name", "admin")
            user.answer("Password", b"\xff")
            user.hear("no text|not printable")
            user.answer("Password", "wrong")
            user.hear("refuses the user name or password")
            user.answer("User name", "admin")
            user.answer("Password", PASSWORD)
            user.hear("Tried: 640x272")
            user.hear("SubStream. Tried: 640x272")
            user.answer("What shall be recognised", "persn")
            user.hear("did you mean person")
            user.answer("What shall be recognised", "person")
            user.answer("Where shall results go", "jsonl, zmq")
            assert user.status() == 0
        tree = yaml.safe_load((tmp_path / "cameras.yaml").read_text())
        assert {camera["source"] for camera in tree["cameras"].values()} == {
            rtsp.urls[1].replace("://", "://admin:${CAMERAS_PASSWORD}@")
        }
        assert tree["model"]["classes"] == ["person"]
        assert [sink["use"] for sink in tree["sinks"]] == ["jsonl", "zmq"]

    def test_no_camera_and_enter_gives_something_to_try(self, tmp_path: Path, bikes: Path) -> None:
        with Dialog("init", *HERE, cwd=tmp_path, without=NO_SCREEN) as user:
            user.answer(r"Camera \[.*bikes.mp4\] ")
            user.hear("Tried: ")
            user.answer("What shall")
            user.answer("Where shall")
            assert user.status() == 0
        assert cameras_of(tmp_path / "cameras.yaml") == {"bikes": {"source": str(bikes), "live": True}}

    def test_the_end_at_the_last_question_leaves_nothing(self, tmp_path: Path) -> None:
        with Dialog("init", "--source", "synthetic:?fps=30", cwd=tmp_path, without=NO_SCREEN) as user:
            user.answer("What shall")
            user.hear(r"Where shall.*\] ")
            user.type("\x03")
            assert user.status() == 1
        assert "interrupted: nothing was written" in user.said
        assert "Traceback" not in user.said
        assert left_in(tmp_path) == []

    def test_the_end_of_input_is_as_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with pytest.raises(KeyboardInterrupt):
            Terminal().ask("Camera", "usb:0", str)
        monkeypatch.setattr("getpass.getpass", _ctrl_d)
        with pytest.raises(KeyboardInterrupt):
            Terminal().secret("Password")

    def test_and_while_a_camera_is_tried(self, tmp_path: Path) -> None:
        with socket.create_server((LOOPBACK, 0)) as mute:
            url = f"rtsp://{LOOPBACK}:{mute.getsockname()[1]}/a"
            with Dialog("init", "--source", url, cwd=tmp_path, without=NO_SCREEN) as user:
                user.hear("trying 127-0-0-1")
                mute.accept()[0].close()
                user.type("\x03")
                assert user.status() == 1
        assert "interrupted: nothing was written" in user.said
        assert "Traceback" not in user.said
        assert left_in(tmp_path) == []

    def test_without_a_terminal_nobody_is_asked(self, init: Init, tmp_path: Path) -> None:
        done = init(cwd=tmp_path)
        assert done.returncode == 2
        assert "there is no terminal to ask on; --yes" in done.stderr
        assert left_in(tmp_path) == []


def test_the_commands_of_the_guide_are_right() -> None:
    guide = (ROOT / "docs" / "init.md").read_text(encoding="utf-8")
    commands = re.findall(r"^freshframe (init[^#\n]*)", guide, re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        words = command.split()
        assert parser_of(words).parse_args(words).run is not None
