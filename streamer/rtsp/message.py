"""RTSP messages as a client sees them (RFC 2326): replies, and requests of the camera's own."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from streamer.rtsp.failures import Unreadable

LARGEST_HEAD_BYTES = 65_536
LARGEST_BODY_BYTES = 262_144
LARGEST_LINE_BYTES = 4096  # of a header
MOST_HEADERS = 200
# Makers put their names there in whatever encoding they use; what is given back is what came.
CODING = "utf-8", "surrogateescape"

_STATUS_LINE = re.compile(r"RTSP/[12]\.\d (\d{3})(?: .*)?")
_REQUEST_LINE = re.compile(r"([A-Z_]{1,32}) \S{1,4096} RTSP/[12]\.\d")
_HEADER_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})[ \t]*:[ \t]*(.*)")
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Message:
    """A reply (`status`) or a request of the camera (`method`); the other one is 0 or empty."""

    status: int
    method: str
    headers: Mapping[str, tuple[str, ...]]  # names in lower case; some stand there twice
    body: bytes

    def header(self, name: str) -> str:
        """The first header of this name, empty where there is none."""
        return self.headers.get(name, ("",))[0]

    @property
    def cseq(self) -> int | None:
        text = self.header("cseq")
        return int(text) if re.fullmatch(r"[0-9]{1,10}", text) else None


def read_message(data: bytes | bytearray, start: int, end: int) -> tuple[Message, int] | None:
    """The message that begins at `start` and where it ends; None while it is not complete.

    Raises Unreadable for what is no RTSP, or too long.
    """
    first = data[start]
    if not (0x41 <= first <= 0x5A):
        raise Unreadable("what came is not RTSP")
    found = _END.search(data, start, min(end, start + LARGEST_HEAD_BYTES))
    if found is None:
        if end - start >= LARGEST_HEAD_BYTES:
            raise Unreadable("a reply without end")
        if end - start >= 5 and not re.match(rb"[A-Z_]+[ /]|[A-Z_]{5,32}$", bytes(data[start : start + 33])):
            raise Unreadable("what came is not RTSP")
        return None
    lines = bytes(data[start : found.start()]).decode(*CODING).replace("\r\n", "\n").split("\n")
    headers = _headers(lines[1:])
    length = headers.get("content-length", ("0",))[0]
    if not re.fullmatch(r"[0-9]{1,7}", length) or int(length) > LARGEST_BODY_BYTES:
        raise Unreadable(f"a body of more than {LARGEST_BODY_BYTES} bytes")
    body_end = found.end() + int(length)
    if body_end > end:
        return None
    body = bytes(data[found.end() : body_end])
    if status := _STATUS_LINE.fullmatch(lines[0]):
        return Message(int(status[1]), "", headers, body), body_end
    if request := _REQUEST_LINE.fullmatch(lines[0]):
        return Message(0, request[1], headers, body), body_end
    raise Unreadable("what came is not RTSP")


def _headers(lines: list[str]) -> dict[str, tuple[str, ...]]:
    if len(lines) > MOST_HEADERS:
        raise Unreadable("a reply with too many headers")
    headers: dict[str, tuple[str, ...]] = {}
    name = ""
    for text in lines:
        if text[:1] in (" ", "\t") and name:  # folded, RFC 2326 section 4.2
            *before, last = headers[name]
            if len(last) + len(text) <= LARGEST_LINE_BYTES:
                headers[name] = (*before, f"{last} {text.strip()}")
            continue
        line = _HEADER_LINE.fullmatch(text) if len(text) <= LARGEST_LINE_BYTES else None
        if line is None:  # some cameras have one that is odd; what we need stands in the others
            name = ""
            continue
        name = line[1].lower()
        headers[name] = (*headers.get(name, ()), line[2].strip())
    return headers


def request(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """A request of ours, without a body."""
    lines = [f"{method} {url} RTSP/1.0", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode(*CODING)


def answer(call: Message) -> bytes:
    """The reply to a request of the camera: nothing that it may ask for is done here but to be alive."""
    status = (
        "200 OK" if call.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER") else "501 Not Implemented"
    )
    cseq = f"CSeq: {call.cseq}\r\n" if call.cseq is not None else ""
    return f"RTSP/1.0 {status}\r\n{cseq}\r\n".encode()
