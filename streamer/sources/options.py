"""How a source is to be read, as far as a user may say so."""

import re
from dataclasses import dataclass

from streamer.errors import ConfigError
from streamer.sources import limits
from streamer.sources.address import Address, Kind

TRANSPORTS = ("tcp", "udp")
DECODES = ("all", "key")
LATEST_S = 1_000_000_000  # in nanoseconds it must fit into 64 bits
TIME = "seconds, or [HH:]MM:SS[.mmm]"
_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,6}):(\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
_SIZE = re.compile(r"([1-9]\d{1,4})x([1-9]\d{1,4})", re.ASCII)
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


def read_time(text: str) -> float:
    """A time in a recording, s: `90`, `1:30`, `00:01:30.250`. Raises ValueError, which names these."""
    if _SECONDS.fullmatch(text):
        return float(text)
    match = _CLOCK.fullmatch(text)
    if match is None or float(match[3]) >= 60 or (match[1] and int(match[2]) >= 60):
        raise ValueError(f"{text[:40]!r} is no time in a recording; allowed: {TIME}")
    return int(match[1] or 0) * 3600 + int(match[2]) * 60 + float(match[3])


def read_size(text: str) -> tuple[int, int]:
    """Width and height in pixels: `1280x720`. Raises ValueError, which says what is allowed."""
    match = _SIZE.fullmatch(text)
    size = (int(match[1]), int(match[2])) if match else (0, 0)
    if match is None or limits.too_large(size):
        raise ValueError(
            f"{text[:40]!r} is no size; allowed: WIDTHxHEIGHT in pixels, as in 1280x720, "
            f"up to {limits.ALLOWED}"
        )
    return size


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What may be asked of a source; what is left out is as the source itself is."""

    live: bool | None = None  # True: a recording in real time
    transport: str = "tcp"  # of RTSP: tcp or udp
    decode: str = "all"  # key: keyframes only
    from_s: float | None = None  # of a recording: nothing before this time, in its own seconds …
    to_s: float | None = None  # … and nothing from this one on
    size: tuple[int, int] | None = None  # of a USB camera: width and height, pixels
    fps: float | None = None  # of a USB camera
    digest_only: bool = False  # of a network camera that nobody named: it is not told the password itself

    def check(self, address: Address) -> None:
        """Raise ConfigError, which names the key, where this cannot be asked of that address."""
        where, kind = address.redacted, address.kind
        if self.transport not in TRANSPORTS:
            raise ConfigError(f"{where}: transport {self.transport!r}; allowed: {', '.join(TRANSPORTS)}")
        if self.decode not in DECODES:
            raise ConfigError(f"{where}: decode {self.decode!r}; allowed: {', '.join(DECODES)}")
        if self.decode == "key" and not (kind.network or kind.film):
            raise ConfigError(
                f"{where}: decode: key is for compressed video, from the network or a file; "
                "use max_fps for fewer pictures"
            )
        if self.transport == "udp" and kind is Kind.RTSPS:
            raise ConfigError(
                f"{where}: over udp its pictures would come unencrypted; leave transport: udp out, or write "
                "rtsp:// where anybody may see them"
            )
        if self.transport == "udp" and kind is not Kind.RTSP:
            raise ConfigError(f"{where}: transport: udp is for rtsp:// cameras; leave it out")
        if self.live is False and address.live:
            raise ConfigError(
                f"{where}: is live, every frame cannot be asked of it; leave live: false (--every-frame) out"
            )
        self._check_part(address)
        if kind is not Kind.USB and (self.size, self.fps) != (None, None):
            raise ConfigError(f"{where}: 'size' and 'fps' are asked of USB cameras: set it in the camera")

    def _check_part(self, address: Address) -> None:
        where, given = address.redacted, {"from": self.from_s, "to": self.to_s}
        for key, value in given.items():
            if value is None:
                continue
            if address.live:
                raise ConfigError(f"{where}: is live; {key!r} is for recordings")
            if not address.kind.film:
                raise ConfigError(f"{where}: has no times of its own; {key!r} is for video files")
            if not 0 <= value < LATEST_S:
                text = f"allowed: {TIME}, from 0 to {LATEST_S} seconds"
                raise ConfigError(f"{where}: {key!r} is {value:g}; {text}")
        if self.to_s is not None and self.to_s <= (self.from_s or 0):
            raise ConfigError(
                f"{where}: 'to' is {self.to_s:g} s, and 'from' {self.from_s or 0:g} s: nothing lies between "
                "them; 'to' must be later"
            )
