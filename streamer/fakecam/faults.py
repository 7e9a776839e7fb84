"""What a camera can be told to do wrong while it runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from streamer.errors import ConfigError
from streamer.serving.control import quoted, share_of


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with one camera; the defaults are a healthy one."""

    hang: bool = False  # nothing leaves any more, connections stay; RTSP works up to PLAY
    refuse: bool = False  # whoever asks for the camera is cut off
    loss: float = 0.0  # share of RTP packets that vanish


class Faulty(Protocol):
    """What faults are done to: a camera."""

    def be(self, faults: Faults) -> None:
        """Take on this state."""

    def disconnect(self) -> None:
        """Close all connections of this camera, once."""

    @property
    def faults(self) -> Faults: ...


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the control language. `share` is 0 where it takes none."""

    does: Callable[[Faulty, float], None]
    takes_share: bool = False


def _ok(camera: Faulty, _: float) -> None:
    camera.be(Faults())


def _hang(camera: Faulty, _: float) -> None:
    camera.be(replace(camera.faults, hang=True))


def _drop(camera: Faulty, _: float) -> None:
    camera.disconnect()


def _refuse(camera: Faulty, _: float) -> None:
    camera.be(replace(camera.faults, refuse=True))
    camera.disconnect()


def _loss(camera: Faulty, share: float) -> None:
    camera.be(replace(camera.faults, loss=share))


COMMANDS = {
    "ok": Command(_ok),
    "hang": Command(_hang),
    "drop": Command(_drop),
    "refuse": Command(_refuse),
    "loss": Command(_loss, takes_share=True),
}


def obey(line: str, cameras: Sequence[Faulty]) -> None:
    """Do what a line such as `cam0 loss 0.05` says. Raises ConfigError, and then nothing was done."""
    words = line.split()
    name, word = (*words, "", "")[:2]
    rest = words[2:]
    names = [f"cam{index}" for index in range(len(cameras))]
    if name not in names:
        raise ConfigError(f"{quoted(name)} is not a camera here: {', '.join(names)} are")
    command = COMMANDS.get(word)
    if command is None:
        raise ConfigError(f"{quoted(word)} is not a command: {', '.join(COMMANDS)} are")
    if len(rest) != command.takes_share:
        wanted = "one number, a share from 0 to 1" if command.takes_share else "nothing"
        raise ConfigError(f"{word} takes {wanted} after it, not {quoted(' '.join(rest))}")
    command.does(cameras[names.index(name)], share_of(rest[0]) if rest else 0.0)
