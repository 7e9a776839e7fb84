"""The way out of one connection: at once, or a byte a second."""

import asyncio
import contextlib
import socket
import struct

TRICKLE_S = 1.0  # from one byte to the next
MOST_WAITING_BYTES = 1 << 20  # what does not fit any more is lost whole


class Outlet:
    """All that a connection sends goes through here, replies as well as packets. One event loop."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport
        self._waiting = bytearray()
        self._drip: asyncio.TimerHandle | None = None
        self._trickles = False

    def write(self, data: bytes) -> None:
        """Send this after what waits already; never blocks."""
        if not data or self._transport.is_closing():
            return
        if not self._trickles:
            self._transport.write(data)
        elif len(self._waiting) + len(data) <= MOST_WAITING_BYTES:
            self._waiting += data
            if self._drip is None:
                self._let_drip()

    def backlog_bytes(self) -> int:
        """What was written and has not reached the kernel yet."""
        return len(self._waiting) + self._transport.get_write_buffer_size()

    def trickle(self, trickles: bool) -> None:
        """Let a byte a second out from now on, or again all; then what waits goes at once."""
        self._trickles = trickles
        if not trickles and self._waiting:
            self._stop()
            self._transport.write(bytes(self._waiting))
            self._waiting.clear()

    def abort(self) -> None:
        """Cut the connection off; what has not left is thrown away."""
        self._stop()
        self._transport.abort()

    def reset(self) -> None:
        """The same with a TCP reset."""
        with contextlib.suppress(OSError):  # it has gone already
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def _let_drip(self) -> None:
        self._drip = None
        if self._transport.is_closing():
            return
        self._transport.write(bytes(self._waiting[:1]))
        del self._waiting[:1]
        if self._waiting:
            self._drip = asyncio.get_running_loop().call_later(TRICKLE_S, self._let_drip)

    def _stop(self) -> None:
        if self._drip is not None:
            self._drip.cancel()
            self._drip = None
