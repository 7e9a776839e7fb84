"""What a watermark says."""

import re
from dataclasses import dataclass
from typing import Self

from streamer.errors import ConfigError

CAMERAS, FRAMES = 1 << 8, 1 << 24
TIME_UNIT_NS = 100_000
TIME_ROUND_NS = TIME_UNIT_NS << 32  # five days: after that times begin again

_TEXT = re.compile(r"([0-9]{1,3})/([0-9]{1,8})/(-|[0-9]{1,16})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mark:
    """Which picture it is. Raises ValueError where a number has no room in a watermark."""

    camera: int  # 0…255
    frame: int  # 0…16777215
    time_ns: int | None = None  # monotonic; painted in steps of 0.1 ms, modulo TIME_ROUND_NS; None: not said

    def __post_init__(self) -> None:
        if not 0 <= self.camera < CAMERAS:
            raise ValueError(f"a watermark's camera is 0…{CAMERAS - 1}, not {self.camera}")
        if not 0 <= self.frame < FRAMES:
            raise ValueError(f"a watermark's frame is 0…{FRAMES - 1}, not {self.frame}")
        if self.time_ns is not None and self.time_ns < 0:
            raise ValueError(f"a watermark's time is not below 0, as {self.time_ns} is")

    def __str__(self) -> str:
        """`camera/frame/time_ns`, with - where no time is said."""
        return f"{self.camera}/{self.frame}/{'-' if self.time_ns is None else self.time_ns}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` made. Raises ConfigError."""
        match = _TEXT.fullmatch(text)
        if match and int(match[1]) < CAMERAS and int(match[2]) < FRAMES:
            return cls(int(match[1]), int(match[2]), None if match[3] == "-" else int(match[3]))
        raise ConfigError(f"{text[:40]!r} is no watermark; one is written camera/frame/time, as in 0/17/-")


def painted_time_ns(time_ns: int, near_ns: int) -> int:
    """The monotonic time that a watermark's `time_ns` stands for: of all its rounds the nearest one."""
    half = TIME_ROUND_NS // 2
    return near_ns + (time_ns - near_ns + half) % TIME_ROUND_NS - half
