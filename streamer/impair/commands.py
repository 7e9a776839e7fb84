"""What a proxy can be told while it runs, and how its values are written."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from streamer.errors import ConfigError
from streamer.impair.impairment import Impairment
from streamer.impair.link import Link
from streamer.serving.control import quoted, share_of


class Impaired(Protocol):
    """What the commands are done to: a proxy."""

    link: Link

    def be(self, impairment: Impairment) -> None:
        """Take on this state."""

    def reset(self) -> None:
        """Reset all connections, once."""

    def half_open(self) -> None:
        """Silence the connections that there are."""


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the control language; `value` reads what stands after it."""

    does: Callable[[Impaired, Any], None]
    value: Callable[[str], Any] | None = None


def seconds_of(text: str) -> float:
    """Milliseconds, as `50` or `2.5`, in s. Raises ConfigError for anything else."""
    return _number(text, "a time in milliseconds, as 50 or 2.5 are") / 1e3


def rate_of(text: str) -> float | None:
    """Bits per second, as `2M`, `500k` or `9600`; None for `max`. Raises ConfigError for anything else."""
    if text == "max":
        return None
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 1.0)
    digits = text if factor == 1.0 else text[:-1]
    return _number(digits, "a rate in bits per second, as 2M, 500k, 9600 or max are", text) * factor


def _switch_of(text: str) -> bool:
    if text not in ("on", "off"):
        raise ConfigError(f"{quoted(text)} is neither on nor off")
    return text == "on"


def _number(text: str, wanted: str, written: str | None = None) -> float:
    if not re.fullmatch(r"\d{1,15}(\.\d{1,15})?", text, re.ASCII):
        raise ConfigError(f"{quoted(written or text)} is not {wanted}")
    return float(text)


def _sets(field: str) -> Callable[[Impaired, Any], None]:
    return lambda proxy, value: proxy.be(replace(proxy.link.impairment, **{field: value}))


COMMANDS = {
    "ok": Command(lambda proxy, _: proxy.be(Impairment())),
    "delay": Command(_sets("delay_s"), seconds_of),
    "jitter": Command(_sets("jitter_s"), seconds_of),
    "loss": Command(_sets("loss"), share_of),
    "reorder": Command(_sets("reorder"), share_of),
    "duplicate": Command(_sets("duplicate"), share_of),
    "flip": Command(_sets("flip"), share_of),
    "rate": Command(_sets("rate_bps"), rate_of),
    "uplink": Command(_sets("uplink"), _switch_of),
    "blackhole": Command(lambda proxy, _: _sets("blackhole")(proxy, True)),
    "refuse": Command(lambda proxy, _: _sets("refuse")(proxy, True)),
    "reset": Command(lambda proxy, _: proxy.reset()),
    "half_open": Command(lambda proxy, _: proxy.half_open()),
}


def obey(line: str, proxy: Impaired) -> None:
    """Do what a line such as `loss 0.05` says. Raises ConfigError, and then nothing was done."""
    word, *rest = line.split() or [""]
    command = COMMANDS.get(word)
    if command is None:
        raise ConfigError(f"{quoted(word)} is not a command: {', '.join(COMMANDS)} are")
    if len(rest) != (command.value is not None):
        wanted = "nothing" if command.value is None else "one value"
        raise ConfigError(f"{word} takes {wanted} after it, not {quoted(' '.join(rest))}")
    command.does(proxy, command.value(rest[0]) if command.value else None)
