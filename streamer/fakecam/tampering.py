"""What chance does to packets before they leave."""

import random
from collections.abc import Sequence

from streamer.fakecam.faults import Faults

HEADER_BYTES = 12  # of RTP without extras, RFC 3550 section 5.1; sequence number and timestamp are in it
MOST_WRONG_BYTES = 4


class Tampering:
    """Loses, damages and replaces packets. The same seed does the same to the same packets.

    Each fault draws from a sequence of its own: what 5 % of loss takes is also lost at 10 %, and
    beside damage.
    """

    def __init__(self, faults: Faults, seed: str) -> None:
        self._faults = faults
        self._loss, self._damage, self._garbage = (
            random.Random(f"{seed}/{kind}") for kind in ("loss", "damage", "garbage")
        )

    def rtp(self, packets: Sequence[bytes]) -> list[bytes]:
        """What is left of these."""
        faults = self._faults
        left = list(packets)
        if faults.damage:
            left = [
                self._wrong(packet) if self._damage.random() < faults.damage else packet for packet in left
            ]
        if faults.loss:
            left = [packet for packet in left if self._loss.random() >= faults.loss]
        return [self.rtcp(packet) for packet in left]

    def rtcp(self, packet: bytes) -> bytes:
        """A report, or as many random bytes."""
        return self._garbage.randbytes(len(packet)) if self._faults.garbage else packet

    def _wrong(self, packet: bytes) -> bytes:
        changed = bytearray(packet)
        for _ in range(self._damage.randint(1, MOST_WRONG_BYTES)):
            changed[self._damage.randrange(HEADER_BYTES, len(packet))] ^= self._damage.randint(1, 255)
        return bytes(changed)
