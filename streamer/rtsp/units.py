"""From payloads to access units: one picture each, and whether it came whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamer.rtsp.failures import Unsupported
from streamer.rtsp.nal import Packing

# A picture of 100 million pixels in 1.3 bits each; nobody gets us to hold more.
LARGEST_BYTES = 16_000_000
# A single one may be a wrong byte. From a camera that sends nothing else they are meant.
MOST_UNREAD, MOST_EVER = 5, 1 << 62
# Parameter sets and messages that come before a picture, with a time stamp of their own.
MOST_AHEAD_BYTES = 65_536
START = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One picture, compressed, with start codes (Annex B)."""

    data: bytearray
    stamp: int  # of RTP
    keyframe: bool  # decoding can begin here: all of it came
    recovery: int  # pictures after a keyframe until all is as it should be
    whole: bool
    lost_before: bool  # something is missing between this one and the one before
    arrived_ns: int  # monotonic, its last packet


class Assembly:
    """Puts the pictures of one stream together. Used in one thread. Raises Unsupported.

    A unit ends with the marker, or with the next time stamp. Of a broken unit the parts that came whole
    are handed on, never a part of a part. `sets` are parameter sets from the session description: they go
    before the first keyframe; its own follow and count.
    """

    def __init__(self, packing: Packing, sets: Sequence[bytes]) -> None:
        self._packing = packing
        self._sets = b"".join(START + one for one in sets)
        self._marked = True  # False once a marker was found in the middle of a picture
        self._stamp: int | None = None
        self._loss_to_come = False  # something was lost that may belong to the next unit
        self._done_stamp: int | None = None  # of the unit that a marker ended
        self._arrived_ns = 0
        self._unread = 0  # packets of a kind that we cannot read, before anything else was
        self._begin(bytearray())

    def _begin(self, data: bytearray) -> None:
        self._data = data
        self._fragment: int | None = None  # where the unit begins that comes in parts
        self._broken = False
        self._lost_before, self._loss_to_come = self._loss_to_come, False
        self._picture = self._key = False
        self._recovery: int | None = None
        self._over = False  # larger than what is allowed

    def add(
        self, payload: bytes | memoryview, stamp: int, *, marker: bool, lost: int, now_ns: int
    ) -> list[AccessUnit]:
        """The next packet, in order; `lost` are missing before it. The units that it ends."""
        done: list[AccessUnit] = []
        if lost:
            self._gap()
        if stamp != self._stamp:
            self._finish(done)
            self._stamp = stamp
        elif lost:
            self._lost_before, self._loss_to_come = True, False
        self._arrived_ns = now_ns
        if len(payload) > self._packing.header_bytes:
            self._take(payload)
        if marker:
            self._end_fragment()
        if marker and self._picture and self._marked:
            self._finish(done)
            self._done_stamp = stamp
        return done

    def cut(self) -> list[AccessUnit]:
        """What follows is another sender's: the unit under way, broken, if there is one."""
        done: list[AccessUnit] = []
        self._gap()
        self._finish(done)
        self._stamp = self._done_stamp = None
        return done

    def _gap(self) -> None:
        """Packets are missing: of the unit under way, of the next one, or whole units between them."""
        # Before the picture there are only parameter sets, that we have, and messages. Where its beginning
        # is lost, its next part tells.
        self._broken |= self._picture
        self._drop_fragment()
        self._loss_to_come = True

    def _drop_fragment(self) -> None:
        if self._fragment is not None:
            del self._data[self._fragment :]
            self._fragment = None
            self._broken = True

    def _end_fragment(self) -> None:
        """No part is missing, and nothing more of it comes: some never say that a part is the last one."""
        start, self._fragment = self._fragment, None
        if start is None or self._packing.picture(self._data[start + len(START)]):
            return
        nal = bytes(self._data[start + len(START) :])
        del self._data[start:]
        self._take_unit(nal)

    def _take(self, payload: bytes | memoryview) -> None:
        packing = self._packing
        try:
            kind = packing.kind(payload[0])
        except Unsupported:
            self._unread += 1
            self._broken = True
            if self._unread >= MOST_UNREAD:
                raise
            return
        if kind == packing.fragment:
            self._take_part(payload)
            return
        self._end_fragment()
        if kind == packing.aggregate:
            at, end = packing.header_bytes, len(payload)
            while at + 2 <= end:
                size = payload[at] << 8 | payload[at + 1]
                at += 2
                if size == 0 and not any(payload[at:]):  # padding
                    return
                if size <= packing.header_bytes or at + size > end:
                    self._broken = True
                    return
                self._take_unit(payload[at : at + size])
                at += size
        elif kind < packing.single:
            self._take_unit(payload)

    def _take_unit(self, nal: bytes | memoryview) -> None:
        """Some cameras send parameter sets and picture as one, with start codes (H.264, B.1) between them."""
        parts = [nal] if self._packing.picture(nal[0]) else bytes(nal).split(START[1:])
        for number, part in enumerate(parts, 1):
            one = part if number == len(parts) else bytes(part).rstrip(b"\0")
            if len(one) >= self._packing.header_bytes and self._note(one, 0, len(one)):
                self._data += START
                self._data += one

    def _take_part(self, payload: bytes | memoryview) -> None:
        packing = self._packing
        head = packing.header_bytes
        if len(payload) < head + 2:
            self._broken = True
            return
        bits = payload[head]
        if bits & 0x80:
            self._end_fragment()
            nal = packing.header(payload) + bytes(payload[head + 1 : head + 3])
            self._fragment = len(self._data)
            if not self._note(nal, 0, len(nal)):
                self._fragment = None
                return
            self._data += START
            self._data += nal[:head]
        elif self._fragment is None:  # its beginning is lost, or it was dropped
            self._broken = True
            return
        if len(self._data) + len(payload) > LARGEST_BYTES:
            self._over = True
            self._drop_fragment()
            return
        self._data += payload[head + 1 :]
        if bits & 0x40:
            self._end_fragment()

    def _note(self, nal: bytes | memoryview, start: int, end: int) -> bool:
        """Remember what a unit means; False where there is no room for it."""
        unit = self._packing.unit(nal, start, end)
        if self._over or len(self._data) + end - start > LARGEST_BYTES:
            self._over = self._broken = True
            return False
        if unit.picture:
            if not self._picture and not unit.first:
                self._without_beginning()
            self._picture = True
            self._key |= unit.key
        elif unit.recovery is not None:
            self._recovery = unit.recovery
        return True

    def _without_beginning(self) -> None:
        self._broken = True
        if self._stamp == self._done_stamp and not self._lost_before:
            self._marked = False  # this camera marks what is not the end

    def _finish(self, done: list[AccessUnit]) -> None:
        """What was put together is a unit, if there is a picture in it."""
        self._drop_fragment()
        if not self._picture:
            # Parameter sets with a time stamp of their own belong to what follows.
            # Where the picture was lost, its parameter sets still count, and its messages do not.
            self._loss_to_come |= self._broken
            recovery = None if self._loss_to_come else self._recovery
            lost_before = self._lost_before
            self._begin(self._data if len(self._data) < MOST_AHEAD_BYTES else bytearray())
            self._recovery = recovery
            self._lost_before |= lost_before
            return
        self._unread = -MOST_EVER
        keyframe = (self._key or self._recovery is not None) and not self._broken
        if keyframe:
            if self._sets:
                self._data = bytearray(self._sets) + self._data
            self._sets = b""
        assert self._stamp is not None
        recovery = 0 if self._key else self._recovery or 0
        done.append(
            AccessUnit(
                self._data,
                self._stamp,
                keyframe,
                recovery,
                not self._broken,
                self._lost_before,
                self._arrived_ns,
            )
        )
        self._begin(bytearray())
