"""One camera: a clip on a live timeline that all its clients share."""

import asyncio
import random
import time
from typing import Protocol, TextIO

from streamer.errors import SinkError
from streamer.fakecam.clip import CLOCK_HZ, AccessUnit, Clip
from streamer.fakecam.delivery import Delivery
from streamer.fakecam.faults import Faults
from streamer.fakecam.rtp import RtpStream, ticks_of

REPORT_EVERY_S = 5.0  # RFC 3550 section 6.2
LATE_S = 0.5  # a stall longer than this is left out, not made up for by sending faster
BURST_PACKETS = 16  # datagrams sent at once; a receiver's usual buffer holds about 90
BURST_GAP_S = 0.001


class Viewer(Protocol):
    """A connection that is about this camera."""

    def abort(self) -> None:
        """Close it now."""


class Camera:
    """Plays its clip for ever, whether anybody looks or not. Lives in one event loop.

    Who joins gets the next keyframe first: never an old picture, never a burst of them. A client
    that takes less than is sent loses everything up to a keyframe that finds its way clear.
    """

    def __init__(self, index: int, clip: Clip, log: TextIO | None) -> None:
        self.index = index
        self.clip = clip
        self.faults = Faults()
        self.viewers: set[Viewer] = set()
        self._log = log
        self._rtp = RtpStream(f"cam{index}")
        self._luck = random.Random(index)
        self._clients: set[Delivery] = set()
        self._synced: set[Delivery] = set()
        self._backlog_limit_bytes = clip.half_second_bytes
        self._start_s = 0.0
        self._reported_s = 0.0
        self._ticks = 0

    @property
    def next_packet(self) -> tuple[int, int]:
        """Sequence number and RTP timestamp that nothing sent from now on is below."""
        return self._rtp.sequence, self._rtp.timestamp(self._ticks)

    def be(self, faults: Faults) -> None:
        self.faults = faults
        self._luck = random.Random(self.index)  # the same packets are lost in each run

    def disconnect(self) -> None:
        for viewer in list(self.viewers):
            viewer.abort()

    def join(self, client: Delivery) -> None:
        self._clients.add(client)

    def leave(self, client: Delivery) -> None:
        self._clients.discard(client)
        self._synced.discard(client)

    async def play(self) -> None:
        """Send the clip round and round by its own times. Raises SinkError where the log fails."""
        self._start_s = time.monotonic()
        frame, round_ticks = 0, 0
        while True:
            for picture, unit in enumerate(self.clip.units):
                ticks = round_ticks + unit.ticks
                late_s = time.monotonic() - self._start_s - ticks / CLOCK_HZ
                if late_s > LATE_S:
                    round_ticks += ticks_of(late_s)
                    ticks += ticks_of(late_s)
                self._ticks = ticks
                await asyncio.sleep(max(0.0, -late_s))
                if not (self.faults.hang or self.faults.refuse):
                    await self._send(unit, ticks)
                    self._note(frame, picture)
                else:
                    self._synced.clear()
                frame += 1
            round_ticks += self.clip.ticks

    async def _send(self, unit: AccessUnit, ticks: int) -> None:
        if not self._clients:
            return
        now_s = time.monotonic()
        if now_s - self._reported_s > REPORT_EVERY_S:
            self._reported_s = now_s
            for client in self._synced:
                client.rtcp(self._report())
        clients = [client for client in self._clients if self._takes(client, unit.keyframe)]
        packets = self._rtp.packets(unit.nals, ticks)
        if self.faults.loss:
            packets = [packet for packet in packets if self._luck.random() >= self.faults.loss]
        for client in clients:
            if not client.paced:
                client.rtp(packets)
        paced = [client for client in clients if client.paced]
        if paced:
            await self._spread(paced, packets)

    def _takes(self, client: Delivery, keyframe: bool) -> bool:
        backlog_bytes = client.backlog_bytes()
        if client in self._synced:
            if backlog_bytes <= self._backlog_limit_bytes:
                return True
            self._synced.discard(client)
        elif keyframe and not backlog_bytes:
            self._synced.add(client)
            client.rtcp(self._report())
            return True
        return False

    async def _spread(self, clients: list[Delivery], packets: list[bytes]) -> None:
        # Within half of the time to the next picture.
        bursts = max(1, int(self.clip.interval / 2 / BURST_GAP_S))
        step = max(BURST_PACKETS, -(-len(packets) // bursts))
        for start in range(0, len(packets), step):
            if start:
                await asyncio.sleep(BURST_GAP_S)
            for client in clients:
                if client in self._synced:  # it may have left meanwhile
                    client.rtp(packets[start : start + step])

    def _report(self) -> bytes:
        return self._rtp.report(ticks_of(time.monotonic() - self._start_s), time.time_ns())

    def _note(self, frame: int, picture: int) -> None:
        if self._log is None:
            return
        sent_ns = time.monotonic_ns()
        entry = f'{{"camera":{self.index},"frame":{frame},"picture":{picture},"sent_mono_ns":{sent_ns}}}\n'
        try:
            self._log.write(entry)
        except OSError as error:
            raise SinkError(f"the log {self._log.name} cannot be written: {error.strerror}") from error
