"""The door for TCP clients, and the connections of those who came in."""

import asyncio
import errno
import socket
from typing import Self

from streamer.errors import ConfigError
from streamer.impair.connection import Connection
from streamer.impair.link import Link
from streamer.impair.target import Target
from streamer.serving.complaints import Complaints
from streamer.serving.listening import MOST_CONNECTIONS, listening

GONE = (errno.ECONNABORTED, errno.EAGAIN, errno.EINTR)  # a client that left before it was accepted
AGAIN_S = 0.5


class Callers:
    """Accepts clients on a port and relays each. Entering raises ConfigError where it cannot be had."""

    def __init__(self, target: Target, link: Link, host: str, port: int, complaints: Complaints) -> None:
        self._target = target
        self._link = link
        self._complaints = complaints
        self._address = (host, port)
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._count = 0
        self._shut = False
        self._running: asyncio.AbstractEventLoop | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._listener = listening(*self._address)
        self._listener.setblocking(False)
        self._bound_family, self._bound_address = self._listener.family, self._listener.getsockname()
        self.port = self._bound_address[1]
        self.refuse(self._link.impairment.refuse)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def start(self) -> None:
        """Let clients in, in the running event loop."""
        self._running = asyncio.get_running_loop()
        self._listen()

    async def stop(self) -> None:
        """Close all connections."""
        self._let_wait()
        self._running = None
        tasks = list(self._connections.values())
        for task in tasks:
            _cancel(task)
        await asyncio.gather(*tasks, return_exceptions=True)

    def reset(self) -> None:
        for connection, task in self._connections.items():
            connection.reset()
            _cancel(task)

    def half_open(self) -> None:
        for connection in self._connections:
            connection.silence()

    def refuse(self, shut: bool) -> None:
        """Have callers refused and those who are here reset, or let callers in.

        Raises ConfigError where the port has gone meanwhile: nobody is reset then, and the next time it is
        tried again.
        """
        if shut != self._shut or self._lost:
            try:
                if shut or self._lost:
                    self._hold_the_port()
                if not shut:
                    self._listener.listen(MOST_CONNECTIONS)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise ConfigError(f"port {self.port} cannot be had again: {why}") from error
            self._shut = shut
            self._listen()
        if shut:
            self.reset()

    @property
    def _lost(self) -> bool:
        """True where somebody else took the port in the moment in which it was nobody's."""
        return self._listener.fileno() < 0

    def _hold_the_port(self) -> None:
        """Bound and not listening, the port stays ours, and the kernel refuses those who call."""
        holding = socket.socket(self._bound_family, socket.SOCK_STREAM)
        try:
            holding.setblocking(False)
            holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._let_wait()
            self._listener.close()
            holding.bind(self._bound_address)
        except OSError:
            holding.close()
            raise
        self._listener = holding

    def _listen(self) -> None:
        if self._running is not None and not self._shut and not self._lost:
            self._running.add_reader(self._listener, self._accept)

    def _let_wait(self) -> None:
        if self._running is not None and not self._lost:
            self._running.remove_reader(self._listener)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError as error:
            if error.errno not in GONE:
                self._wait_for_descriptors(error)
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            client.close()
            return
        try:
            name = f"connection {self._count}"
            connection = Connection(client, self._target, self._link, name, self._complaints)
        except OSError as error:
            client.close()
            if error.errno != errno.ENOTCONN:  # that one has left already
                self._wait_for_descriptors(error)
            return
        self._count += 1
        task = asyncio.get_running_loop().create_task(connection.run())
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._let_go(connection))

    def _let_go(self, connection: Connection) -> None:
        del self._connections[connection]
        connection.close()

    def _wait_for_descriptors(self, error: OSError) -> None:
        """Say once that there are none left, and let callers wait a moment."""
        self._complaints.say_short(error)
        self._let_wait()
        asyncio.get_running_loop().call_later(AGAIN_S, self._listen)


def _cancel(task: asyncio.Task[None]) -> None:
    # Twice, it would not wait for what it has started, and its sockets were closed under that.
    if not task.cancelling():
        task.cancel()
