"""One TCP connection to a camera: messages and interleaved packets come out of one stream of bytes."""

import errno
import os
import socket
import ssl
from collections.abc import Callable

from streamer.rtsp.failures import Unreadable
from streamer.rtsp.message import LARGEST_BODY_BYTES, LARGEST_HEAD_BYTES, Message, answer, read_message
from streamer.rtsp.place import Target
from streamer.rtsp.waiting import READ, WRITE

# The largest message must fit, and an interleaved packet (64 KiB).
BUFFER_BYTES = LARGEST_HEAD_BYTES + LARGEST_BODY_BYTES + 65_540
MOST_UNSENT_BYTES = 65_536
# So much in one go; then whoever waits for pictures has a look, and whoever wants to stop.
MOST_AT_ONCE_BYTES = 1_000_000
DOLLAR = 0x24

# An interleaved packet: channel, the buffer it lies in, and where in it. Good until the next `read`.
OnPacket = Callable[[int, memoryview], None]


def tls() -> ssl.SSLContext:
    """Encrypted, but not verified: certificates of cameras are their makers' own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Connection:
    """Never blocks. `messages` has what was read and nobody has taken yet. Raises OSError, Unreadable."""

    def __init__(self, target: Target, host: str, secure: ssl.SSLContext | None) -> None:
        family, where = target
        self.messages: list[Message] = []
        self.ended = False  # the other side has closed
        self._unsent = bytearray()
        self._buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._end = 0
        self._wants = WRITE
        self._shaking = secure is not None
        sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock: socket.socket = sock
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = sock.connect_ex(where)
        if found not in (0, errno.EINPROGRESS):
            sock.close()
            raise OSError(found, os.strerror(found))
        self._connected = False
        self._secure, self._host = secure, host

    def fileno(self) -> int:
        return self._sock.fileno()

    @property
    def wants(self) -> int:
        """What to poll for."""
        return self._wants

    @property
    def peer(self) -> str:
        """The camera's address."""
        return str(self._sock.getpeername()[0])

    @property
    def here(self) -> tuple[int, str]:
        """Family and address of our end."""
        return self._sock.family, str(self._sock.getsockname()[0])

    def establish(self) -> bool:
        """Go on with connecting; True once messages can go to and fro."""
        if not self._connected:
            found = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if found:
                raise OSError(found, os.strerror(found))
            self._connected = True
            if self._secure:
                try:
                    self._host.encode("idna")
                except UnicodeError:  # found out there, the socket would be lost
                    raise Unreadable("not the name of a host") from None
                self._sock = self._secure.wrap_socket(
                    self._sock, server_hostname=self._host, do_handshake_on_connect=False
                )
        if self._shaking:
            assert isinstance(self._sock, ssl.SSLSocket)
            try:
                self._sock.do_handshake()
            except ssl.SSLWantReadError:
                self._wants = READ
                return False
            except ssl.SSLWantWriteError:
                self._wants = WRITE
                return False
            self._shaking = False
        self._wants = READ
        return True

    def send(self, data: bytes) -> None:
        """Send it, or keep it until the other side takes it. Raises OSError where it takes nothing."""
        self._unsent += data
        if len(self._unsent) > MOST_UNSENT_BYTES:
            raise OSError(errno.ENOBUFS, "the camera takes nothing")
        self.flush()

    def flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        self._wants = READ | WRITE if self._unsent else READ

    def read(self, on_packet: OnPacket | None) -> None:
        """Take in all that there is. Packets go to `on_packet` at once, messages are kept."""
        taken = 0
        while taken < MOST_AT_ONCE_BYTES:
            room = BUFFER_BYTES - self._end
            try:
                count = self._sock.recv_into(self._view[self._end :], room)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if count == 0:
                self.ended = True
                return
            self._end += count
            taken += count
            self._take_apart(on_packet)
            if count < room and not self._pending():
                return

    def _pending(self) -> bool:
        """TLS may hold bytes that no poll tells of."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def _take_apart(self, on_packet: OnPacket | None) -> None:
        buffer, view, at, end = self._buffer, self._view, 0, self._end
        while end - at >= 4:
            first = buffer[at]
            if first == DOLLAR:
                after = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
                if after > end:
                    break
                if on_packet is not None:
                    on_packet(buffer[at + 1], view[at + 4 : after])
                at = after
            elif first in b"\r\n":  # some end a body with an empty line too many
                at += 1
            else:
                found = read_message(buffer, at, end)
                if found is None:
                    break
                message, at = found
                self._keep(message)
        if at:
            view[: end - at] = view[at:end]
            self._end = end - at

    def _keep(self, message: Message) -> None:
        if message.method:
            self.send(answer(message))
        elif len(self.messages) < 100:
            self.messages.append(message)
        else:
            raise Unreadable("replies that nobody asked for")

    def close(self) -> None:
        self._sock.close()
