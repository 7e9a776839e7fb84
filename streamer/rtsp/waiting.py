"""Waiting for sockets in a way that another thread can end."""

import contextlib
import select
import socket
import threading
from collections.abc import Mapping
from typing import Self

from streamer.rtsp.failures import Stopped

READ = select.POLLIN
WRITE = select.POLLOUT


class Waiting:
    """Polls sockets; `stop`, from any thread, ends the wait under way and all later ones for good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._bell: tuple[socket.socket, socket.socket] | None = None

    def open(self) -> Self:
        with self._lock:
            self._bell = socket.socketpair()
            self._bell[1].setblocking(False)
        return self

    def close(self) -> None:
        with self._lock:
            for end in self._bell or ():
                end.close()
            self._bell = None

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._bell:
                with contextlib.suppress(BlockingIOError):  # it has been rung often enough
                    self._bell[1].send(b"\0")

    @property
    def stopped(self) -> bool:
        return self._stopped

    def wait(self, watched: Mapping[int, int], timeout_s: float) -> dict[int, int]:
        """What is ready, by file descriptor; empty when the time is over. Raises Stopped."""
        if self._stopped:
            raise Stopped
        assert self._bell is not None
        poll = select.poll()
        poll.register(self._bell[0], READ)
        for descriptor, events in watched.items():
            poll.register(descriptor, events)
        # Never before its time is up: whole milliseconds, rounded up.
        ready = dict(poll.poll(max(0, int(timeout_s * 1000 + 0.999))))
        if self._stopped:
            raise Stopped
        return ready
