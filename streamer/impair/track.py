"""RTP and RTCP of one track over UDP, led through two pairs of ports of ours."""

import asyncio
import contextlib
import socket
from typing import Any

from streamer.impair.datagrams import DatagramLine
from streamer.impair.link import Direction, Link
from streamer.serving.listening import PortPair

LARGEST_DATAGRAM_BYTES = 65_535
AT_ONCE = 64  # datagrams; others want a turn too

Address = tuple[Any, ...]


class DatagramFlow:
    """One direction of a track."""

    def __init__(self, link: Link, direction: Direction, name: str) -> None:
        self._link = link
        self._direction = direction
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._line: DatagramLine[tuple[socket.socket, Address]] = DatagramLine(
            link.towards(direction), link.bucket(direction), f"{link.seed}/{name}/{direction}"
        )
        link.flows.add(self)

    def changed(self) -> None:
        line, way = self._link, self._direction
        self._line.be(line.towards(way), line.bucket(way), self._loop.time())
        self._send_what_is_due()

    def offer(self, packet: bytes, by: socket.socket, to: Address) -> None:
        if not self._link.impairment.blackhole:
            self._line.offer(packet, (by, to), self._loop.time())
            self._send_what_is_due()

    def close(self) -> None:
        self._link.flows.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _send_what_is_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for packet, (by, to) in self._line.take(self._loop.time()):
            if not self._link.impairment.blackhole:
                with contextlib.suppress(OSError):  # a full buffer or nobody there: one more that is lost
                    by.sendto(packet, to)
        if self._line.next_s is not None:
            self._timer = self._loop.call_at(self._line.next_s, self._send_what_is_due)


class Track:
    """Made for a SETUP over UDP; `near` are the ports for the client, `far` those for the server.

    Raises OSError where no ports can be had.
    """

    def __init__(self, link: Link, name: str, near_host: Address, far_host: Address) -> None:
        self.near = _pair(near_host)
        try:
            self.far = _pair(far_host)
        except OSError:
            self.near.close()
            raise
        self._down = DatagramFlow(link, Direction.DOWN, name)
        self._up = DatagramFlow(link, Direction.UP, name)
        self._loop = asyncio.get_running_loop()

    def connect(self, client: tuple[Address, Address], server: tuple[Address, Address]) -> None:
        """Relay between these hosts, RTP and RTCP each; port 0 where the server did not say its ports."""
        pairs = ((self.near.rtp, self.far.rtp), (self.near.rtcp, self.far.rtcp))
        for (near, far), viewer, origin in zip(pairs, client, server, strict=True):
            self._loop.add_reader(far, self._receive, self._down, far, origin[0], near, viewer)
            self._loop.add_reader(near, self._receive, self._up, near, viewer[0], far, origin)

    def mute(self) -> None:
        """Pass nothing any more; the ports stay."""
        for sock in (self.near.rtp, self.near.rtcp, self.far.rtp, self.far.rtcp):
            self._loop.remove_reader(sock)
        self._down.close()
        self._up.close()

    def close(self) -> None:
        self.mute()
        self.near.close()
        self.far.close()

    def _receive(
        self, flow: DatagramFlow, source: socket.socket, host: str, by: socket.socket, to: Address
    ) -> None:
        """Pass on what comes from that host; who else finds the port is not led to either side."""
        with contextlib.suppress(OSError):
            for _ in range(AT_ONCE):
                packet, origin = source.recvfrom(LARGEST_DATAGRAM_BYTES)
                if origin[0] == host and to[1]:
                    flow.offer(packet, by, to)


def _pair(host: Address) -> PortPair:
    return PortPair(socket.AF_INET6 if len(host) == 4 else socket.AF_INET, host[0])
