"""The words by which a camera is told to fail, and how their values are written."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from streamer.errors import ConfigError
from streamer.fakecam.faults import Faults, Look, Stamps, View
from streamer.serving.control import quoted, share_of

MOST_DRIFT_PPM = 100_000
SMALLEST_PX, LARGEST_PX = 32, 3840
UNKNOWN_CODEC = "X-UNKNOWN"


class Faulty(Protocol):
    """What faults are done to: a camera."""

    @property
    def faults(self) -> Faults: ...

    @property
    def wanted(self) -> View:
        """The pictures that it was told last to show."""

    def be(self, faults: Faults) -> None:
        """Take on this state."""

    async def show(self, view: View) -> None:
        """Return once such pictures leave; raises ConfigError where there are none."""

    def disconnect(self) -> None:
        """Close all connections of this camera, once."""

    def reset(self) -> None:
        """Reset all connections of this camera, once."""


@dataclass(frozen=True, slots=True)
class Value:
    """What stands after a word."""

    read: Callable[[str], Any]
    said: str
    may_miss: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """One word: it changes the state, or the pictures, or does something once."""

    faults: Callable[[Faults, Any], Faults] | None = None
    view: Callable[[View, Any], View] | None = None
    does: Callable[[Faulty], None] | None = None
    value: Value | None = None


def ppm_of(text: str) -> float:
    """Parts per million. Raises ConfigError for what is none or too many."""
    try:
        ppm = float(text)
    except ValueError:
        ppm = math.nan
    if not -MOST_DRIFT_PPM <= ppm <= MOST_DRIFT_PPM:
        raise ConfigError(
            f"{quoted(text)} is no drift: it goes from -{MOST_DRIFT_PPM} to {MOST_DRIFT_PPM} (ppm)"
        )
    return ppm


def size_of(text: str) -> tuple[int, int]:
    """Width and height, as `640x480`. Raises ConfigError for anything else, and for an odd number."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(SMALLEST_PX <= side <= LARGEST_PX and side % 2 == 0 for side in size):
        raise ConfigError(
            f"{quoted(text)} is no size: it is written 640x480, "
            f"with even numbers from {SMALLEST_PX} to {LARGEST_PX}"
        )
    return size


def _one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ConfigError(f"{quoted(text)} is none of {', '.join(allowed)}")
        return text

    return read


def _disconnect(camera: Faulty) -> None:
    camera.disconnect()


def _set(name: str) -> Callable[[Faults, Any], Faults]:
    def changed(faults: Faults, value: Any) -> Faults:
        change: dict[str, Any] = {name: True if value is None else value}
        return replace(faults, **change)

    return changed


def _looks(look: Look) -> Command:
    return Command(view=lambda view, _: replace(view, look=look))


_SHARE = Value(share_of, "one number, a share from 0 to 1")
_CODECS = {"h265": "H265"}

COMMANDS = {
    "ok": Command(faults=lambda *_: Faults(), view=lambda *_: View()),
    "mute": Command(_set("mute")),
    "hang": Command(_set("hang")),
    "drop": Command(does=_disconnect),
    "reset": Command(does=lambda camera: camera.reset()),
    "refuse": Command(_set("refuse"), does=_disconnect),
    "deny": Command(_set("deny"), does=_disconnect),
    "trickle": Command(_set("trickle")),
    "garbage": Command(_set("garbage")),
    "codec": Command(
        lambda faults, name: replace(faults, codec=_CODECS.get(name, UNKNOWN_CODEC)),
        does=_disconnect,
        value=Value(_one_of(tuple(_CODECS)), "h265 or nothing", may_miss=True),
    ),
    "size": Command(
        view=lambda view, size: replace(view, size=size),
        value=Value(size_of, "a width and height as 640x480"),
    ),
    "stamps": Command(
        lambda faults, name: replace(faults, stamps=Stamps(name)),
        value=Value(_one_of(tuple(Stamps)), f"one of {', '.join(Stamps)}"),
    ),
    "drift": Command(_set("drift"), value=Value(ppm_of, "one number, in ppm")),
    "flood": Command(_set("flood")),
    "loss": Command(_set("loss"), value=_SHARE),
    "damage": Command(_set("damage"), value=_SHARE),
} | {str(look): _looks(look) for look in Look}


async def obey(line: str, cameras: Sequence[Faulty]) -> None:
    """Do what a line such as `cam0 loss 0.05` says, and return when it is in force.

    That is at once, but for pictures: these are encoded first and shown from a keyframe on. Raises
    ConfigError, and then nothing was done.
    """
    words = line.split()
    name, word = (*words, "", "")[:2]
    rest = words[2:]
    names = [f"cam{index}" for index in range(len(cameras))]
    if name not in names:
        raise ConfigError(f"{quoted(name)} is not a camera here: {', '.join(names)} are")
    command = COMMANDS.get(word)
    if command is None:
        raise ConfigError(f"{quoted(word)} is not a command: {', '.join(COMMANDS)} are")
    if len(rest) not in _counts(command.value):
        wanted = command.value.said if command.value else "nothing"
        raise ConfigError(f"{word} takes {wanted} after it, not {quoted(' '.join(rest))}")
    value = command.value.read(rest[0]) if command.value and rest else None
    camera = cameras[names.index(name)]
    if command.faults:
        camera.be(command.faults(camera.faults, value))
    if command.does:
        command.does(camera)
    if command.view:
        await camera.show(command.view(camera.wanted, value))


def _counts(value: Value | None) -> tuple[int, ...]:
    if value is None:
        return (0,)
    return (0, 1) if value.may_miss else (1,)
