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
    """Make a clip: from the first keyframe on, parameter sets repeated before each keyframe.

    Raises SourceError where there is no keyframe or it has no parameter sets, ConfigError where the
    clip is too large.
    """
    units: list[AccessUnit] = []
    headers: list[bytes] = []
    first = Fraction(0)
    size_bytes = 0
    for picture in pictures:
        # Delimiters go: RTP's time and marker do their work, and nothing may stand before one.
        nals = [nal for nal in START_CODE.split(picture.data) if nal and nal[0] & 31 != DELIMITER]
        sets = [nal for nal in nals if nal[0] & 31 in PARAMETER_SETS]
        if any(nal[0] & 31 == SPS for nal in sets):
            headers = sets
        if picture.keyframe:
            nals = headers + [nal for nal in nals if nal not in headers]
        if not units:
            if not picture.keyframe:
                continue
            # An SPS holds the profile in its first four bytes; less is none.
            if not {SPS, PPS} <= {nal[0] & 31 for nal in headers if nal[0] & 31 != SPS or len(nal) >= 4}:
                raise SourceError(Cause.DAMAGED, f"{name}: its first keyframe has no SPS and PPS")
            first = picture.seconds
        units.append(AccessUnit(round((picture.seconds - first) * CLOCK_HZ), picture.keyframe, tuple(nals)))
        size_bytes += len(picture.data)
        if size_bytes > LARGEST_BYTES:
            raise ConfigError(
                f"{name} is larger than {LARGEST_BYTES >> 20} MiB, and the test camera holds clips "
                "in memory: cut a shorter one"
            )
    if not units:
        raise SourceError(Cause.CODEC, f"{name}: there is no keyframe in it")
    return Clip(name, tuple(units), interval)
