"""RTSP 1.0 requests and replies (RFC 2326), read with bounds on everything a client may send."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LARGEST_HEAD_BYTES = 16_384  # also the connection's StreamReader limit
LARGEST_BODY_BYTES = 4_096  # keep-alives have a few bytes of parameters
REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
}

_REQUEST_LINE = re.compile(r"([A-Z_]{1,32}) (\S{1,2048}) RTSP/1\.0")
_HEADER_LINE = re.compile(r"([A-Za-z0-9-]{1,64}):[ \t]*(.*)")


class BadRequest(Exception):
    """What came is not RTSP 1.0 or is too long; the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request; its body, if any, was thrown away."""

    method: str
    url: str
    path: str  # of the url, without a slash at its end
    headers: Mapping[str, str]  # names in lower case

    @property
    def cseq(self) -> str:
        return self.headers["cseq"]


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request, or None for an interleaved packet (a client's RTCP: a sign of life).

    Raises BadRequest, and asyncio.IncompleteReadError or ConnectionError where the client has gone.
    """
    first = await reader.readexactly(1)
    while first in b"\r\n":  # some clients end a body with an empty line too many
        await asyncio.sleep(0)  # and one that sends nothing else does not keep the cameras waiting
        first = await reader.readexactly(1)
    if first == b"$":
        head = await reader.readexactly(3)
        await reader.readexactly(int.from_bytes(head[1:], "big"))
        return None
    if not first.isupper():
        raise BadRequest
    line = _REQUEST_LINE.fullmatch(await _line(reader, first))
    if line is None:
        raise BadRequest
    method, url = line.groups()
    headers = await _headers(reader)
    length = headers.get("content-length", "0")
    if not re.fullmatch(r"\d{1,6}", length) or int(length) > LARGEST_BODY_BYTES:
        raise BadRequest
    await reader.readexactly(int(length))
    try:
        path = urlsplit(url).path.rstrip("/")
    except ValueError as error:
        raise BadRequest from error
    return Request(method, url, path, headers)


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    left_bytes = LARGEST_HEAD_BYTES
    while text := await _line(reader):
        left_bytes -= len(text)
        line = _HEADER_LINE.fullmatch(text)
        if line is None or left_bytes < 0:
            raise BadRequest
        headers[line[1].lower()] = line[2].strip()
    if not re.fullmatch(r"\d{1,10}", headers.get("cseq", ""), re.ASCII):
        raise BadRequest
    return headers


async def _line(reader: asyncio.StreamReader, begun: bytes = b"") -> str:
    try:
        return (begun + await reader.readuntil(b"\n")).rstrip(b"\r\n").decode("ascii")
    except (asyncio.LimitOverrunError, UnicodeDecodeError) as error:
        raise BadRequest from error


def reply(status: int, headers: Mapping[str, str], body: str = "", more: tuple[str, ...] = ()) -> bytes:
    """A reply; `more` are whole header lines, for names that stand there twice."""
    lines = [f"RTSP/1.0 {status} {REASONS[status]}", "Server: freshframe"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += more
    if body:
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
