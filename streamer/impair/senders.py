"""The port for UDP clients: each gets a socket of its own towards the server."""

import asyncio
import contextlib
import socket
from typing import Self

from streamer.impair.link import Direction, Link
from streamer.impair.target import Target
from streamer.impair.track import AT_ONCE, LARGEST_DATAGRAM_BYTES, Address, DatagramFlow
from streamer.serving.listening import bound, datagram_port

MOST_SENDERS = 64  # one more, and who has been silent longest is forgotten


class Sender:
    """One client's datagrams, there and back. Raises OSError where there is no way to the server."""

    def __init__(self, near: socket.socket, address: Address, target: Target, link: Link, name: str) -> None:
        self._near = near
        self._address = address
        self._server = target.address
        self._loop = asyncio.get_running_loop()
        self._far = bound(target.family, target.local_address()[0], 0)
        self._up = DatagramFlow(link, Direction.UP, name)
        self._down = DatagramFlow(link, Direction.DOWN, name)
        self._silent = False
        self._loop.add_reader(self._far, self._receive)

    def send(self, packet: bytes) -> None:
        if not self._silent:
            self._up.offer(packet, self._far, self._server)

    def silence(self) -> None:
        """Pass nothing any more."""
        self._silent = True
        self._loop.remove_reader(self._far)
        self._up.close()
        self._down.close()

    def close(self) -> None:
        self.silence()
        self._far.close()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(AT_ONCE):
                packet, origin = self._far.recvfrom(LARGEST_DATAGRAM_BYTES)
                if origin[:2] == self._server[:2]:
                    self._down.offer(packet, self._near, self._address)


class Senders:
    """Relays datagrams between clients and a server. Entering raises ConfigError for its port."""

    def __init__(self, target: Target, link: Link, host: str, port: int) -> None:
        self._target = target
        self._link = link
        self._wanted = (host, port)
        self._senders: dict[Address, Sender] = {}  # who was silent longest comes first
        self._count = 0
        self.port = 0

    def __enter__(self) -> Self:
        self._socket = datagram_port(*self._wanted)
        self.port = self._socket.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def start(self) -> None:
        """Relay, in the running event loop."""
        asyncio.get_running_loop().add_reader(self._socket, self._receive)

    async def stop(self) -> None:
        """Forget everybody."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self.reset()

    def reset(self) -> None:
        while self._senders:
            self._senders.popitem()[1].close()

    def half_open(self) -> None:
        for sender in self._senders.values():
            sender.silence()

    def refuse(self, shut: bool) -> None:
        """Forget everybody where they are refused."""
        if shut:
            self.reset()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(AT_ONCE):
                packet, address = self._socket.recvfrom(LARGEST_DATAGRAM_BYTES)
                if not self._link.impairment.refuse:
                    self._of(address).send(packet)

    def _of(self, address: Address) -> Sender:
        sender = self._senders.pop(address, None)
        if sender is None:
            if len(self._senders) >= MOST_SENDERS:
                self._senders.pop(next(iter(self._senders))).close()
            sender = Sender(self._socket, address, self._target, self._link, f"sender {self._count}")
            self._count += 1
        self._senders[address] = sender
        return sender
