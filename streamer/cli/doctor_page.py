"""Findings as they are printed: aligned, as wide as the terminal, with marks."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TextIO

from streamer.cli.console import shown
from streamer.doctor.finding import Finding, Level, Section

PAPER = 100  # columns, where stdout is no terminal
NARROWEST, WIDEST = 40, 140
SHORTEST_NAME, LONGEST_NAME = 10, 22  # columns for names: short ones begin at the same place
_MARK = 7  # the longest mark
# ANSI, ECMA-48 section 8.3.117.
_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.PROBLEM: "1;31", Level.FACT: "0"}
_BOLD = "1"


class Page:
    """Writes sections to a stream, each as soon as it is there. Raises OSError where it cannot be written."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        terminal = self._stream.isatty()
        width = (
            shutil.get_terminal_size((PAPER, 24)).columns if terminal or "COLUMNS" in os.environ else PAPER
        )
        self._width = min(max(width, NARROWEST), WIDEST)
        self._colour = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._arrow = "→" if _writes(self._stream, "→") else "->"

    def title(self, text: str) -> None:
        """A line over everything."""
        self._write(f"{self._painted(shown(text), _BOLD)}\n")

    def section(self, section: Section) -> None:
        """A section with its findings."""
        if not section.findings:
            return
        names = [len(shown(one.name)) for one in section.findings]
        column = min(max(*names, SHORTEST_NAME), LONGEST_NAME)
        lines = [line for one in section.findings for line in self._lines(one, column)]
        self._write(f"\n{self._painted(section.title, _BOLD)}\n" + "".join(f"{line}\n" for line in lines))

    def block(self, title: str, text: str) -> None:
        """Lines that stay as they are, to be copied; whoever made them has left out what is secret."""
        body = "".join(f"  {line if line.isprintable() else ascii(line)}\n" for line in text.splitlines())
        self._write(f"\n{self._painted(title, _BOLD)}\n{body}")

    def line(self, text: str) -> None:
        """A line after an empty one."""
        wrapped = textwrap.wrap(shown(text), self._width, break_on_hyphens=False)
        self._write("\n" + "".join(f"{one}\n" for one in wrapped))

    def _lines(self, finding: Finding, column: int) -> Iterator[str]:
        name, room = shown(finding.name), self._width - 2 - _MARK - 2 - column - 2
        mark = self._painted(f"{finding.level:{_MARK}}", _COLOURS[finding.level])
        head = f"  {mark}  {name:{column}}  "
        indent = " " * (2 + _MARK + 2 + column + 2)
        if room < NARROWEST or len(name) > column:  # the text goes below its name
            yield head.rstrip()
            indent = " " * (2 + _MARK + 2)
            room, head = self._width - len(indent), indent
        texts = self._wrapped(finding.text, room)
        yield (head + next(texts, "")).rstrip()
        yield from (indent + text for text in texts)
        if finding.advice:
            arrow = f"{self._arrow} "
            for number, text in enumerate(self._wrapped(finding.advice, room - len(arrow))):
                yield indent + (arrow if number == 0 else " " * len(arrow)) + text

    def _wrapped(self, text: str, width: int) -> Iterator[str]:
        yield from textwrap.wrap(shown(text), max(width, 20), break_on_hyphens=False)

    def _painted(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        self._stream.flush()


def _writes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(stream.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
