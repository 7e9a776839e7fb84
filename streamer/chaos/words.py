"""Whether the test camera and the bad network know a word: they are asked themselves."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from streamer.chaos.scenario import Fault
from streamer.errors import ConfigError
from streamer.fakecam.commands import COMMANDS as CAMERA_WORDS
from streamer.fakecam.commands import obey as obey_camera
from streamer.fakecam.faults import Faults, View
from streamer.impair import Impairment
from streamer.impair.commands import COMMANDS as NETWORK_WORDS
from streamer.impair.commands import obey as obey_network

_ENDS = "ok"  # a fault's `for` says when that is
PICTURES = frozenset(word for word, command in CAMERA_WORDS.items() if command.view) - {_ENDS}


def pictures(faults: Iterable[Fault]) -> Sequence[tuple[int, str]]:
    """The pictures that they show: the camera's number, and the words."""
    mine = (fault for fault in faults if not fault.network and fault.word in PICTURES)
    return sorted({(number, fault.words) for fault in mine for number in fault.cameras})


class _Camera:
    """Takes any command, and nothing comes of it."""

    faults = Faults()
    wanted = View()

    def be(self, faults: Faults) -> None: ...

    async def show(self, view: View) -> None: ...

    def disconnect(self) -> None: ...

    def reset(self) -> None: ...


class _Link:
    impairment = Impairment()


class _Way:
    """The same, as a way there."""

    link = cast(Any, _Link())

    def be(self, impairment: Impairment) -> None: ...

    def reset(self) -> None: ...

    def half_open(self) -> None: ...


def wrong_with_words(words: str) -> str:
    """What is wrong with a fault of the camera's own; nothing where it is one."""
    return _wrong(words, CAMERA_WORDS, lambda: asyncio.run(obey_camera(f"cam0 {words}", [_Camera()])))


def wrong_with_network(words: str) -> str:
    """What is wrong with a fault of the way to a camera; nothing where it is one."""
    return _wrong(words, NETWORK_WORDS, lambda: obey_network(words, _Way()))


def _wrong(words: str, known: Iterable[str], obey: Callable[[], None]) -> str:
    allowed = ", ".join(word for word in known if word != _ENDS)
    if words.split()[:1] == [_ENDS]:
        return f"ok is what the end of for brings; allowed: {allowed}"
    try:
        obey()
    except ConfigError as error:
        return str(error)
    return ""
