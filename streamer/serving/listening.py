"""Ports: one to listen on, and the pairs that RTP wants."""

import asyncio
import os
import re
import socket
from collections.abc import Callable
from typing import Any

from streamer.errors import ConfigError

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 256
# A keyframe is a burst of hundreds of packets; the usual buffer has room for about 90, and what finds it
# full is lost where nobody asked for loss. The kernel caps it (Linux: net.core.rmem_max).
DATAGRAM_BUFFER_BYTES = 4 * 1024 * 1024


def listening(host: str, port: int) -> socket.socket:
    """A TCP socket that listens there; port 0 takes a free one. Raises ConfigError where it cannot."""

    def create(family: int, address: tuple[Any, ...]) -> socket.socket:
        return socket.create_server(address[:2], family=family)

    return _had(host, port, create)


def datagram_port(host: str, port: int) -> socket.socket:
    """A UDP socket bound there, as `listening` does it."""

    def create(family: int, address: tuple[Any, ...]) -> socket.socket:
        return bound(family, address[0], address[1])

    return _had(host, port, create)


def _had(host: str, port: int, create: Callable[[int, tuple[Any, ...]], socket.socket]) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ConfigError(f"{port} is not a port: they go from 0 (any that is free) to 65535")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return create(family, address)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"port {port} on {host} cannot be listened on: {_why(error)}; choose another"
        ) from error


def _why(error: OSError | UnicodeError) -> str:
    number = getattr(error, "errno", None) or 0
    if number > 0:  # what Python adds to its own text names the address once more
        return os.strerror(number).lower()
    return getattr(error, "strerror", None) or str(error)


async def served(
    accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None], sock: socket.socket, limit: int
) -> asyncio.Server:
    """Hand each client of a listening socket to `accept`; `limit` is that of its StreamReader."""
    # asyncio accepts `backlog` clients at a time, and without descriptors it fails that many times,
    # each with a timer that tries again; so that is one, and the kernel's queue is made long after.
    server = await asyncio.start_server(accept, sock=sock, limit=limit, backlog=1)
    sock.listen(MOST_CONNECTIONS)
    return server


class PortPair:
    """An even UDP port for RTP and the odd one above it for RTCP, as RFC 3550 section 11 wants it."""

    def __init__(self, family: int, host: str) -> None:
        for _ in range(50):
            self.rtp = bound(family, host, 0)
            port: int = self.rtp.getsockname()[1]
            if port % 2 == 0 and port < 65535:
                try:
                    self.rtcp = bound(family, host, port + 1)
                except OSError:
                    self.rtp.close()
                    continue
                self.numbers = (port, port + 1)
                return
            self.rtp.close()
        raise OSError("no pair of neighbouring UDP ports is free")

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def bound(family: int, host: str, port: int) -> socket.socket:
    """A UDP socket bound there. Raises OSError where it cannot."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER_BYTES)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def port_pair(text: str) -> tuple[int, int] | None:
    """`5000-5001` or `5000`, as RTSP's Transport header has ports and channels; 16 bits at most."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text, re.ASCII)
    if match is None:
        return None
    first = int(match[1])
    second = int(match[2]) if match[2] else first + 1
    return (first, second) if max(first, second) < 65536 else None
