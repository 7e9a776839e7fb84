"""RTP timestamps and sequence numbers of a camera's pictures: true ones, and others."""

import secrets

from streamer.fakecam.faults import Stamps

SHORTLY = 20  # packets before sequence numbers wrap: a second of any video has more


class Stamping:
    """Where a stream's numbers stand. Random at its begin, RFC 3550 section 5.1. One thread only."""

    def __init__(self) -> None:
        self.sequence = secrets.randbits(16)  # of the next packet
        self._offset = secrets.randbits(32)
        self._fault: Stamps | None = None
        self._since = 0  # ticks at which frozen or backward stamps began

    def be(self, fault: Stamps | None, ticks: int) -> None:
        """Be wrong, or right, from the picture after the one at `ticks` on."""
        if fault in (Stamps.FROZEN, Stamps.BACKWARD) and fault is not self._fault:
            # Goes on from what was said last, whatever that was.
            self._offset = self.timestamp(ticks) - ticks & 0xFFFFFFFF
            self._since = ticks
        self._fault = fault

    def wrap(self, ticks: int) -> None:
        """Jump so that sequence numbers wrap after SHORTLY packets, and timestamps at `ticks`."""
        self.sequence = 0x10000 - SHORTLY
        self._offset = -ticks & 0xFFFFFFFF

    def timestamp(self, ticks: int) -> int:
        """The RTP timestamp of a time on the camera's timeline."""
        if self._fault is Stamps.FROZEN:
            ticks = self._since
        elif self._fault is Stamps.BACKWARD:
            ticks = 2 * self._since - ticks
        return ticks + self._offset & 0xFFFFFFFF
