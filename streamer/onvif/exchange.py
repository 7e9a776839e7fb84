"""One request over HTTP, and its answer: in a bounded time, of a bounded size, and from nowhere else."""

import http.client
import io
import select
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from streamer.errors import Cause, SourceError
from streamer.onvif.markup import LARGEST_BYTES
from streamer.rtsp.connection import tls
from streamer.rtsp.message import CODING

MOST_BYTES = LARGEST_BYTES + 65_536  # the head too
_EVENTS = {ssl.SSLWantReadError: select.POLLIN, ssl.SSLWantWriteError: select.POLLOUT}


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    challenges: tuple[str, ...]  # WWW-Authenticate
    body: bytes


def post(url: str, body: bytes, deadline: float, headers: Mapping[str, str]) -> Reply:
    """POST it, and read the answer until `deadline` (of time.monotonic) at the latest. Blocks.

    Certificates are not verified, for cameras sign their own. Redirects are not followed. Raises SourceError.
    """
    parts = urlsplit(url)
    place = parts.netloc
    host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = {
        "Host": place,
        "User-Agent": "freshframe",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    try:
        sock = socket.create_connection((host, port), max(0.001, deadline - time.monotonic()))
        with _Wire(sock, deadline) as wire:
            if parts.scheme == "https":
                wire.encrypt(host)
            wire.sendall(f"{head}\r\n".encode(*CODING) + body)
            return _read(wire)
    except TimeoutError:
        raise SourceError(Cause.SILENCE, f"{place}: does not answer in time") from None
    except ConnectionRefusedError:
        raise SourceError(Cause.NETWORK, f"{place}: refuses the connection") from None
    except (socket.gaierror, UnicodeError):
        raise SourceError(Cause.NETWORK, f"{place}: there is no such host") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise SourceError(Cause.NETWORK, f"{place}: {why}") from None
    except (http.client.HTTPException, ValueError):
        raise SourceError(Cause.NOT_FOUND, f"{place}: what it answers is no HTTP") from None


def _read(wire: "_Wire") -> Reply:
    response = http.client.HTTPResponse(wire, method="POST")  # type: ignore[arg-type]  # needs makefile only
    response.begin()
    # Always with a limit: without one as much memory is taken as the head promises.
    body = response.read(LARGEST_BYTES + 1)
    # http.client takes bytes for Latin-1, and leaves a line that was folded as it came.
    challenges = [
        line.encode("latin-1").decode(*CODING).replace("\r", "").replace("\n", "")
        for line in response.headers.get_all("WWW-Authenticate") or []
    ]
    return Reply(response.status, tuple(challenges), body)


class _Wire(io.RawIOBase):
    """A socket whose every wait ends at one deadline, and that hands out so many bytes and no more."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._deadline = deadline
        self._left = MOST_BYTES

    def encrypt(self, host: str) -> None:
        """TLS from here on."""
        secure = tls().wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = secure
        while True:
            try:
                secure.do_handshake()
                break
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wants:
                self._wait(_EVENTS[type(wants)])

    def close(self) -> None:
        self._sock.close()
        super().close()

    def makefile(self, mode: str) -> io.BufferedReader:  # noqa: ARG002 - what http.client wants of a socket
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # what RawIOBase is given
        if self._left <= 0:
            raise ValueError("an answer without an end")
        while True:
            try:
                count = self._sock.recv_into(buffer, min(len(buffer), self._left))
                break
            except BlockingIOError:
                self._wait(select.POLLIN)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wants:
                self._wait(_EVENTS[type(wants)])
        self._left -= count
        return count

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError) as wants:
                self._wait(_EVENTS[type(wants)])

    def _wait(self, event: int) -> None:
        poll = select.poll()
        poll.register(self._sock.fileno(), event)
        if not poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
            raise TimeoutError
