"""Classes by their names: built-in ones by a short one, anybody's by "module:Class"."""

import importlib
import inspect
import re
from collections.abc import Mapping
from typing import Any

from streamer.errors import ConfigError, FreshframeError

SINKS = {
    "zmq": "sinks.publisher:Publisher",
    "jsonl": "sinks.jsonl:JsonLines",
    "video": "sinks.video:AnnotatedVideo",
    "window": "sinks.window:Window",
}
YOLO = "detectors.yolo:Yolo"
ORACLE = "detectors.oracle:Oracle"
SUBSCRIBER = "sinks.subscriber:Subscriber"


def build(use: str, arguments: Mapping[str, Any], what: str, needs: str = "__enter__") -> Any:
    """Make an object of the class called `use`, which `needs` a method of that name to be of use.

    Raises ConfigError: what is wrong, what is allowed.
    """
    path = SINKS.get(use, use)
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", path):
        raise ConfigError(
            f'{what}: {use!r} is neither one of {", ".join(SINKS)} nor of the form "module:Class"'
        )
    module_name, _, class_name = path.partition(":")
    try:
        kind = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what}: there is no module {error.name!r}, wanted for {use!r}: it is found beside the "
            "configuration, or where it is installed"
        ) from error
    except AttributeError as error:
        raise ConfigError(f"{what}: module {module_name} has no {class_name!r}") from error
    except (Exception, SystemExit) as error:  # somebody's module may fail in any way
        raise ConfigError(
            f"{what}: importing {module_name} failed: {type(error).__name__}: {error}"
        ) from error
    _check(kind, use, arguments, what)
    try:
        made = kind(**arguments)
    except FreshframeError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigError(f"{what}: {use}: {type(error).__name__}: {error}") from error
    missing = [name for name in ("__enter__", "__exit__", needs) if not callable(getattr(made, name, None))]
    if missing:
        raise ConfigError(f"{what}: {use} has no {', no '.join(missing)}; it needs each of them")
    return made


def _check(kind: Any, use: str, arguments: Mapping[str, Any], what: str) -> None:
    if not callable(kind):
        raise ConfigError(f"{what}: {use} is a {type(kind).__name__}, not a class")
    try:
        signature = inspect.signature(kind)
    except (TypeError, ValueError):
        return  # a class written in C tells nothing: it has to be tried
    try:
        signature.bind(**arguments)
    except TypeError as error:
        allowed = ", ".join(signature.parameters) or "nothing"
        raise ConfigError(f"{what}: {use}: {error}; allowed: {allowed}") from error
