"""A process of its own for what may crash, hang, or print whatever it likes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
IMPORTS = Path(__file__).with_name("imports.py")
LONGEST = 300  # characters of what it says went wrong


@dataclass(frozen=True, slots=True)
class Answer:
    """The lines of JSON that came, and how it ended where that was not well."""

    lines: tuple[dict[str, Any], ...]
    failure: str = ""  # one line


def ask(arguments: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None) -> Answer:
    """Run Python with these arguments to its end, killed when the time is over. Raises OSError."""
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    settings = {**os.environ, "PYTHONPATH": paths, "PYTHONWARNINGS": "ignore", **(environment or {})}
    # Pipes, for the disk may be full. A Ctrl-C in the terminal is for us alone, hence the session.
    with subprocess.Popen(  # noqa: S603 - our own file, under our own interpreter
        [sys.executable, "-P", *arguments],
        env=settings,
        stdin=(held := os.pipe())[0],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        os.close(held[0])  # it lives as long as the other end is open
        late = False
        try:
            said, complained = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            late = True
            _kill(child)
            said, complained = child.communicate()
        finally:
            _kill(child)
            os.close(held[1])
    lines = tuple(_objects(said.decode("utf-8", "replace")))
    if late:
        return Answer(lines, f"it was not done after {timeout_s:g} s")
    return Answer(lines, _ending(child.returncode, complained.decode("utf-8", "replace")))


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """It and what it has started: that may hold its pipes open."""
    if child.returncode is None:
        with suppress(ProcessLookupError, PermissionError):  # macOS: it has ended, and was not waited for
            os.killpg(child.pid, signal.SIGKILL)


def _objects(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def _ending(status: int, said: str) -> str:
    if status == 0:
        return ""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"its process crashed ({name})"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines else f"its process ended with status {status}"
