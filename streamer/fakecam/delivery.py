"""How packets reach one client: in its RTSP connection, or as datagrams. Neither ever waits."""

import socket
import struct
from collections.abc import Sequence
from typing import Any, Protocol

from streamer.fakecam.outlet import Outlet
from streamer.serving.listening import PortPair


class Delivery(Protocol):
    """One client's way. Packets that cannot go are lost, as on a network; memory stays bounded."""

    paced: bool  # bursts are to be spread: a datagram that finds the buffer full is gone

    def backlog_bytes(self) -> int:
        """What was handed over and has not reached the kernel yet."""

    def rtp(self, packets: Sequence[bytes]) -> None: ...

    def rtcp(self, packet: bytes) -> None: ...


class Interleaved:
    """RTP in the RTSP connection, RFC 2326 section 10.12. The camera watches the backlog."""

    paced = False

    def __init__(self, outlet: Outlet, channels: tuple[int, int]) -> None:
        self._outlet = outlet
        self._rtp_channel, self._rtcp_channel = channels

    def backlog_bytes(self) -> int:
        return self._outlet.backlog_bytes()

    def rtp(self, packets: Sequence[bytes]) -> None:
        channel = self._rtp_channel
        self._outlet.write(b"".join(_interleaved(channel, packet) for packet in packets))

    def rtcp(self, packet: bytes) -> None:
        self._outlet.write(_interleaved(self._rtcp_channel, packet))


def _interleaved(channel: int, packet: bytes) -> bytes:
    return struct.pack("!BBH", 0x24, channel, len(packet)) + packet


class Datagrams:
    """RTP and RTCP over UDP, from the server's pair of ports to the client's."""

    paced = True

    def __init__(self, ports: PortPair, rtp_address: Any, rtcp_address: Any) -> None:
        self._ports = ports
        self._rtp_address = rtp_address
        self._rtcp_address = rtcp_address

    def backlog_bytes(self) -> int:
        return 0

    def rtp(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            _send(self._ports.rtp, packet, self._rtp_address)

    def rtcp(self, packet: bytes) -> None:
        _send(self._ports.rtcp, packet, self._rtcp_address)


def _send(sock: socket.socket, packet: bytes, address: Any) -> None:
    try:
        sock.sendto(packet, address)
    except OSError:
        return  # a full buffer or no way to the client: a datagram more that did not arrive
