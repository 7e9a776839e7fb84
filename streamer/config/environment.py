"""`${NAME}` in a value is replaced from the environment, and hidden from then on."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamer.config.hidden import MASK
from streamer.config.problems import KeyPath, Problem

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\$\{)")
# What no user part of a URL may hold as it is (RFC 3986, section 3.2.1), and half an escape.
_NOT_IN_USER_PART = re.compile(r"[/?#@\[\]\\\s\"<>^`{|}]|%(?![0-9A-Fa-f]{2})")


@dataclass(slots=True)
class FilledIn:
    """A tree with the environment's values in it, and what may be shown instead of them."""

    tree: Any = None
    hidden: dict[KeyPath, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set, repr=False)  # the values themselves
    problems: list[Problem] = field(default_factory=list)


def fill_in(tree: Any, environment: Mapping[str, str] = os.environ) -> FilledIn:
    """Replace `${NAME}` in every text value and `$$` by `$`; keys stay as they are."""
    filled = FilledIn()
    filled.tree = _fill(tree, (), environment, filled)
    return filled


def _fill(value: Any, path: KeyPath, environment: Mapping[str, str], filled: FilledIn) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, (*path, key), environment, filled) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*path, i), environment, filled) for i, item in enumerate(value)]
    if isinstance(value, str):
        return _fill_text(value, path, environment, filled)
    return value


def _fill_text(text: str, path: KeyPath, environment: Mapping[str, str], filled: FilledIn) -> str:
    host = text.rfind("@") if "://" in text else -1

    def replace(reference: re.Match[str]) -> str:
        name = reference["name"]
        if reference["broken"]:
            refuse("a ${ that is not ${NAME}: letters, digits and _; write $${ where it is meant as text")
        elif name is None:
            return "$"
        elif name not in environment:
            refuse(f"the environment variable {name} is not set")
        elif not environment[name].isprintable():
            refuse(f"the environment variable {name} holds characters that are not printable")
        elif reference.start() < host and _NOT_IN_USER_PART.search(environment[name]):
            refuse(
                f"{name} holds characters that cannot stand in a URL's user name or password; "
                "set it percent-encoded: %40 for @, %2F for /, %3F for ?, %23 for #, %25 for %"
            )
        else:
            filled.secrets.add(environment[name])
            return environment[name]
        return MASK

    def refuse(why: str) -> None:
        filled.problems.append(Problem(path, why))

    if any(reference.group() != "$$" for reference in _REFERENCE.finditer(text)):
        filled.hidden[path] = _REFERENCE.sub(lambda it: "$" if it.group() == "$$" else MASK, text)
    return _REFERENCE.sub(replace, text)
