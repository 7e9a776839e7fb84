"""What is wrong with a configuration, in sentences: where, what was found, what is allowed."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streamer.config.hidden import MASK, names_a_secret, redacted, shown
from streamer.config.model import DEVICE, DetectorConfig, ModelConfig
from streamer.config.part import CLASS, TAG, Part
from streamer.config.schema import NAME, CameraConfig, Config
from streamer.config.sink import (
    BUILT_IN,
    CURVE_KEY,
    CurveConfig,
    JsonlConfig,
    OwnSinkConfig,
    VideoConfig,
    WindowConfig,
    ZmqConfig,
)
from streamer.errors import ConfigError
from streamer.sources.address import ALLOWED, parse_address

KeyPath = tuple[str | int, ...]

_PATTERNS = {
    NAME: "1 to 64 of A-Z, a-z, 0-9, _ and -",
    CLASS: "module:Class, such as mypackage.detectors:Mine",
    DEVICE: "auto, cpu or cuda:N",
    CURVE_KEY: "40 characters as zmq.curve_keypair() makes them ($ is written $$)",
}
# The tags of the unions in model.py and sink.py.
_KINDS: Mapping[str, type[Part]] = {
    "model": ModelConfig,
    "own detector": DetectorConfig,
    "zmq": ZmqConfig,
    "jsonl": JsonlConfig,
    "video": VideoConfig,
    "window": WindowConfig,
    "own sink": OwnSinkConfig,
}
_TYPES = {
    "string_type": "text (in quotes, where it looks like something else)",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_too_short": "text that is not empty",
}
_BOUNDS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least one",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` counts from 1; None where the key path tells it."""

    path: KeyPath
    text: str
    line: int | None = None


def key_path(path: KeyPath) -> str:
    """`cameras.gate.transport`, with odd keys in quotes."""
    keys = [str(key) if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", str(key)) else shown(key) for key in path]
    return ".".join(keys)


def problems_in(error: ValidationError, hidden: Mapping[KeyPath, str]) -> list[Problem]:
    """Everything that pydantic found; values at the `hidden` paths are not shown."""
    return [_problem(details, hidden) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, hidden: Mapping[KeyPath, str]) -> Problem:
    part, path = _place(tuple(key for key in details["loc"] if not str(key).startswith(TAG)))
    kind, context = details["type"], details.get("ctx", {})
    if kind == "wrong_at":
        return Problem(context["path"], context["text"])
    if kind == "extra_forbidden":
        text = unknown_key(path[-1], part.written_keys())
    elif kind == "missing":
        text = "missing; it must be given"
    elif kind == "value_error":
        text = _said_by_validator(context["error"], details["input"], path, hidden)
    else:
        allowed = _allowed(kind, context, details["msg"])
        text = f"found {_found(details['input'], path, hidden)}; allowed: {allowed}"
        if kind == "model_type":
            text += f" with {', '.join(part.written_keys())}"
        if kind == "literal_error" and path not in hidden and isinstance(details["input"], str):
            text += _nearest(details["input"], re.findall(r"'([^']*)'", str(context["expected"])))
        if kind == "allowed" and path[0] == "sinks" and path[-1] == "use" and path not in hidden:
            text += _nearest(str(details["input"]), BUILT_IN)
    return Problem(path, text)


def _place(loc: KeyPath) -> tuple[type[Part], KeyPath]:
    """The part of the schema, and the key path as it stands in the file.

    Behind a model and a sink pydantic says which kind it took it for.
    """
    match loc:
        case ("model", str(kind), *rest) | ("cameras", _, "model", str(kind), *rest):
            part = _KINDS[kind]
        case ("sinks", int(), str(kind), *rest):
            part = CurveConfig if rest[:1] == ["curve"] else _KINDS[kind]
        case ("cameras", _, "[key]"):
            return CameraConfig, loc[:2]
        case ("cameras", _, *_):
            return CameraConfig, loc
        case _:
            return Config, loc
    return part, (*loc[: len(loc) - len(rest) - 1], *rest)


def _allowed(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format(**context)
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind == "string_pattern_mismatch":
        return _PATTERNS[context["pattern"]]
    return message


def _found(value: object, path: KeyPath, hidden: Mapping[KeyPath, str]) -> str:
    if secret(path, value):
        return MASK
    return f"{shown(hidden[path])} (*** comes from the environment)" if path in hidden else shown(value)


def secret(path: KeyPath, value: object) -> bool:
    """True where a key's name says so of a value; a camera may be called what it likes."""
    if value is None or isinstance(value, bool | dict | list | tuple):
        return False
    keys = path[2:] if path[:1] == ("cameras",) else path
    if keys[-2:-1] == ("conf",) and isinstance(value, int | float) and 0 <= value <= 1:
        keys = keys[:-1]  # a class, such as keyboard
    return any(names_a_secret(key) for key in keys if isinstance(key, str))


def _said_by_validator(error: Exception, value: object, path: KeyPath, hidden: Mapping[KeyPath, str]) -> str:
    masked = hidden.get(path)
    if masked is not None and path[-1:] != ("source",):
        return f"found {_found(value, path, hidden)}, which is not allowed"
    if masked is not None:
        # What it said may quote the secret, so it has to say it again without.
        value = masked
        try:
            parse_address(masked)
        except ConfigError as again:
            error = again
        else:
            where = "in user name and password" if masked == MASK else "behind the host"
            return (
                f"with the value from the environment it is no address; special characters {where} "
                f"must be percent-encoded (@ %40, / %2F, a space %20); allowed: {ALLOWED}"
            )
    return str(error).replace(value, redacted(value)) if isinstance(value, str) and value else str(error)


def unknown_key(key: str | int, allowed: Sequence[str]) -> str:
    """A key that there is not, in a sentence."""
    return f"unknown key; allowed: {', '.join(allowed)}{_nearest(str(key), allowed)}"


def _nearest(name: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, allowed, 1, 0.5)
    return f"; did you mean {close[0]}?" if close else ""
