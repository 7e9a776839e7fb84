"""Chance, seeded: what happens to the n-th packet of a flow."""

import random
from dataclasses import dataclass

from streamer.impair.impairment import Impairment

FURTHEST_REORDER = 3  # packets that overtake one


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one packet."""

    lost: bool
    twice: bool
    overtaken_by: int  # packets; 0 keeps its place
    delay_s: float
    flip: float | None  # which bit is turned, as a share of all, or None

    def done_to(self, packet: bytes) -> bytes:
        """The packet as it arrives."""
        if self.flip is None or not packet:
            return packet
        bit = int(self.flip * len(packet) * 8)
        changed = bytearray(packet)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)


class Luck:
    """The fates of one flow's packets, in order. The same seed gives the same ones.

    Each kind of impairment draws from a sequence of its own: a packet that 5 % of loss takes is also
    lost where there is jitter too, and where loss is 10 %.
    """

    def __init__(self, impairment: Impairment, seed: str) -> None:
        self._impairment = impairment
        kinds = ("loss", "twice", "reorder", "jitter", "flip")
        self._draws = {kind: random.Random(f"{seed}/{kind}") for kind in kinds}

    def next(self) -> Fate:
        """The fate of the next packet."""
        wanted = self._impairment
        loss, twice, jitter = (self._draws[kind].random() for kind in ("loss", "twice", "jitter"))
        reorder, distance = self._draws["reorder"].random(), self._draws["reorder"].random()
        flip, place = self._draws["flip"].random(), self._draws["flip"].random()
        return Fate(
            lost=loss < wanted.loss,
            twice=twice < wanted.duplicate,
            overtaken_by=1 + int(distance * FURTHEST_REORDER) if reorder < wanted.reorder else 0,
            delay_s=wanted.delay_s + jitter * wanted.jitter_s,
            flip=place if flip < wanted.flip else None,
        )
