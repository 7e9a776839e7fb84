"""What the source needs of the system that it runs on."""

from dataclasses import dataclass
from typing import Protocol

from streamer.errors import SourceError
from streamer.sources.address import Address
from streamer.sources.usb.cameras import Identity
from streamer.sources.usb.capture import Capture


@dataclass(frozen=True, slots=True)
class Known:
    """A camera that has been read once, and is to be found again."""

    name: str
    identity: Identity
    alone: bool  # no other was like it but for the port


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera is now."""

    device: str  # /dev/videoN, or a number
    name: str  # what it calls itself; "" where that is not known
    known: Known | None  # None where nothing tells it from others


class System(Protocol):
    """Finds and opens cameras."""

    def find(self, address: Address, known: Known | None) -> Place:
        """Where a camera is now: what is `known`, or what the address leads to. Raises SourceError."""

    def open(self, address: Address, place: Place) -> Capture:
        """Open it. Raises SourceError that says why it cannot be read."""

    def lost(self, address: Address, place: Place) -> SourceError:
        """Why one that was read gives no more pictures."""

    def parted(self, known: Known) -> Known:
        """What is known of a camera that has just gone."""
