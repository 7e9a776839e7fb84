"""What is done to what passes."""

import math
from dataclasses import dataclass, fields

from streamer.errors import ConfigError

LONGEST_DELAY_S = 60.0
LEAST_RATE_BPS = 8.0  # a byte a second
MOST_RATE_BPS = 1e11


@dataclass(frozen=True, slots=True)
class Impairment:
    """What is wrong with a link; the defaults are a perfect one.

    A packet is a datagram, or 1448 bytes of a TCP connection. TCP hides loss, order and duplicates:
    a lost packet comes 200 ms late and what follows waits for it; `reorder` and `duplicate` do nothing
    to it. Raises ConfigError for a value that cannot be.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0  # 0 to this is added to the delay of each packet, without changing their order
    loss: float = 0.0  # share of packets
    reorder: float = 0.0  # share of datagrams that let one to three others pass
    duplicate: float = 0.0  # share of datagrams that come twice
    flip: float = 0.0  # share of packets in which one bit is wrong
    rate_bps: float | None = None  # None is without limit
    uplink: bool = False  # also from the client to the server
    blackhole: bool = False  # nothing passes either way, connections are accepted and stay
    refuse: bool = False  # connections are refused

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = _ALLOWED.get(field.name, (-math.inf, math.inf))
            value = getattr(self, field.name)
            if value is not None and not low <= value <= high:
                name, _, unit = field.name.replace("_", "_ ").partition("_")
                raise ConfigError(f"{name} {value:g}{unit}: allowed is {low:g} to {high:g}{unit}")

    @property
    def longest_delay_s(self) -> float:
        """What a packet is delayed by at the most."""
        return self.delay_s + self.jitter_s

    @property
    def clean(self) -> bool:
        """True where packets pass untouched and at once; the rate is not looked at."""
        return not (self.delay_s or self.jitter_s or self.loss or self.reorder or self.duplicate or self.flip)


_ALLOWED = {
    "delay_s": (0.0, LONGEST_DELAY_S),
    "jitter_s": (0.0, LONGEST_DELAY_S),
    "loss": (0.0, 1.0),
    "reorder": (0.0, 1.0),
    "duplicate": (0.0, 1.0),
    "flip": (0.0, 1.0),
    "rate_bps": (LEAST_RATE_BPS, MOST_RATE_BPS),
}
