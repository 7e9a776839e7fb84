"""What comes from the environment is shown by no command, wherever it stands in an address."""

import sys
from pathlib import Path

import pytest

from streamer.cli.commands import main
from tests.running import ROOT, freshframe

SECRET = "s3cretpath"
CAMERAS = [
    ("http://127.0.0.1:1/${STREAM}/live?ch=${STREAM}", "thread"),
    ("rtsp://127.0.0.1:1/${STREAM}/live", "process"),
]
CONFIG = """\
model: {use: "mine:Bright"}
cameras:
  gate: {source: "%s", isolation: %s}
"""


@pytest.mark.parametrize(("address", "isolation"), CAMERAS)
def test_commands_that_connect(address: str, isolation: str, tmp_path: Path) -> None:
    env = {"STREAM": SECRET}
    (tmp_path / "mine.py").write_text((ROOT / "tests" / "mine.py").read_text())
    file = tmp_path / "cameras.yaml"
    file.write_text(CONFIG % (address, isolation))
    done = freshframe("run", file, "--for", "1", cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert "/***" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    done = freshframe("doctor", address, cwd=tmp_path, env=env)
    assert "/***" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    made = tmp_path / "made.yaml"
    words = ("--yes", "--source", address, "--results", "jsonl", "--output", made)
    done = freshframe("init", *words, cwd=tmp_path, env=env)
    assert SECRET not in done.stderr + made.read_text()


THEIRS = """\
from streamer import Result

class Refuses:
    takes = Result
    def __init__(self, token):
        raise ValueError(f"bad token {token}")
    def write(self, result): ...

class Fails:
    takes = Result
    def __init__(self, token):
        self.token = token
    def __enter__(self):
        return self
    def __exit__(self, *exc): ...
    def write(self, result):
        raise OSError(f"https://192.0.2.1/{self.token}/send: refused")
"""


@pytest.mark.parametrize(
    ("rest", "status", "said"),
    [
        ("sinks: [{use: 'theirs:Refuses', token: '${STREAM}'}]", 2, "bad token ***"),
        ("sinks: [{use: 'theirs:Fails', token: '${STREAM}'}]", 1, "https://192.0.2.1/***/send: refused"),
        ("model: '${STREAM}'", 2, "the catalogue has no '***'"),
    ],
)
def test_what_somebodys_class_says_or_ours(
    rest: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STREAM", SECRET)
    monkeypatch.setattr("sys.path", [*sys.path])
    for name in ("theirs", "mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "theirs.py").write_text(THEIRS)
    (tmp_path / "mine.py").write_text((ROOT / "tests" / "mine.py").read_text())
    model = "" if rest.startswith("model") else "model: {use: 'mine:Bright'}\n"
    file = tmp_path / "cameras.yaml"
    file.write_text(f"{model}cameras: {{gate: {{source: 'synthetic:?size=320x180&count=3'}}}}\n{rest}\n")
    assert main(["run", str(file)]) == status
    told = capsys.readouterr()
    assert said in told.err
    assert SECRET not in told.out + told.err
