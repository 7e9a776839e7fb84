"""An RTSP camera that does as a test says: real sockets, and whatever answers and packets the test wants."""

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamer.fakecam.clip import AccessUnit
from streamer.fakecam.rtp import payloads

SDP = (
    "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=control:t\r\n"
)


@dataclass
class Asked:
    """One request."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def cseq(self) -> str:
        return self.headers["cseq"]


def reply(asked: Asked, status: str = "200 OK", body: str = "", **headers: str) -> bytes:
    lines = [f"RTSP/1.0 {status}", f"CSeq: {asked.cseq}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def usual(asked: Asked) -> bytes:
    """What a camera answers when all is well, over TCP."""
    if asked.method == "OPTIONS":
        return reply(asked, Public="OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
    if asked.method == "DESCRIBE":
        return reply(asked, body=SDP, Content_Type="application/sdp")
    if asked.method == "SETUP":
        return reply(asked, Session="abc;timeout=60", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
    return reply(asked)


def rtp(units: Sequence[AccessUnit], number: int = 0, stamp: int = 0, ssrc: int = 7) -> list[bytes]:
    """Access units as RTP packets of payload type 96."""
    made = []
    for unit in units:
        bodies = [part for nal in unit.nals for part in payloads(nal)]
        for place, body in enumerate(bodies, 1):
            marker = (place == len(bodies)) << 7
            ticks = stamp + unit.ticks & 0xFFFFFFFF
            made.append(struct.pack("!BBHII", 0x80, marker | 96, number & 0xFFFF, ticks, ssrc) + body)
            number += 1
    return made


def interleaved(packet: bytes, channel: int = 0) -> bytes:
    return struct.pack("!BBH", 0x24, channel, len(packet)) + packet


@dataclass
class Scripted:
    """Serves each connection in a thread. `answers` may return None to say nothing.

    `plays` is called once PLAY was answered; the connection closes when it returns, unless `stays`.
    """

    answers: Callable[[Asked], bytes | None] = usual
    plays: Callable[[socket.socket], None] | None = None
    accepts: Callable[[int], bool] = lambda number: True  # False: the connection is mute
    stays: bool = False
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Scripted":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"rtsp://127.0.0.1:{self.port}/cam"
        self._threads = [threading.Thread(target=self._accept)]
        self._open: list[socket.socket] = []
        self._threads[0].start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.released.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            self._open.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock, number))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        if not self.accepts(number):
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError):
            for asked in requests(sock):
                self.asked.append(asked)
                answer = self.answers(asked)
                if answer is not None:
                    sock.sendall(answer)
                if asked.method == "PLAY" and self.plays is not None:
                    self.plays(sock)
                    if not self.stays:
                        break
        if not self.stays:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def requests(sock: socket.socket) -> Iterator[Asked]:
    """A client's requests; its RTCP is thrown away."""
    data = b""
    while received := sock.recv(65_536):
        data += received
        while data:
            if data[:1] == b"$":
                if len(data) < 4 or len(data) < 4 + int.from_bytes(data[2:4], "big"):
                    break
                data = data[4 + int.from_bytes(data[2:4], "big") :]
                continue
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                break
            data = rest
            line, *lines = head.decode().split("\r\n")
            match = re.fullmatch(r"(\S+) (\S+) RTSP/1.0", line)
            assert match is not None
            pairs = (text.partition(": ") for text in lines)
            yield Asked(match[1], match[2], {name.lower(): value for name, _, value in pairs})
