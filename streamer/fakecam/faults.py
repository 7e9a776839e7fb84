"""What can be wrong with a camera, as values."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Look(StrEnum):
    """What is wrong with the pictures themselves."""

    REPEAT = "repeat"  # the camera has frozen: one picture, encoded over and over
    BLACK = "black"
    DARK = "dark"  # very low light, and its noise
    DEFOCUS = "defocus"
    COVER = "cover"  # something close in front of the lens
    MOVE = "move"  # the camera looks elsewhere


class Stamps(StrEnum):
    """What is wrong with RTP timestamps."""

    FROZEN = "frozen"  # all the same
    BACKWARD = "backward"  # each lower than the one before
    WRAP = "wrap"  # about to wrap, and sequence numbers too


@dataclass(frozen=True, slots=True)
class View:
    """Pictures other than the clip's own; the defaults are the clip's own."""

    look: Look | None = None
    size: tuple[int, int] | None = None  # width, height; both even

    def __str__(self) -> str:
        size = f"size {self.size[0]}x{self.size[1]}" if self.size else ""
        return ", ".join(filter(None, (self.look, size)))


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with one camera; the defaults are a healthy one."""

    mute: bool = False  # nothing is answered and nothing sent, connections stay
    hang: bool = False  # nothing leaves any more, connections stay; RTSP works up to PLAY
    refuse: bool = False  # whoever asks for the camera is cut off
    deny: bool = False  # 401 for every request
    trickle: bool = False  # one byte a second leaves on each connection
    garbage: bool = False  # random bytes instead of RTP and RTCP
    flood: bool = False  # 1000 pictures a second
    codec: str | None = None  # what the SDP announces instead of H264
    stamps: Stamps | None = None
    drift: float = 0.0  # ppm; the camera's clock is so much too fast
    loss: float = 0.0  # share of RTP packets that vanish
    damage: float = 0.0  # share of RTP packets with wrong bytes in them

    @property
    def silent(self) -> bool:
        """Whether nothing is sent to anybody."""
        return self.mute or self.hang or self.refuse or self.deny

    @property
    def withheld(self) -> bool:
        """Whether no picture reaches anybody as one."""
        return self.silent or self.trickle or self.garbage

    @property
    def patient(self) -> bool:
        """Whether clients that say nothing are left connected: they may be waiting for a word."""
        return self.mute or self.hang or self.trickle

    def __str__(self) -> str:
        """What is wrong as commands have it: `hang, loss 0.05`."""
        said = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                said.append(field.name if value is True else f"{field.name} {value}")
        return ", ".join(said)
