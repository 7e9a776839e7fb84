"""One thing that was found, and what is to be done about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How it is."""

    FACT = ""  # neither good nor bad
    OK = "ok"
    WARNING = "warning"  # it works, and could be better
    PROBLEM = "problem"  # something is broken


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, and what to do where it should be otherwise."""

    level: Level
    name: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one thing."""

    title: str
    findings: tuple[Finding, ...]


def broken(sections: Iterable[Section]) -> bool:
    """True where there is a problem among them."""
    return any(one.level is Level.PROBLEM for section in sections for one in section.findings)


def fact(name: str, text: str, advice: str = "") -> Finding:
    return Finding(Level.FACT, name, text, advice)


def good(name: str, text: str, advice: str = "") -> Finding:
    return Finding(Level.OK, name, text, advice)


def warning(name: str, text: str, advice: str) -> Finding:
    return Finding(Level.WARNING, name, text, advice)


def problem(name: str, text: str, advice: str) -> Finding:
    return Finding(Level.PROBLEM, name, text, advice)
