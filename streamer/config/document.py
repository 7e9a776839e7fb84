"""YAML text to a plain tree of dict, list, str, int, float, bool and None, with the lines it stood on.

Stricter than YAML: a duplicate key, a tag of one's own, a date and a character that no file name can
hold are refused. What a hostile file can cost is bounded: its depth, and its size with every alias
written out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from streamer.config.problems import KeyPath, Problem
from streamer.errors import ConfigError

MAX_DEPTH = 32
MAX_VALUES = 20_000  # 1,000 cameras with all their keys are 10,000

_TYPES = {
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:int": "a whole number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:null": "null",
}
# NUL ends a file's name early, a lone surrogate cannot be written anywhere.
_UNUSABLE = re.compile("[\0\ud800-\udfff]")
_QUOTED = re.compile(r" ?(['\"]).*\1")
# What PyYAML says of its own tokens quotes nothing of the file.
_OF_TOKENS = re.compile(r"expected [\w<>,' }\]-]{1,40}, but (?:got|found) '(?:<[a-z ]+>|\W{1,3})'")


@dataclass(frozen=True, slots=True)
class Document:
    """The tree, and for each key path in it the line it stands on, from 1."""

    tree: Any
    lines: Mapping[KeyPath, int]
    problems: tuple[Problem, ...]


class _TooMuch(yaml.MarkedYAMLError):
    """Nested too deeply, or too many values once the aliases are written out."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe one, which stops at a depth rather than at Python's stack."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _TooMuch(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=self.get_mark())
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def parse(text: str, file: str) -> Document:
    """Read one YAML document. Raises ConfigError with line and column where it is not YAML at all."""
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        return _Walk(loader).document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        # PyYAML's own text quotes the file, and with it passwords.
        what = error.problem or error.context or "broken"
        what = what if _OF_TOKENS.fullmatch(what) else _QUOTED.sub(" …", what)
        line = "".join(text.splitlines()[mark.line : mark.line + 1]) if mark else ""
        if "\t" in line:
            what += " (there is a tab in this line: YAML is indented with spaces)"
        elif mark and line[mark.column - 1 : mark.column + 1] == "${":
            what += " (between { and } a text with ${NAME} in it wants quotes: '…${NAME}…')"
        kind = "" if isinstance(error, _TooMuch) else "not YAML: "
        raise ConfigError(f"{file}{where}: {kind}{what}") from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = f"{before.count(chr(10)) + 1}:{error.position - before.rfind(chr(10))}"
        raise ConfigError(f"{file}:{where}: not YAML: a character that text cannot hold") from None
    except (ValueError, OverflowError):
        # An escape that is no character: "\UFFFFFFFF".
        mark = loader.get_mark() if loader else None
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{file}{where}: not YAML: an escape that is no character") from None
    finally:
        if loader:
            loader.dispose()


class _Walk:
    """One walk over the composed nodes, in which an alias is just its node once more."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self._values = 0
        self._lines: dict[KeyPath, int] = {}
        self._problems: list[Problem] = []

    def document(self, root: yaml.Node | None) -> Document:
        tree = None if root is None else self._value(root, ())
        return Document(tree, self._lines, tuple(self._problems))

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._values += 1
        if self._values > MAX_VALUES or len(path) > MAX_DEPTH:
            raise _TooMuch(problem="too many values, aliases written out", problem_mark=node.start_mark)
        self._lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or _UNUSABLE.search(key_node.value):
                self._refuse(path, "a key must be plain text", line)
                continue
            # As written: a camera called 007 or no keeps its name.
            key = key_node.value
            below = (*path, key)
            if key in tree:
                self._refuse(below, f"the key stands there twice, first on line {self._lines[below]}", line)
                continue
            self._lines[below] = line
            tree[key] = self._value(value_node, below)
        return tree

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        line = node.start_mark.line + 1
        if node.tag not in _TYPES:
            self._refuse(path, "a date or a tagged value; put it in quotes if it is meant as text", line)
            return None
        try:
            value = self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError, KeyError, IndexError, OverflowError):
            self._refuse(path, f"cannot be read as {_TYPES[node.tag]}", line)
            return None
        if isinstance(value, int) and abs(value) >= 2**63:
            self._refuse(path, "the number is too large", line)
            return None
        if isinstance(value, str) and _UNUSABLE.search(value):
            self._refuse(path, "the text holds a character that cannot be used", line)
            return None
        return value

    def _refuse(self, path: KeyPath, text: str, line: int) -> None:
        self._problems.append(Problem(path, text, line))
