"""What a web server answers: redirects followed, passwords given, and nothing read of the body yet."""

import contextlib
import http.client
import io
import select
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

from streamer.rtsp.auth import Login, best_challenge
from streamer.rtsp.connection import tls
from streamer.rtsp.message import CODING
from streamer.sources.address import Address, Kind
from streamer.sources.causes import silence
from streamer.sources.untold import untold
from streamer.sources.web_causes import headless, refused, sent_astray, sent_on

MOST_REDIRECTS = 5
_AS_WRITTEN = "%/:=&?~#+!$,;'@()*[]"  # RFC 3986, section 2.2; other letters are encoded as UTF-8
LARGEST_HEAD_BYTES = 262_144
_REDIRECTS = (301, 302, 303, 307, 308)
# RFC 9110, section 8.4.1. Whatever else a camera says there, it sends its pictures as they are.
_COMPRESSIONS = ("gzip", "deflate", "compress", "br", "zstd")
# Of what is called so, nobody makes Motion JPEG; what is asked for twice may be handed out only once.
_NEVER_MJPEG = (".m3u8", ".ts", ".flv", ".mp4", ".mkv", ".webm")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still to be read. `close`, from any thread, ends reading."""

    status: int
    kind: str  # its Content-Type, without parameters
    response: http.client.HTTPResponse
    sock: socket.socket
    body: "Body"

    @property
    def challenges(self) -> list[str]:
        """How it wants to be told the password."""
        # http.client takes bytes for Latin-1.
        told = self.response.headers.get_all("WWW-Authenticate", [])
        return [line.encode("latin-1").decode(*CODING) for line in told]

    @property
    def compression(self) -> str | None:
        """How its body is compressed; None where it is not."""
        headers = self.response.headers
        told = [*headers.get_all("Content-Encoding", []), *headers.get_all("Transfer-Encoding", [])]
        words = {word.strip().lower().removeprefix("x-") for line in told for word in line.split(",")}
        return next((one for one in _COMPRESSIONS if one in words), None)

    @property
    def waits(self) -> bool:
        """Whether there is more to read at once."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def shut(self) -> None:
        """End reading, from any thread."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut()
        self.response.close()
        self.sock.close()


class Body(io.RawIOBase):
    """Reads from a socket until a time: somebody may send a line's letters one by one."""

    def __init__(self, sock: socket.socket, end_s: float) -> None:
        self._sock = sock
        self._end_s = end_s  # monotonic
        self._left: int | None = LARGEST_HEAD_BYTES

    def headed(self) -> None:
        """The head is over; what comes now has no end."""
        self._left = None

    def within(self, timeout_s: float) -> None:
        """What is read next may take so long, from now on."""
        self._end_s = time.monotonic() + timeout_s

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        left_s = self._end_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self._sock.settimeout(left_s)
        count = self._sock.recv_into(buffer)
        if self._left is not None:
            self._left -= count
            if self._left < 0:
                raise http.client.LineTooLong("head")
        return count


class _Readable:
    """What http.client wants of a socket once it has asked."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._body)

    def close(self) -> None:
        """Whoever has the answer closes it."""


def proxied(address: Address) -> bool:
    """True where the environment names a proxy for it: FFmpeg knows how to talk to those, we do not."""
    return "http" in getproxies() and not proxy_bypass(urlsplit(address.text).hostname or "")


def may_be_mjpeg(address: Address) -> bool:
    """Whether it is worth a request of its own to find out."""
    web = address.kind in (Kind.HTTP, Kind.HTTPS)
    named = urlsplit(address.text).path.lower().endswith(_NEVER_MJPEG)
    return web and not named and not proxied(address)


def ask(address: Address, timeout_s: float, *, digest_only: bool = False) -> Answer | None:
    """What stands at an http or https address; None where nothing that can be used here.

    Certificates are not verified. The password goes only to the host that it was given for, never from
    https to http; with `digest_only` it is never told itself. Raises SourceError where what is wrong is
    certain: no answer in time, a password that is refused, redirects without an end.
    """
    parts, end_s, status = urlsplit(address.text), time.monotonic() + timeout_s, 0
    user, password, host = parts.username, parts.password or "", parts.hostname
    for _ in range(MOST_REDIRECTS + 1):
        ours = user is not None and parts.hostname == host
        login = Login(unquote(user or ""), unquote(password)) if ours else None
        try:
            answer = _get(parts, login, end_s, digest_only=digest_only)
        except TimeoutError:
            raise silence(address, timeout_s) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            # One that is none of its kinds says that there are too many headers.
            if isinstance(error, http.client.LineTooLong) or type(error) is http.client.HTTPException:
                raise headless(address) from None
            return None  # whoever asks next says why
        status = answer.status
        if status == 200:
            return answer
        there = _elsewhere(parts, answer.response.headers.get("Location", ""))
        answer.close()
        if status == 401:
            known = best_challenge(answer.challenges) is not None
            hidden = best_challenge(answer.challenges, digest_only=digest_only) is not None
            if login is not None and known and not hidden:
                raise untold(address)
            raise refused(address, given=user is not None, ours=login is not None, known=known)
        if status not in _REDIRECTS:
            return None
        if there is None:
            raise sent_astray(address, status)
        parts = there
    raise sent_on(address, status)


def _get(parts: SplitResult, login: Login | None, end_s: float, *, digest_only: bool) -> Answer:
    target = quote((parts.path or "/") + f"?{parts.query}" * bool(parts.query), safe=_AS_WRITTEN)
    answer = _once(parts, target, {}, end_s)
    if answer.status == 401 and login is not None:
        challenge = best_challenge(answer.challenges, digest_only=digest_only)
        if challenge is not None:
            answer.close()
            login.asked(challenge)
            said = (login.header("GET", target) or "").encode(*CODING)
            answer = _once(parts, target, {"Authorization": said}, end_s)
    return answer


def _once(parts: SplitResult, target: str, headers: dict[str, bytes], end_s: float) -> Answer:
    left_s = end_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    host = parts.hostname or ""
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, parts.port, timeout=left_s, context=tls())
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=left_s)
    said = {"User-Agent": b"freshframe", "Connection": b"close", **headers}
    connection.connect()
    sock = connection.sock
    try:
        connection.request("GET", target, headers=cast(Any, said))  # bytes may be; they are sent as they are
        body = Body(sock, end_s)
        connection.sock = cast(Any, _Readable(body))
        response = connection.getresponse()
        body.headed()
    except BaseException:
        sock.close()
        raise
    return Answer(response.status, response.headers.get_content_type(), response, sock, body)


def _elsewhere(here: SplitResult, location: str) -> SplitResult | None:
    """Where a redirect leads; None where we may not go."""
    try:
        there = urlsplit(urljoin(here.geturl(), location))
        allowed = ("https",) if here.scheme == "https" else ("http", "https")
        return there if location and there.scheme in allowed and there.hostname and there.port != 0 else None
    except ValueError:
        return None
