"""What a user meets first: --help, completion in a shell, `python -m streamer`."""

import argparse
import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.cli.commands import COMMANDS, main, whole_parser
from streamer.cli.completion import SHELLS

ROOT = Path(__file__).resolve().parents[1]


def parsers(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command, those of commands within commands too."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield words
    for action in below:
        for word, child in action.choices.items():
            yield from parsers(child, (*words, word))


ALL = [" ".join(words) for words in parsers(whole_parser())]


def help_of(words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    return out.getvalue()


@pytest.mark.parametrize("command", [*COMMANDS, "models quantize"])
def test_each_command_shows_an_example_that_its_own_parser_knows(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(command.split(), monkeypatch)
    _, heading, examples = text.partition("example")
    assert heading, text
    assert f"freshframe {command}" in examples
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_all_commands_are_listed_with_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    text = help_of([], monkeypatch)
    assert [name for name in COMMANDS if f"\n    {name}" not in text] == []


def test_the_list_of_commands_says_what_they_say_of_themselves() -> None:
    (commands,) = (
        action for action in whole_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    assert {action.dest: action.help for action in commands._choices_actions} == COMMANDS


def test_python_m_streamer_is_freshframe() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "streamer", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.startswith("freshframe ")


@pytest.fixture(scope="module")
def completion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["completion", "bash"]) == 0
    script = tmp_path_factory.mktemp("completion") / "freshframe.bash"
    script.write_text(out.getvalue(), encoding="utf-8")
    return script


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("freshframe de", {"detect", "demo"}),
        ("freshframe detect --eve", {"--every-frame"}),
        ("freshframe detect --model yolo2", {"yolo26n"}),
        ("freshframe detect --engine open", {"openvino", "openvino-int8"}),
        ("freshframe models pu", {"pull"}),
        ("freshframe run holi", {"holiday.yaml"}),
        ("freshframe models quantize yolo26n --dataset holi", {"holiday.yaml"}),
    ],
)
def test_bash_completes(completion: Path, tmp_path: Path, typed: str, offered: set[str]) -> None:
    (tmp_path / "holiday.yaml").touch()
    words = typed.split()
    ask = f'source "$0"; COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; '
    ask += '_shtab_freshframe; printf "%s\\n" "${COMPREPLY[@]}"'
    told = subprocess.run(
        ["bash", "-c", ask, str(completion), *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert set(told.stdout.split()) >= offered
    assert all(word.startswith(words[-1]) for word in told.stdout.split())


def test_a_clip_is_no_model(completion: Path) -> None:
    assert "--model" in completion.read_text()
    assert "bikes" not in completion.read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_learns_every_command(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert [word for command in ALL for word in command.split() if word not in script] == []


def test_a_python_that_lacks_our_libraries_is_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "streamer", "detect", "synthetic:"],  # -S: without site-packages
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "is not installed for" in done.stderr
