"""Whole JPEG pictures out of a stream of bytes, with anything between them (ITU-T T.81, annex B)."""

import re

# A picture of 100 million pixels in good quality; nobody gets us to hold more.
LARGEST_BYTES = 32_000_000
# So many in a row come to nothing where somebody means harm, or sends something else.
MOST_BROKEN = 5000
_BEGIN = b"\xff\xd8\xff"
_END, _SCAN = 0xD9, 0xDA
# Start-of-frame markers: table B.1, without DHT, JPG and DAC. One component takes 11 bytes.
_FRAMES, _SHORTEST_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}, 11
# In coded data: what is neither a stuffed byte, nor a fill byte, nor a restart.
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class Jpegs:
    """Used in one thread. A picture ends where its own end marker is, whatever is said about its length.

    `broken` counts the pictures that another one began in, or that can show nothing. Raises ValueError for
    one that is too large, and where nothing else comes.
    """

    def __init__(self) -> None:
        self.broken = 0
        self._in_a_row = 0
        self._data = bytearray()
        self._at = 0  # of the picture that `_data` begins with; 0: there is none yet
        self._framed = self._scanned = False  # what it has had of what each picture has
        self._coded = False  # what comes next is coded data, not a marker

    def add(self, data: bytes) -> list[bytes]:
        """The pictures that these bytes complete."""
        self._data += data
        found = []
        while self._begun() and (length := self._length()) is not None:
            if length:
                found.append(bytes(self._data[:length]))
                self._in_a_row = 0
            elif self._in_a_row == MOST_BROKEN:
                raise ValueError(f"{MOST_BROKEN} pictures begin, and no whole picture comes")
            else:
                self.broken += 1
                self._in_a_row += 1
            del self._data[: length or 2]
            self._at = 0
        if len(self._data) > LARGEST_BYTES:
            raise ValueError(f"a picture of more than {LARGEST_BYTES} bytes")
        return found

    def _begun(self) -> bool:
        if self._at:
            return True
        start = self._data.find(_BEGIN)
        if start < 0:
            del self._data[: max(0, len(self._data) - len(_BEGIN) + 1)]
            return False
        del self._data[:start]
        self._at = 2
        self._framed = self._scanned = self._coded = False
        return True

    def _length(self) -> int | None:
        """How long the picture is; None where its end has not come yet, 0 where it is none."""
        data = self._data
        while True:
            if self._coded:
                found = _MARKER.search(data, self._at)
                if found is None:
                    self._at = max(self._at, len(data) - 1)
                    return None
                self._at, self._coded = found.start(), False
            if len(data) < self._at + 2:
                return None
            marker = data[self._at + 1]
            if marker == _END:
                return self._at + 2 if self._framed and self._scanned else 0
            if data[self._at] != 0xFF or marker in (0x00, 0xD8):
                return 0
            if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD7:  # fill, or without a length
                self._at += 1 if marker == 0xFF else 2
                continue
            if len(data) < self._at + 4:
                return None
            size = data[self._at + 2] << 8 | data[self._at + 3]
            if size < 2:
                return 0
            self._at += 2 + size
            self._framed = self._framed or (marker in _FRAMES and size >= _SHORTEST_FRAME)
            self._coded = marker == _SCAN
            self._scanned = self._scanned or self._coded
