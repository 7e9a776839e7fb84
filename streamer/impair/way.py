"""One direction of a TCP connection: taken in from one socket, handed out to the other in its time."""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from streamer.impair.link import Direction, Link
from streamer.impair.stream import StreamLine

READ_BYTES = 64 * 1024
WRITE_BYTES = 64 * 1024  # handed to the kernel at once

Rewrite = Callable[[bytes], bytes]


class Way:
    """What a connection sends one way. `take_in` and `hand_out` are run beside each other."""

    def __init__(self, link: Link, direction: Direction, name: str) -> None:
        self._link = link
        self._direction = direction
        self._loop = asyncio.get_running_loop()
        self._line = StreamLine(link.towards(direction), f"{link.seed}/{name}/{direction}")
        self._ended = self._broken = False
        self._moved = asyncio.Event()
        link.flows.add(self)

    def changed(self) -> None:
        self._line.be(self._link.towards(self._direction), self._loop.time())
        self._moved.set()

    def close(self) -> None:
        self._link.flows.discard(self)

    async def take_in(self, source: socket.socket, rewrite: Rewrite) -> None:
        """Read until the end. Raises OSError where the connection is reset, CutOffError."""
        while True:
            # A server whose packets go nowhere finds its buffers full; a client may leave at any time.
            while self._direction is Direction.DOWN and self._link.impairment.blackhole:
                await self._pause(None)
            try:
                data = await self._loop.sock_recv(source, READ_BYTES)
            except OSError:
                self._broken = True
                self._moved.set()
                while self._link.impairment.blackhole:  # a reset does not come through either
                    await self._pause(None)
                raise
            if not data:
                break
            await self._send(rewrite(data))
            # Neither has waited where there was enough to read and nothing to pass on: others want a turn.
            await asyncio.sleep(0)
        self._ended = True
        self._moved.set()

    async def hand_out(self, to: socket.socket) -> None:
        """Write until the end. Raises OSError where the connection is reset."""
        while True:
            if self._link.impairment.blackhole:
                await self._pause(None)
            elif data := self._line.take(self._loop.time(), WRITE_BYTES):
                self._moved.set()  # there is room now
                await self._loop.sock_sendall(to, data)
            elif self._ended and self._line.next_s is None:
                break
            else:
                await self._pause(self._line.next_s)
        to.shutdown(socket.SHUT_WR)

    async def passable(self) -> bool:
        """Wait for a black hole to end; False where the client has left before."""
        while self._link.impairment.blackhole and not (self._ended or self._broken):
            await self._pause(None)
        return not self._link.impairment.blackhole

    async def _send(self, data: bytes) -> None:
        start = 0
        while start < len(data):
            bucket = self._link.bucket(self._direction)
            piece = data[start : start + self._line.step(bucket.burst_bytes)]
            start += len(piece)
            passed_s = bucket.take(self._loop.time(), len(piece))
            # Nothing more is read meanwhile: that is how the sender notices that the link is slow.
            while self._loop.time() < passed_s and bucket is self._link.bucket(self._direction):
                await self._pause(passed_s)
            while self._line.full:
                await self._pause(None)
            self._line.offer(piece, self._loop.time())
            self._moved.set()

    async def _pause(self, until_s: float | None) -> None:
        self._moved.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await self._moved.wait()
