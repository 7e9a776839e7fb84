"""RTSP in a byte stream, taken apart as far as a proxy needs and put together again unchanged."""

import re
from collections.abc import Callable, Iterator

LARGEST_HEAD_BYTES = 16 * 1024
LARGEST_BODY_BYTES = 256 * 1024  # of a description; longer ones pass as they are

DOLLAR = 0x24  # begins an interleaved packet, RFC 2326 section 10.12

_START = re.compile(rb"[A-Z_]{1,32} \S+ RTSP/\d\.\d|RTSP/\d\.\d \d{3}")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEAD_END_BYTES = 4  # at the most
_EMPTY_LINES = re.compile(rb"[\r\n]+")


class NotRtsp(Exception):
    """What came is not RTSP; `rest` is what was not passed on because of that."""

    def __init__(self, rest: bytes) -> None:
        super().__init__("not RTSP")
        self.rest = rest


class Message:
    """A request or reply. Headers keep their order and spelling; what is not changed stays as it came."""

    def __init__(self, head: bytes) -> None:
        self.start, *self._lines = re.split(r"\r?\n", head.decode("latin-1"))
        self.body = b""

    def get(self, name: str) -> str | None:
        """The first header of that name."""
        for line in self._lines:
            found, colon, value = line.partition(":")
            if colon and found.strip().lower() == name.lower():
                return value.strip()
        return None

    def put(self, name: str, value: str) -> None:
        """Change all headers of that name."""
        self._lines = [
            f"{line.partition(':')[0]}: {value}"
            if line.partition(":")[0].strip().lower() == name.lower()
            else line
            for line in self._lines
        ]

    @property
    def method(self) -> str | None:
        """Of a request; None for a reply."""
        return None if self.start.startswith("RTSP/") else self.start.partition(" ")[0]

    @property
    def url(self) -> str:
        """Of a request."""
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """Of a reply."""
        return int(self.start[len("RTSP/1.0 ") :][:3])

    @property
    def body_bytes(self) -> int:
        """How long the body is by its header."""
        length = self.get("content-length") or "0"
        return int(length) if re.fullmatch(r"\d{1,9}", length, re.ASCII) else 0

    def encoded(self) -> bytes:
        if self.body:
            self.put("Content-Length", str(len(self.body)))
        return "\r\n".join([self.start, *self._lines, "", ""]).encode("latin-1") + self.body


class Splitter:
    """Finds the messages in what one side sends, lets `change` at them, and passes the rest on as it is.

    Interleaved packets and long bodies pass as they come, without being gathered. Memory is bounded.
    """

    def __init__(self, change: Callable[[Message], None]) -> None:
        self._change = change
        self._gathered = b""
        self._at = 0
        self._pass_bytes = 0  # that are of no interest
        self._searched_bytes = 0  # of a head that has begun: its end is not there
        self._message: Message | None = None  # whose body is awaited

    def feed(self, data: bytes) -> bytes:
        """What is to be passed on now. Raises NotRtsp; nothing more is to be fed then."""
        self._gathered, self._at = self._gathered[self._at :] + data, 0
        out: list[bytes] = []
        try:
            out.extend(self._parts())
        except NotRtsp as error:
            raise NotRtsp(b"".join([*out, error.rest])) from error
        return b"".join(out)

    def _parts(self) -> Iterator[bytes]:
        while self._left_bytes:
            first = self._gathered[self._at]
            if self._pass_bytes:
                part = self._taken(min(self._pass_bytes, self._left_bytes))
                self._pass_bytes -= len(part)
                yield part
            elif self._message is not None:
                if self._left_bytes < self._message.body_bytes:
                    return
                message, self._message = self._message, None
                message.body = self._taken(message.body_bytes)
                yield self._changed(message)
            elif first == DOLLAR:
                self._pass_bytes = self._packets_bytes()
                if not self._pass_bytes:
                    return
            elif empty := _EMPTY_LINES.match(self._gathered, self._at):
                self._pass_bytes = len(empty[0])
            else:
                head = self._head()
                if head is None:
                    return
                if 0 < head.body_bytes <= LARGEST_BODY_BYTES:
                    self._message = head
                else:
                    self._pass_bytes = head.body_bytes
                    yield self._changed(head)

    @property
    def _left_bytes(self) -> int:
        return len(self._gathered) - self._at

    def _packets_bytes(self) -> int:
        """How long the interleaved packets are that begin here, the rest of the last one included.

        0 where not even the first one's head has come. All at once: a peer may send thousands of empty ones.
        """
        data, end = self._gathered, self._at
        while end + 4 <= len(data) and data[end] == DOLLAR:
            end += 4 + (data[end + 2] << 8 | data[end + 3])
        return end - self._at

    def _head(self) -> Message | None:
        """The message that begins here, without its body, or None where its end has not come yet."""
        hopeless = self._gathered.find(b"\n", self._at) >= 0 or not chr(self._gathered[self._at]).isupper()
        if hopeless and not _START.match(self._gathered, self._at):
            raise NotRtsp(self._gathered[self._at :])
        # What was searched before is not searched again: heads may come byte by byte.
        new_bytes = max(0, self._searched_bytes - (_HEAD_END_BYTES - 1))
        end = _HEAD_END.search(self._gathered, self._at + new_bytes)
        if end is None:
            if self._left_bytes > LARGEST_HEAD_BYTES:
                raise NotRtsp(self._gathered[self._at :])
            self._searched_bytes = self._left_bytes
            return None
        self._searched_bytes = 0
        return Message(self._taken(end.end() - self._at).rstrip(b"\r\n"))

    def _changed(self, message: Message) -> bytes:
        self._change(message)
        return message.encoded()

    def _taken(self, size_bytes: int) -> bytes:
        part = self._gathered[self._at : self._at + size_bytes]
        self._at += len(part)
        return part
