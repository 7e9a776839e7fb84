"""A picture into a slot and a message for it to the parent, without waiting for whoever reads them."""

import os

import av

from streamer.contracts import Captured
from streamer.isolation import planes
from streamer.isolation.channel import Channel
from streamer.isolation.messages import Form, Room, Shot, encode
from streamer.isolation.segment import Writing


class Outbox:
    """Hands pictures over without ever waiting for whoever reads them; only for memory it must ask."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._slots: Writing | None = None
        self._number = 0
        self._untold = 0  # pictures of which no message found room, and those that were skipped before them
        self._undecoded = 0  # those that were not decoded before them
        self._last = b""  # the message of the last one of them
        self._odd = False  # the picture before could not be decoded

    def hand_over(self, captured: Captured) -> None:
        """Raises OSError where the parent is gone, and what looking at two pictures in a row raises."""
        try:
            form, parts = planes.taken_apart(captured.picture)
        except av.error.MemoryError:
            raise
        except (av.FFmpegError, ValueError):
            if self._odd:
                raise
            self._odd = True  # webcams send a broken JPEG now and then
            self._leave_out(captured)
            return
        self._odd = False
        slots = self._room_for(planes.bytes_of(form))
        self._number += 1
        slots.write(self._number, lambda slot: planes.write(parts, form, slot))
        message = encode(self._shot(captured, form))
        if self._channel.offer(message):
            self._untold, self._undecoded, self._last = 0, 0, b""
        else:
            self._leave_out(captured)
            self._last = message

    def _leave_out(self, captured: Captured) -> None:
        """The next picture that is told of says so."""
        self._untold += 1 + captured.skipped
        self._undecoded += captured.undecoded

    def finish(self) -> None:
        """Tell of the last picture, and so of all before it, however long that takes."""
        if self._last:
            self._channel.send(self._last)

    def _shot(self, captured: Captured, form: Form) -> Shot:
        return Shot(
            self._number,
            form,
            captured.captured_ns,
            _fitting(captured.pts_ns),
            _fitting(captured.source_ns),
            captured.keyframe,
            min(captured.skipped + self._untold, 2**32 - 1),
            captured.segmented,
            captured.damaged,
            min(captured.undecoded + self._undecoded, 2**32 - 1),
        )

    def _room_for(self, picture_bytes: int) -> Writing:
        """Slots as large as the largest picture yet."""
        if self._slots is None or self._slots.picture_bytes < picture_bytes:
            self._slots = None
            self._channel.send(encode(Room(picture_bytes)))
            descriptor = self._channel.receive_descriptor()
            try:
                self._slots = Writing(descriptor, picture_bytes)
            finally:
                os.close(descriptor)
        return self._slots


def _fitting(time_ns: int | None) -> int | None:
    """Times of three hundred years and more are a camera's nonsense."""
    return time_ns if time_ns is not None and -(2**63) <= time_ns < 2**63 else None
