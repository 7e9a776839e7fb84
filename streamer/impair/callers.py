"""The door for TCP clients, and the connections of those who came in."""

import asyncio
import errno
import socket
import sys
from typing import Self

from streamer.errors import ConfigError
from streamer.impair.connection import Connection
from streamer.impair.link import Link
from streamer.impair.target import Target
from streamer.serving.listening import MOST_CONNECTIONS, listening

GONE = (errno.ECONNABORTED, errno.EAGAIN, errno.EINTR)  # a client that left before it was accepted
AGAIN_S = 0.5


class Callers:
    """Accepts clients on a port and relays each. Entering raises ConfigError where it cannot be had."""

    def __init__(self, target: Target, link: Link, host: str, port: int) -> None:
        self._target = target
        self._link = link
        self._address = (host, port)
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._count = 0
        self._shut = False
        self._complained = False
        self._running: asyncio.AbstractEventLoop | None = None
        self.port = 0

    def __enter__(self) -> Self:
        self._listener = listening(*self._address)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self.changed()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def start(self) -> None:
        """Let clients in, in the running event loop."""
        self._running = asyncio.get_running_loop()
        self._listen()

    async def stop(self) -> None:
        """Close all connections."""
        if self._running is not None:
            self._running.remove_reader(self._listener)
            self._running = None
        tasks = list(self._connections.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reset(self) -> None:
        for connection, task in self._connections.items():
            connection.reset()
            task.cancel()

    def half_open(self) -> None:
        for connection in self._connections:
            connection.silence()

    def changed(self) -> None:
        """Let callers in or have them refused. Raises ConfigError where the port has gone meanwhile."""
        shut = self._link.impairment.refuse
        if shut:
            self.reset()
        if shut == self._shut:
            return
        try:
            if shut:
                self._hold_the_port()
            else:
                self._listener.listen(MOST_CONNECTIONS)
        except OSError as error:
            raise ConfigError(f"port {self.port} was taken by somebody else: {error.strerror}") from error
        self._shut = shut
        self._listen()

    def _hold_the_port(self) -> None:
        """Bound and not listening, the port stays ours, and the kernel refuses those who call."""
        if self._running is not None:
            self._running.remove_reader(self._listener)
        address, family = self._listener.getsockname(), self._listener.family
        self._listener.close()
        holding = socket.socket(family, socket.SOCK_STREAM)
        try:
            holding.setblocking(False)
            holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holding.bind(address)
        except OSError:
            holding.close()
            raise
        self._listener = holding

    def _listen(self) -> None:
        if self._running is not None and not self._shut:
            self._running.add_reader(self._listener, self._accept)

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
            connection = Connection(client, self._target, self._link, f"connection {self._count}")
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
        if not self._complained:
            self._complained = True
            why = (error.strerror or str(error)).lower()
            sys.stderr.write(f"impair: clients have to wait: {why}; `ulimit -n` allows more\n")
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(AGAIN_S, self._listen)
