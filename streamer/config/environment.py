"""`${NAME}` in a value is replaced from the environment, and hidden from then on."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from streamer.config.hidden import MASK
from streamer.config.problems import KeyPath, Problem

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|(?P<broken>\$\{)")
_USER_PART = re.compile(r"://([^/?#]*)@")
# What no user part of a URL may hold as it is (RFC 3986, section 3.2.1), and half an escape.
_NOT_IN_USER_PART = re.compile(r"[^!-~]|[/?#@\[\]\\\"<>^`{|}]|%(?![0-9A-Fa-f]{2})")


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


def in_user_part(value: str) -> str:
    """A user name or password as it stands in an address: what cannot stand there is percent-encoded.

    A value that can stand there stays, so one that is percent-encoded already is not encoded again; nor is
    a colon, for `user:password` may be one value.
    """
    return quote(value, safe=":") if _NOT_IN_USER_PART.search(value) else value


def _fill(value: Any, path: KeyPath, environment: Mapping[str, str], filled: FilledIn) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, (*path, key), environment, filled) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, (*path, i), environment, filled) for i, item in enumerate(value)]
    if isinstance(value, str):
        return _fill_text(value, path, environment, filled)
    return value


def _fill_text(text: str, path: KeyPath, environment: Mapping[str, str], filled: FilledIn) -> str:
    user_parts = [found.span(1) for found in _USER_PART.finditer(text)]

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
        else:
            value = environment[name]
            filled.secrets.add(value)
            if any(begin <= reference.start() < end for begin, end in user_parts):
                value = in_user_part(value)
                filled.secrets.add(value)
            return value
        return MASK

    def refuse(why: str) -> None:
        filled.problems.append(Problem(path, why))

    if any(reference.group() != "$$" for reference in _REFERENCE.finditer(text)):
        filled.hidden[path] = _REFERENCE.sub(lambda it: "$" if it.group() == "$$" else MASK, text)
    return _REFERENCE.sub(replace, text)
