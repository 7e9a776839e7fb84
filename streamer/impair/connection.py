"""One client's TCP connection, relayed."""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Callable

from streamer.impair.detour import CutOffError, Detour
from streamer.impair.link import Direction, Link
from streamer.impair.rtsp import NotRtsp, Splitter
from streamer.impair.stream import StreamLine
from streamer.impair.target import Target

READ_BYTES = 64 * 1024
WRITE_BYTES = 64 * 1024  # handed to the kernel at once
# The kernel would grow its buffers to megabytes and hide from the server that the link is slow.
BUFFER_BYTES = 128 * 1024
DIAL_TIMEOUT_S = 10.0

Rewrite = Callable[[bytes], bytes]


class Way:
    """One direction: taken in from one socket, handed out to the other when its time has come."""

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


class Connection:
    """Relays one client until both sides have ended, one of them breaks off, or it is told to.

    Making it raises OSError where the client has left already or descriptors are short; it takes the
    client's socket over. Whoever made it closes it when `run` has ended.
    """

    def __init__(self, client: socket.socket, target: Target, link: Link, name: str) -> None:
        self._client = client
        self._target = target
        self._detour: Detour | None = None
        if target.scheme == "rtsp":
            self._detour = Detour(link, target, name, client.getpeername(), client.getsockname())
        self._server = socket.socket(target.family, socket.SOCK_STREAM)
        self._up = Way(link, Direction.UP, name)
        self._down = Way(link, Direction.DOWN, name)
        self._silent = asyncio.Event()
        self._reset = False
        for sock in (self._client, self._server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)

    async def run(self) -> None:
        """Serve until it is over."""
        relay = asyncio.create_task(self._relay())
        silenced = asyncio.create_task(self._silent.wait())
        try:
            await asyncio.wait({relay, silenced}, return_when=asyncio.FIRST_COMPLETED)
            if self._silent.is_set():
                relay.cancel()
                await asyncio.wait({relay})
                await self._until_the_client_leaves()
        finally:
            silenced.cancel()
            relay.cancel()
            await asyncio.wait({relay})

    def reset(self) -> None:
        """Have `close` reset both sides."""
        self._reset = True

    def silence(self) -> None:
        """Pass nothing any more, for good, and close nothing before the client leaves."""
        if self._detour is not None:
            self._detour.mute()
        self._silent.set()

    def close(self) -> None:
        """Let go of both sides: with a reset where one of them was, or where it was asked for."""
        self._up.close()
        self._down.close()
        if self._detour is not None:
            self._detour.close()
        for sock in (self._client, self._server):
            if self._reset:
                # Linger for no time: the kernel sends RST and throws away what it still has.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()

    async def _relay(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                asking = tasks.create_task(self._up.take_in(self._client, self._rewrite_requests()))
                if not await self._up.passable():
                    asking.cancel()
                    return
                async with asyncio.timeout(DIAL_TIMEOUT_S):
                    await asyncio.get_running_loop().sock_connect(self._server, self._target.address)
                tasks.create_task(self._up.hand_out(self._server))
                tasks.create_task(self._down.take_in(self._server, self._rewrite_replies()))
                tasks.create_task(self._down.hand_out(self._client))
        except* CutOffError as group:
            self._reset = True
            sys.stderr.write(f"impair: a client was cut off: {group.exceptions[0]}\n")
        except* OSError:  # also a time-out
            self._reset = True

    def _rewrite_requests(self) -> Rewrite:
        if self._detour is None:
            return bytes
        splitter = Splitter(self._detour.request)

        def rewrite(data: bytes) -> bytes:
            try:
                return splitter.feed(data)
            except NotRtsp as error:
                raise CutOffError("what it sends is not RTSP; tcp:// leads anything else") from error

        return rewrite

    def _rewrite_replies(self) -> Rewrite:
        if self._detour is None:
            return bytes
        splitter: Splitter | None = Splitter(self._detour.reply)

        def rewrite(data: bytes) -> bytes:
            nonlocal splitter
            try:
                return splitter.feed(data) if splitter is not None else data
            except NotRtsp as error:  # a broken camera: its client is to see that
                splitter = None
                return error.rest

        return rewrite

    async def _until_the_client_leaves(self) -> None:
        self._reset = True
        with contextlib.suppress(OSError):
            while await asyncio.get_running_loop().sock_recv(self._client, READ_BYTES):
                pass
