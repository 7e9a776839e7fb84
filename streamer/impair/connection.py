"""One client's TCP connection, relayed."""

import asyncio
import contextlib
import socket
import struct

from streamer.impair.detour import CutOffError, Detour
from streamer.impair.link import Direction, Link
from streamer.impair.rtsp import NotRtsp, Splitter
from streamer.impair.target import Target
from streamer.impair.way import READ_BYTES, Rewrite, Way
from streamer.serving.complaints import Complaints

# The kernel would grow its buffers to megabytes and hide from the server that the link is slow.
BUFFER_BYTES = 128 * 1024
DIAL_TIMEOUT_S = 10.0
SAID_AGAIN_S = 1.0  # why clients are cut off, whoever tries how often


class Connection:
    """Relays one client until both sides have ended, one of them breaks off, or it is told to.

    Making it raises OSError where the client has left already or descriptors are short; it takes the
    client's socket over. Whoever made it closes it when `run` has ended.
    """

    def __init__(
        self, client: socket.socket, target: Target, link: Link, name: str, complaints: Complaints
    ) -> None:
        self._client = client
        self._target = target
        self._complaints = complaints
        self._detour: Detour | None = None
        if target.scheme == "rtsp":
            self._detour = Detour(link, target, name, client.getpeername(), client.getsockname())
        self._server = socket.socket(target.family, socket.SOCK_STREAM)
        try:
            for sock in (self._client, self._server):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        except OSError:
            self._server.close()
            raise
        self._up = Way(link, Direction.UP, name)
        self._down = Way(link, Direction.DOWN, name)
        self._silent = asyncio.Event()
        self._reset = False

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
            self._complaints.say(f"a client was cut off: {group.exceptions[0]}", SAID_AGAIN_S)
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
                await asyncio.sleep(0)  # who uploads on and on is not to keep the others waiting
