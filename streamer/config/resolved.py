"""What a configuration comes to, as a tree that may be shown, and that means the same when it is read."""

import re
from collections.abc import Mapping
from typing import Any

from streamer.config.environment import fill_in
from streamer.config.hidden import MASK, redacted
from streamer.config.problems import KeyPath, secret
from streamer.config.schema import CameraConfig, Config, DetectorConfig
from streamer.config.sink import OwnSinkConfig
from streamer.sources.address import Kind, parse_address

_NAMED = r"(?:\$\{\w+\})+"
# Where no secret stands but by the name of its variable: user and password, a parameter, a whole value.
_USER_PART = re.compile(rf"(://)(?:[^/?#@:{{}}]*:)?{_NAMED}(?::{_NAMED})?@")
_PARAMETER = re.compile(rf"[\w.-]+={_NAMED}(?=[&#]|$)")
_WHOLE = re.compile(_NAMED)


def resolved(config: Config, hidden: Mapping[KeyPath, str], written: Any) -> dict[str, Any]:
    """Every key with its value, and with defaults that say something of this configuration.

    `written` is the file's tree: what came from the environment, at the `hidden` paths, is shown by the
    names of its variables. Other secrets are masked.
    """
    tree = config.model_dump(by_alias=True)
    _tidy_model(tree["model"], config.model)
    for name, camera in config.cameras.items():
        _tidy_camera(tree["cameras"][name], camera)
        if camera.model is not None:
            _tidy_model(tree["cameras"][name]["model"], camera.model)
    for values, sink in zip(tree["sinks"], config.sinks, strict=True):
        if not isinstance(sink, OwnSinkConfig):  # whose own arguments may be null
            _drop(values, {"insecure": False}, unset=True)
    shown = _shown(tree, (), hidden, written)
    assert isinstance(shown, dict)
    return shown


def _tidy_model(values: dict[str, Any], model: Any) -> None:
    if not isinstance(model, DetectorConfig):
        _drop(values, {"trust_weights": False}, unset=True)


def _tidy_camera(values: dict[str, Any], camera: CameraConfig) -> None:
    address = parse_address(camera.source)
    idle: dict[str, Any] = {}
    if address.kind not in (Kind.RTSP, Kind.RTSPS):
        idle["transport"] = "tcp"
    if not (address.live or camera.live):
        idle["isolation"] = "thread"
    if not (address.kind.network or address.kind.film):
        idle["decode"] = "all"
    if camera.region is None:
        idle["look_at"] = "picture"
    _drop(values, idle, unset=True)


def _drop(values: dict[str, Any], idle: Mapping[str, Any], *, unset: bool) -> None:
    for key, value in list(values.items()):
        if (unset and value is None) or (key in idle and value == idle[key]):
            del values[key]


def _shown(value: Any, path: KeyPath, hidden: Mapping[KeyPath, str], written: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shown(item, (*path, key), hidden, written) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item, (*path, i), hidden, written) for i, item in enumerate(value)]
    place = path[:-1] if path[-1] == "name" and path[:-1] in hidden else path  # model: ${MODEL}
    if place in hidden:
        named = _by_name(_at(written, place), value, is_secret=secret(path, value))
        if named is not None:
            return named
    if secret(path, value):
        return MASK
    if place in hidden:
        return _plain(redacted(hidden[place]))
    return _plain(redacted(value)) if isinstance(value, str) else value


def _at(tree: Any, path: KeyPath) -> str:
    for key in path:
        tree = tree[key]
    return str(tree)


def _by_name(text: str, value: Any, *, is_secret: bool) -> str | None:
    """A text as it was written, with ${NAME} in it; None where there may be another secret in it."""
    if _WHOLE.fullmatch(text) is None:
        rest = _PARAMETER.sub("", _USER_PART.sub(r"\1", text))
        if is_secret or "@" in rest or redacted(rest) != rest:
            return None
    filled = fill_in(text).tree
    beside = isinstance(value, str) and value != filled and value.endswith(filled)
    return _plain(value.removesuffix(filled)) + text if beside else text


def _plain(text: str) -> str:
    """So that no $ in it names a variable."""
    return text.replace("$", "$$")
