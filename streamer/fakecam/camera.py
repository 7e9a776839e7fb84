"""One camera: a clip on a live timeline that all its clients share."""

import asyncio
import time
from fractions import Fraction
from typing import Protocol, TextIO

from streamer.errors import ConfigError
from streamer.fakecam.audience import Audience
from streamer.fakecam.clip import CLOCK_HZ, Clip
from streamer.fakecam.delivery import Delivery
from streamer.fakecam.faults import Faults, Stamps, View
from streamer.fakecam.journal import Journal
from streamer.fakecam.pace import Pace
from streamer.fakecam.reel import Reel, Shot, Take
from streamer.fakecam.rtp import RtpStream
from streamer.fakecam.studio import Studio
from streamer.fakecam.tampering import Tampering

REPORT_EVERY_TICKS = 5 * CLOCK_HZ  # RFC 3550 section 6.2
LATE_TICKS = CLOCK_HZ // 2  # a stall longer than this is left out, not made up for by sending faster
FLOOD_TICKS = CLOCK_HZ // 1000
FLOOD_INTERVAL = Fraction(1, 1000)


class Viewer(Protocol):
    """A connection that is about this camera."""

    def abort(self) -> None:
        """Close it now."""

    def reset(self) -> None:
        """Close it now, with a TCP reset."""

    def faults_changed(self) -> None:
        """The camera has other faults from now on."""


class Camera:
    """Plays its clip for ever, whether anybody looks or not. Lives in one event loop."""

    def __init__(
        self, index: int, clip: Clip, log: TextIO | None, studio: Studio | None = None, seed: int = 0
    ) -> None:
        self.index = index
        self.faults = Faults()
        self.wanted = View()  # the pictures that are to be shown, and may still be in the making
        self.viewers: set[Viewer] = set()
        self._seed = f"{seed}/{index}"
        self._own = Take(clip, self.wanted)
        self._reel = Reel(self._own)
        self._studio = studio
        self._journal = Journal(index, log)
        self._audience = Audience()
        self._rtp = RtpStream(f"cam{index}")
        self._tampering = Tampering(self.faults, self._seed)
        self._pace = Pace()
        self._ticks = self._reported_ticks = 0
        self._shown = asyncio.Condition()

    @property
    def clip(self) -> Clip:
        """What plays."""
        return self._reel.take.clip

    def be(self, faults: Faults) -> None:
        """Take on this state. Chance begins anew: the same seed takes the same packets in each run."""
        before, self.faults = self.faults, faults
        self._tampering = Tampering(faults, self._seed)
        self._rtp.stamping.be(faults.stamps, self._ticks)
        if faults.drift != before.drift:
            self._pace.drift(faults.drift)
        if faults.stamps is Stamps.WRAP and before.stamps is not Stamps.WRAP:
            self._rtp.stamping.wrap(self._ticks + CLOCK_HZ)
        if (faults.drift, faults.stamps) != (before.drift, before.stamps):
            self._report_soon()
        for viewer in list(self.viewers):
            viewer.faults_changed()

    async def show(self, view: View) -> None:
        """Show such pictures from a keyframe on, and return then. Raises ConfigError.

        They are encoded first, where that has not been done yet. What is told meanwhile counts, and
        the one who waits for this is told so.
        """
        before, self.wanted = self.wanted, view
        await self._tell_who_waits()
        take = self._own
        if view != View():
            assert self._studio is not None
            try:
                take = await self._studio.take(self.index, self._own.clip, view)
            except ConfigError:
                if self.wanted is view:
                    self.wanted = before
                raise
        if self.wanted is view:
            self._reel.change(take)
            async with self._shown:
                await self._shown.wait_for(lambda: self.wanted is not view or self._reel.take is take)
        if self.wanted is not view:
            raise ConfigError(f"{view or 'ok'}: another command came before this was in force")

    def disconnect(self) -> None:
        for viewer in list(self.viewers):
            viewer.abort()

    def reset(self) -> None:
        for viewer in list(self.viewers):
            viewer.reset()

    def introduce(self) -> tuple[int, int]:
        """Sequence number and RTP timestamp that nothing sent from now on is below, for who will join."""
        if self.faults.stamps is Stamps.WRAP and not self._audience.clients:
            self._rtp.stamping.wrap(self._ticks + self._reel.ticks_to_keyframe() + CLOCK_HZ)
        return self._rtp.sequence, self._rtp.timestamp(self._ticks)

    def join(self, client: Delivery) -> None:
        self._audience.join(client)

    def leave(self, client: Delivery) -> None:
        self._audience.leave(client)

    async def play(self) -> None:
        """Send the clip round and round by its own times. Raises SinkError where the log fails."""
        self._pace = Pace()
        self._pace.drift(self.faults.drift)
        frame = due_ticks = 0
        while True:
            take = self._reel.take
            shot = self._reel.next()
            if self._reel.take is not take:
                await self._tell_who_waits()
            due_ticks += FLOOD_TICKS if self.faults.flood else shot.gap_ticks
            late_ticks = self._pace.ticks() - due_ticks
            if late_ticks > LATE_TICKS:
                due_ticks += late_ticks
            self._ticks = due_ticks
            await asyncio.sleep(max(0.0, self._pace.until_s(due_ticks)))
            sent_ns = time.monotonic_ns()
            if self.faults.silent:
                self._audience.lose_track()
            else:
                sent_ns = await self._send(shot)
            if not self.faults.withheld:
                fault = ", ".join(filter(None, (str(self._reel.take.view), str(self.faults))))
                of_clip = self._reel.take is self._own
                self._journal.note(frame, shot.number, sent_ns, fault, of_clip=of_clip)
            frame += 1

    async def _tell_who_waits(self) -> None:
        async with self._shown:
            self._shown.notify_all()

    async def _send(self, shot: Shot) -> int:
        """Returns when, in monotonic ns."""
        if not self._audience.clients:
            return time.monotonic_ns()
        now_ticks = self._pace.ticks()
        if now_ticks - self._reported_ticks > REPORT_EVERY_TICKS:
            self._reported_ticks = now_ticks
            self._audience.report(self._report())
        limit_bytes = self._reel.take.backlog_limit_bytes
        clients = self._audience.takers(shot.unit.keyframe, limit_bytes, self._report)
        if not clients and self.faults.stamps is Stamps.WRAP:
            return time.monotonic_ns()  # who joins shall see the numbers wrap: none is used up before
        packets = self._tampering.rtp(self._rtp.packets(shot.unit.nals, self._ticks))
        if self.faults.trickle:  # a datagram would take a quarter of an hour
            clients = [client for client in clients if not client.paced]
        interval = FLOOD_INTERVAL if self.faults.flood else self.clip.interval
        return await self._audience.send(clients, packets, interval)

    def _report(self) -> bytes:
        return self._tampering.rtcp(self._rtp.report(self._pace.ticks(), self._pace.unix_ns()))

    def _report_soon(self) -> None:
        self._reported_ticks = self._ticks - REPORT_EVERY_TICKS - 1
