"""A clip as a camera sends it: H.264 access units in presentation order, without start codes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from streamer.errors import Cause, ConfigError, SourceError

CLOCK_HZ = 90_000  # RTP's clock for H.264, RFC 6184 section 8.2.1
LARGEST_BYTES = 1 << 30  # clips are held in memory, compressed

SPS, PPS, DELIMITER = 7, 8, 9  # nal_unit_type, ITU-T H.264 table 7-1
PARAMETER_SETS = (SPS, PPS, 13, 15)  # with the SPS extension and the subset SPS
START_CODE = re.compile(rb"\x00\x00+\x01")


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture, compressed."""

    ticks: int  # since the clip's first picture, 1/90000 s
    keyframe: bool  # then SPS and PPS come first
    nals: tuple[bytes, ...]

    @property
    def size_bytes(self) -> int:
        return sum(map(len, self.nals))


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Pictures from a keyframe on, times strictly increasing, no picture sent before its turn."""

    name: str
    units: tuple[AccessUnit, ...]
    interval: Fraction  # seconds between pictures, on average

    @property
    def ticks(self) -> int:
        """When the next round begins, 1/90000 s after this one."""
        return self.units[-1].ticks + max(1, round(self.interval * CLOCK_HZ))

    @property
    def sps(self) -> bytes:
        return next(nal for nal in self.units[0].nals if nal[0] & 31 == SPS)

    @property
    def pps(self) -> bytes:
        return next(nal for nal in self.units[0].nals if nal[0] & 31 == PPS)

    @property
    def keyframe_gap_s(self) -> float:
        """The longest time from one keyframe to the next, the one that begins the next round included."""
        keys = [unit.ticks for unit in self.units if unit.keyframe] + [self.ticks]
        return max(b - a for a, b in pairwise(keys)) / CLOCK_HZ

    @property
    def half_second_bytes(self) -> int:
        """What half a second takes on average, and the largest picture on top of it."""
        sizes = [unit.size_bytes for unit in self.units]
        return max(sizes) + sum(sizes) * CLOCK_HZ // (2 * self.ticks)


@dataclass(frozen=True, slots=True)
class Coded:
    """One picture in Annex B form with its time, as a demuxer or an encoder hands it over."""

    seconds: Fraction
    keyframe: bool
    data: bytes


def assemble(name: str, interval: Fraction, pictures: Iterable[Coded]) -> Clip:
    """Make a clip of these pictures. Raises as Assembly does."""
    assembly = Assembly(name, interval)
    for picture in pictures:
        assembly.add(picture)
    return assembly.clip()


class Assembly:
    """A clip in the making: from the first keyframe on, parameter sets repeated before each keyframe.

    Raises SourceError where there is no keyframe or it has no parameter sets, ConfigError where the
    clip is too large.
    """

    def __init__(self, name: str, interval: Fraction) -> None:
        self._name = name
        self._interval = interval
        self._units: list[AccessUnit] = []
        self._headers: list[bytes] = []
        self._first = Fraction(0)
        self._size_bytes = 0

    def add(self, picture: Coded) -> None:
        """Take the next picture in."""
        # Delimiters go: RTP's time and marker do their work, and nothing may stand before one.
        nals = [nal for nal in START_CODE.split(picture.data) if nal and nal[0] & 31 != DELIMITER]
        sets = [nal for nal in nals if nal[0] & 31 in PARAMETER_SETS]
        if any(nal[0] & 31 == SPS for nal in sets):
            self._headers = sets
        if picture.keyframe:
            nals = self._headers + [nal for nal in nals if nal not in self._headers]
        if not self._units:
            if not picture.keyframe:
                return
            # An SPS holds the profile in its first four bytes; less is none.
            if not {SPS, PPS} <= {
                nal[0] & 31 for nal in self._headers if nal[0] & 31 != SPS or len(nal) >= 4
            }:
                raise SourceError(Cause.DAMAGED, f"{self._name}: its first keyframe has no SPS and PPS")
            self._first = picture.seconds
        ticks = round((picture.seconds - self._first) * CLOCK_HZ)
        self._units.append(AccessUnit(ticks, picture.keyframe, tuple(nals)))
        self._size_bytes += len(picture.data)
        if self._size_bytes > LARGEST_BYTES:
            raise ConfigError(
                f"{self._name} is larger than {LARGEST_BYTES >> 20} MiB, and the test camera holds clips "
                "in memory: cut a shorter one"
            )

    def clip(self) -> Clip:
        """What was taken in."""
        if not self._units:
            raise SourceError(Cause.CODEC, f"{self._name}: there is no keyframe in it")
        return Clip(self._name, tuple(self._units), self._interval)
