"""The README's examples are run as they stand; only addresses become ones that are here."""

import re
from pathlib import Path

import pytest

from streamer import wire
from tests.running import ROOT, freshframe

README = (ROOT / "README.md").read_text()
MESSAGES = (ROOT / "docs" / "messages.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def block(text: str, language: str, holding: str) -> str:
    (found,) = (one for one in blocks(text, language) if holding in one)
    return found


def test_a_detector_and_a_sink_of_ones_own(tmp_path: Path) -> None:
    classes = [block(README, "python", "class Bright"), block(README, "python", "class Siren")]
    assert all(len(one.split("class ")[1].splitlines()) <= 20 for one in classes), "short enough to read"
    (tmp_path / "mine.py").write_text("\n".join(classes))
    text = block(README, "yaml", "mine:Bright").replace("synthetic:", "synthetic:?size=64x64&count=5")
    (tmp_path / "cameras.yaml").write_text(text)
    done = freshframe("run", tmp_path / "cameras.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == {"gate: bright!"}


def test_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "cameras.yaml").write_text(block(README, "yaml", "yaml-language-server"))
    done = freshframe("check", tmp_path / "cameras.yaml", env={"GATE_PASSWORD": "hunter22"})
    assert done.returncode == 0, done.stderr
    assert "hunter22" not in done.stdout


def test_the_program_in_python(tmp_path: Path, yolo26n: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = block(README, "python", "pipeline.run")
    assert "rtsp://192.0.2.10/stream2" in text
    monkeypatch.chdir(tmp_path)
    text = text.replace("rtsp://192.0.2.10/stream2", "synthetic:?size=320x240&count=3")
    exec(compile(text, "README.md", "exec"), {})
    assert [message.frame for message in wire.read_jsonl(tmp_path / "gate.jsonl")] == [0, 1, 2]


def test_the_messages_are_ours() -> None:
    kinds = (wire.DetectionsMessage, wire.HealthMessage)
    for example, kind in zip(blocks(MESSAGES, "json"), kinds, strict=True):
        message = wire.decode(example.encode())
        assert isinstance(message, kind)
        assert message.camera == "gate"
        written = set(re.findall(r'"(\w+)":', example))
        again = set(re.findall(r'"(\w+)":', wire.encode(message).decode()))
        assert written == again, "the example has every key, and no other"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"freshframe (\w+)", README))))
def test_every_command_is_there(command: str) -> None:
    done = freshframe(command, "--help")
    assert done.returncode == 0, done.stderr


def test_links_lead_somewhere() -> None:
    for folder, text in ((ROOT, README), (ROOT / "docs", MESSAGES)):
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (folder / link).exists(), link
