"""Two UDP ports that packets are sent to: RTP on an even one, RTCP on the next (RFC 3550, section 11)."""

import contextlib
import errno
import socket
from collections.abc import Iterator

from streamer.rtsp.waiting import READ

# A keyframe of a megabyte arrives at once, and the system holds 200 kB by default.
BUFFER_BYTES = 4_000_000
LARGEST_BYTES = 65_536
TRIES = 50
# So many datagrams in one go; then whoever wants to stop has a look.
MOST_AT_ONCE = 1000


class Ports:
    """Two ports; what comes from the camera, or from where it says it sends, is taken. Raises OSError."""

    def __init__(self, family: int, here: str, peer: str) -> None:
        self._peer = peer
        self._senders = {peer}
        self._buffer = bytearray(LARGEST_BYTES)
        self._view = memoryview(self._buffer)
        self.rtp, self.rtcp = _pair(family, here)
        self.numbers = self.rtp.getsockname()[1], self.rtcp.getsockname()[1]
        self._server: tuple[int, int] | None = None

    @property
    def watched(self) -> dict[int, int]:
        return {self.rtp.fileno(): READ, self.rtcp.fileno(): READ}

    def punch(self, server: tuple[int, int] | None) -> None:
        """Send something to the camera's ports: firewalls on the way let answers in."""
        self._server = server
        if server:
            # An RTP header without a payload, and an empty receiver report (RFC 3550, section 6.4.2).
            self._send(self.rtp, b"\x80\x00" + bytes(10), server[0])
            self.report(b"\x80\xc9\x00\x01" + bytes(4))

    def allow(self, sender: str) -> None:
        """Take packets from this address, too: the camera said that it sends from there."""
        self._senders.add(sender)

    def report(self, data: bytes) -> None:
        if self._server:
            self._send(self.rtcp, data, self._server[1])

    def _send(self, sock: socket.socket, data: bytes, port: int) -> None:
        with contextlib.suppress(OSError):  # a full buffer or no way: one datagram more that did not arrive
            sock.sendto(data, (self._peer, port))

    def read(self, sock: socket.socket) -> Iterator[memoryview]:
        """The datagrams that are there; each is good until the next one."""
        for _ in range(MOST_AT_ONCE):
            try:
                count, sender = sock.recvfrom_into(self._buffer)
            except BlockingIOError:
                return
            except ConnectionRefusedError:  # an answer to our own packets, by ICMP
                continue
            if sender[0] in self._senders:
                yield self._view[:count]

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def _pair(family: int, here: str) -> tuple[socket.socket, socket.socket]:
    for _ in range(TRIES):
        first, second = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
        try:
            first.bind((here, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((here, port + 1))
                for sock in (first, second):
                    sock.setblocking(False)
                first.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                return first, second
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EINVAL, errno.EOVERFLOW):
                first.close()
                second.close()
                raise
        except OverflowError:  # 65535 and the next one
            pass
        first.close()
        second.close()
    raise OSError(errno.EADDRINUSE, "no pair of UDP ports is free")
