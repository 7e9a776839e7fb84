"""What all connections share: the impairment in force, and the rate that they have together."""

from enum import StrEnum
from typing import Protocol

from streamer.impair.bucket import Bucket
from streamer.impair.impairment import Impairment


class Direction(StrEnum):
    """Which way a packet goes."""

    DOWN = "down"  # from the server to the client: the pictures
    UP = "up"


class Flow(Protocol):
    """One direction of a connection or a track."""

    def changed(self) -> None:
        """Another impairment is in force."""


class Link:
    """The way between clients and server. Lives in one event loop."""

    def __init__(self, impairment: Impairment, seed: int) -> None:
        self.flows: set[Flow] = set()
        self.seed = seed
        self._buckets = {way: Bucket(None) for way in Direction}
        self._take_on(impairment)

    @property
    def impairment(self) -> Impairment:
        return self._impairment

    def be(self, impairment: Impairment) -> None:
        """Be like this from now on. The luck of every flow begins anew."""
        self._take_on(impairment)
        for flow in list(self.flows):
            flow.changed()

    def towards(self, direction: Direction) -> Impairment:
        """What packets suffer that go this way."""
        return self._towards[direction]

    def bucket(self, direction: Direction) -> Bucket:
        return self._buckets[direction]

    def _take_on(self, impairment: Impairment) -> None:
        self._impairment = impairment
        up = impairment if impairment.uplink else Impairment()
        self._towards = {Direction.DOWN: impairment, Direction.UP: up}
        for way, wanted in self._towards.items():
            # What waits at a bottleneck goes on waiting where another thing is changed.
            if wanted.rate_bps != self._buckets[way].rate_bps:
                self._buckets[way] = Bucket(wanted.rate_bps)
