"""One connection as the child tells of it: each thing checked, nothing taken on trust."""

import contextlib
import logging
import os
import time

import msgspec

from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.isolation import messages
from streamer.isolation.allowance import Allowance
from streamer.isolation.channel import Channel
from streamer.isolation.checking import Checking
from streamer.isolation.messages import ENTER, Ended, Failed, Noted, Opened, Room, Said, Shot
from streamer.isolation.segment import Reading, reserve
from streamer.sources.address import Address

_log = logging.getLogger("freshframe")

# What a connection needs is a size or two, and a line or two.
ROOMS_AT_ONCE, ROOMS_PER_S = 16, 1.0
LINES_AT_ONCE, LINES_PER_S = 20, 1.0


def lines_allowed() -> Allowance:
    """How much one camera's children may log, over all connections."""
    return Allowance(LINES_AT_ONCE, LINES_PER_S)


class Connection:
    """Used by one thread. Raises SourceError for what failed there, ValueError for what makes no sense.

    ConnectionError where there is no child any more.
    """

    def __init__(self, channel: Channel, address: Address, lines: Allowance) -> None:
        self.over = False  # the child waits to be asked for another
        self.seen = False  # a picture
        self.slots: Reading | None = None
        self._channel = channel
        self._address = address
        self._lines = lines
        self._rooms = Allowance(ROOMS_AT_ONCE, ROOMS_PER_S)
        self._checking = Checking(time.monotonic_ns())

    def open(self) -> bool:
        """Ask for it; returns when the child has it. Whether it is sparse."""
        with contextlib.suppress(ConnectionError):  # it died; listening finds that out, and what it said last
            self._channel.send(ENTER)
        match self._hear():
            case Opened(sparse):
                return sparse
            case other:
                raise ValueError(f"{type(other).__name__} before it had opened anything")

    def next(self) -> tuple[Captured, bool] | None:
        """The next picture, and whether it is still there; None at the end."""
        while True:
            match self._hear():
                case Shot() as shot if self.slots is not None:
                    captured = self._checking.captured(shot, self.slots, time.monotonic_ns())
                    self.seen = True
                    return captured, self.slots.holds(shot.number)
                case Room(picture_bytes):
                    self._make_room(picture_bytes)
                case Ended():
                    self.over = True
                    return None
                case other:
                    raise ValueError(f"{type(other).__name__} out of turn")

    def _hear(self) -> Said:
        while True:
            message = self._channel.receive()
            if message is None:
                raise ConnectionResetError("the child is gone")
            try:
                said = messages.said(message)
            except msgspec.DecodeError as error:
                raise ValueError(str(error)) from error
            match said:
                case Failed(cause, text):
                    self.over = True
                    raise SourceError(cause, self._address.redact(text))
                case Noted(level, text):
                    self._note(level, text)
                case _:
                    return said

    def _note(self, level: int, text: str) -> None:
        if self._lines.take(1, time.monotonic_ns()):
            line = "".join(sign if sign.isprintable() else " " for sign in self._address.redact(text))
            _log.log(level, "%s", line)

    def _make_room(self, picture_bytes: int) -> None:
        if self.slots is not None and picture_bytes <= self.slots.picture_bytes:
            raise ValueError("room for pictures that have room already")
        if not self._rooms.take(1, time.monotonic_ns()):
            raise ValueError("room for pictures of yet another size")
        try:
            descriptor = reserve(picture_bytes)
            try:
                self.slots = Reading(descriptor, picture_bytes)
                self._channel.send_descriptor(descriptor)
            finally:
                os.close(descriptor)
        except ConnectionError:
            raise
        except (OSError, ValueError) as error:
            mib = picture_bytes / 2**20
            text = f"no shared memory for pictures of {mib:.0f} MiB ({error}); a substream would do"
            raise SourceError(Cause.CODEC, f"{self._address.redacted}: {text}") from error
