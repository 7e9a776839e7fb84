"""A configuration file to a Config: everything that is wrong with it is said at once."""

import os
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamer.config.document import Document, parse
from streamer.config.environment import fill_in
from streamer.config.hidden import redacted
from streamer.config.problems import KeyPath, Problem, key_path, problems_in
from streamer.config.resolved import resolved
from streamer.config.schema import Config
from streamer.errors import ConfigError
from streamer.sources.redaction import SHORTEST_HIDDEN, hide, nearly_an_address

MAX_BYTES = 256 * 1024
MOST_SAID = 20  # problems; more is a wall that nobody reads


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration, and what it takes to show it without its secrets."""

    config: Config
    hidden: Mapping[KeyPath, str] = field(repr=False)  # what came from the environment -> what to show
    file: str
    document: Document = field(repr=False)
    secrets: AbstractSet[str] = field(repr=False)  # what came from the environment

    def said(self, problems: Sequence[Problem], kind: str = "") -> list[str]:
        """Problems with their places in the file, a line each, in the file's order."""
        return _lines(self.file, self.document, problems, kind)

    def text_at(self, path: KeyPath, value: str) -> str:
        """What may be shown of the value of a key: nothing that came from the environment, no password."""
        return redacted(self.hidden.get(path, value))

    def told(self, text: str) -> str:
        """What somebody's class said, without what came from the environment."""
        return hide(text, (value for value in self.secrets if len(value) >= SHORTEST_HIDDEN))

    def shown(self) -> dict[str, Any]:
        """What each key comes to, as a plain tree without secrets that means the same when it is read.

        What is at a default that says nothing here is left out.
        """
        return resolved(self.config, self.hidden, self.document.tree)


def load(path: str | os.PathLike[str]) -> Config:
    """Read, fill in, check. Relative paths in it count from the file's folder.

    Raises ConfigError, whose text lists every problem: file, line, key path, found, allowed.
    """
    return read(path).config


def read(path: str | os.PathLike[str]) -> Loaded:
    """As `load`, for those who want to show it too."""
    file = os.fspath(path)
    document = parse(text_of(file), file)
    if document.tree is None and not document.problems:
        raise ConfigError(f"{file}: empty; allowed: a mapping with model, cameras, sinks")
    filled = fill_in(document.tree)
    problems = [*document.problems, *filled.problems]
    folder = Path(file).absolute().parent
    try:
        config = Config.model_validate(filled.tree, context={"folder": folder})
    except ValidationError as error:
        # A value that could not be had is not judged as well.
        known = {problem.path for problem in problems}
        problems += [found for found in problems_in(error, filled.hidden) if found.path not in known]
    if problems:
        raise refusal(file, document, problems)
    return Loaded(config, filled.hidden, file, document, filled.secrets)


def refusal(file: str, document: Document, problems: list[Problem]) -> ConfigError:
    """The error that says all that is wrong with a file, a line for each problem."""
    lines = list(_lines(file, document, problems))
    more = [f"{file}: and {len(lines) - MOST_SAID} more"] if len(lines) > MOST_SAID else []
    return ConfigError("\n".join(lines[:MOST_SAID] + more))


def text_of(file: str) -> str:
    """A file's text. Raises ConfigError where it cannot be read, is too large or no UTF-8."""
    shown = nearly_an_address(file)  # a camera's address may have been put in its place
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file can be called that"
        raise ConfigError(f"{shown}: cannot be read: {why}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{shown}: too large; allowed: {MAX_BYTES // 1024} KiB; is it a configuration?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: not UTF-8 text; save it as UTF-8") from None


def _lines(file: str, document: Document, problems: Sequence[Problem], kind: str = "") -> list[str]:
    placed = sorted((_line(document, problem), i) for i, problem in enumerate(problems))
    lines = []
    for line, i in placed:
        where = key_path(problems[i].path)
        lines.append(f"{file}:{line}: {kind}{where}{': ' if where else ''}{problems[i].text}")
    return list(dict.fromkeys(lines))


def _line(document: Document, problem: Problem) -> int:
    path = problem.path
    while path and path not in document.lines:
        path = path[:-1]
    return problem.line or document.lines.get(path, 1)
