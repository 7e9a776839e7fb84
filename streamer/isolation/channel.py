"""Messages through one end of a socket pair, each behind its length."""

import socket
import struct
import threading

from streamer.isolation.messages import LONGEST_BYTES

_LENGTH = struct.Struct("<I")


class Channel:
    """Owns its socket. Any thread may send and hang up, one receives."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._received = bytearray()
        self._sending = threading.Lock()

    def send(self, message: bytes) -> None:
        """Send it, however long that takes. Raises OSError where the other side is gone."""
        with self._sending:
            self.socket.sendall(_LENGTH.pack(len(message)) + message)

    def offer(self, message: bytes) -> bool:
        """Send it if there is room for it now. Raises OSError where the other side is gone."""
        whole = _LENGTH.pack(len(message)) + message
        with self._sending:
            try:
                sent = self.socket.send(whole, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            self.socket.sendall(whole[sent:])  # one that has begun must be finished
        return True

    def receive(self) -> bytes | None:
        """The next message; None when the other side is gone. Raises ValueError for one that is too long."""
        while True:
            if len(self._received) >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._received)
                if length > LONGEST_BYTES:
                    raise ValueError(f"a message of {length} bytes; allowed: {LONGEST_BYTES}")
                end = _LENGTH.size + length
                if len(self._received) >= end:
                    message = bytes(self._received[_LENGTH.size : end])
                    del self._received[:end]
                    return message
            try:
                more = self.socket.recv(LONGEST_BYTES)
            except ConnectionError:
                return None
            if not more:
                return None
            self._received += more

    def send_descriptor(self, descriptor: int) -> None:
        """Give the other side a descriptor of its own for the same thing. Raises OSError."""
        socket.send_fds(self.socket, [b"\0"], [descriptor])

    def receive_descriptor(self) -> int:
        """The descriptor that was asked for; close it. Raises ConnectionError where none comes."""
        _, descriptors, _, _ = socket.recv_fds(self.socket, 1, 1)
        if len(descriptors) != 1:
            raise ConnectionResetError("the other side is gone")
        return descriptors[0]

    def hang_up(self) -> None:
        """Both sides' `receive` gives None from now on."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it is down already
            return

    def close(self) -> None:
        self.socket.close()
