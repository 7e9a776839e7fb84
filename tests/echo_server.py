"""Somebody to talk to behind an impairment proxy, and what tests do with a connection to it."""

import contextlib
import errno
import socket
import threading
from collections.abc import Iterator

import pytest

from streamer.impair import Impaired


class Server:
    """Answers each connection in a thread of its own: an echo, or a flood of zeros."""

    def __init__(self, *, flood: bool = False) -> None:
        self._flood = flood
        self.sent_bytes = 0
        self.ends: list[str] = []
        self.ended = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Server":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    @property
    def callers(self) -> int:
        return len(self._sockets)

    def wait_for_ends(self, count: int) -> list[str]:
        with self.ended:
            assert self.ended.wait_for(lambda: len(self.ends) >= count, 10)
        return self.ends

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                self._sockets.append(sock)
                self._threads.append(threading.Thread(target=self._serve, args=(sock,)))
                self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        end = "closed"
        with sock:
            try:
                while self._flood:
                    self.sent_bytes += sock.send(bytes(4096))
                while data := sock.recv(65536):
                    sock.sendall(data)
            except OSError as error:
                end = type(error).__name__
        with self.ended:
            self.ends.append(end)
            self.ended.notify_all()


def call(proxy: Impaired, timeout_s: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout_s)


def receive_one(proxy: Impaired) -> bytes:
    with call(proxy) as client:
        return client.recv(1)


def exactly(sock: socket.socket, size_bytes: int) -> bytes:
    parts = []
    while size_bytes:
        parts.append(sock.recv(size_bytes))
        assert parts[-1], "it ended early"
        size_bytes -= len(parts[-1])
    return b"".join(parts)


def somebody_was_faster(*_: object) -> None:
    raise OSError(errno.EADDRINUSE, "Address already in use")


def silent(sock: socket.socket, for_s: float = 0.2) -> bool:
    """Nothing comes, not even the end."""
    before = sock.gettimeout()
    sock.settimeout(for_s)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(before)
    return False


@pytest.fixture
def echo() -> Iterator[Server]:
    with Server() as server:
        yield server
