"""The ways in which a camera fails, by the names under which the tables have them."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.reliability.rig import DECODER_CRASH, POWER_OFF
from streamer.chaos.scenario import AT_ONCE, Fault


@dataclass(frozen=True, slots=True)
class Kind:
    """What is told to whom."""

    words: str
    network: bool = False

    @property
    def at_once(self) -> bool:
        """It is over as soon as it is done."""
        return self.words.split()[0] in AT_ONCE

    def fault(self, at_s: float, cameras: tuple[int, ...], for_s: float) -> Fault:
        """Of these cameras; so long, where that is up to us."""
        return Fault(at_s, cameras, self.words, self.network, None if self.at_once else for_s)


# Not the camera's failure but ours: what a bug in the decoder's C brings, beside what cameras do.
CRASH = "decoder crash"
# A half-open connection stays so for good, but new ones work: how long it lasts is up to who notices.
HALF_OPEN = "half-open connection"

OUTAGES: Mapping[str, Kind] = {
    "refused": Kind("refuse"),
    "reset, then refused": Kind("refuse", network=True),
    "accepts, says nothing": Kind("mute"),
    "hangs in mid-stream": Kind("hang"),
    "network: black hole": Kind("blackhole", network=True),
    HALF_OPEN: Kind("half_open", network=True),
    "process killed": Kind(POWER_OFF),
}
SILENCES: Mapping[str, Kind] = {
    name: OUTAGES[name]
    for name in ("hangs in mid-stream", "network: black hole", HALF_OPEN, "process killed")
}
# R3's list.
FAILURES: Mapping[str, Kind] = {
    "refused": Kind("refuse"),
    "network: black hole": Kind("blackhole", network=True),
    HALF_OPEN: Kind("half_open", network=True),
    "reset": Kind("reset", network=True),
    "401 for all": Kind("deny"),
    "1 byte a second": Kind("trickle"),
    "garbage": Kind("garbage"),
    "wrong codec in the SDP": Kind("codec h265"),
    "size change": Kind("size 480x360"),
    "time stamps frozen": Kind("stamps frozen"),
    "time stamps backward": Kind("stamps backward"),
    "1000 fps flood": Kind("flood"),
    "hangs in mid-stream": Kind("hang"),
    "5 % of packets lost": Kind("loss 0.05"),
    CRASH: Kind(DECODER_CRASH, network=True),
}
