"""How a source is to be read, as far as a user may say so."""

from dataclasses import dataclass

from streamer.errors import ConfigError
from streamer.sources.address import Address, Kind

TRANSPORTS = ("tcp", "udp")
DECODES = ("all", "key")


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

    def check(self, address: Address) -> None:
        """Raise ConfigError, which names the key, where this cannot be asked of that address."""
        where = address.redacted
        if self.transport not in TRANSPORTS:
            raise ConfigError(f"{where}: transport {self.transport!r}; allowed: {', '.join(TRANSPORTS)}")
        if self.decode not in DECODES:
            raise ConfigError(f"{where}: decode {self.decode!r}; allowed: {', '.join(DECODES)}")
        if self.live is False and address.live:
            raise ConfigError(f"{where}: is live, every frame cannot be asked of it; leave --every-frame out")
        if address.live and (self.from_s, self.to_s) != (None, None):
            raise ConfigError(f"{where}: is live; 'from' and 'to' are for recordings")
        if address.kind is not Kind.USB and (self.size, self.fps) != (None, None):
            raise ConfigError(f"{where}: 'size' and 'fps' are asked of USB cameras: set it in the camera")
