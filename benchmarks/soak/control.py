"""The control connection of the test cameras, for somebody who does not wait for answers."""

import socket
from collections import deque

from benchmarks.processes import LOOPBACK

CONNECT_S = 5.0


class Control:
    """Commands go out at once, answers are read when they are there. Raises OSError where nobody is.

    The cameras do one command of a connection after the other, and some take their time: what must not
    wait for those has a connection of its own.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((LOOPBACK, port), CONNECT_S)
        self._socket.setblocking(False)
        self._open: deque[str] = deque()
        self._part = b""

    @property
    def waiting(self) -> bool:
        """Has anything not been answered yet?"""
        return bool(self._open)

    def tell(self, camera: int, command: str) -> None:
        self._open.append(command)
        self._socket.sendall(f"cam{camera} {command}\n".encode())

    def refused(self) -> list[str]:
        """Commands that were answered with an error since the last call."""
        found: list[str] = []
        while True:
            try:
                got = self._socket.recv(4096)
            except BlockingIOError:
                return found
            if not got:
                raise ConnectionError("the test cameras have ended")
            *lines, self._part = (self._part + got).split(b"\n")
            for line in lines:
                command = self._open.popleft()
                if line != b"ok":
                    found.append(f"{command}: {line.decode('utf-8', 'replace')}")

    def close(self) -> None:
        self._socket.close()
