"""Whether a camera's JPEG is whole, without decoding it. ITU-T T.81, annex B."""

import re
import struct
from dataclasses import dataclass

# Start-of-frame markers: table B.1, without DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, b"\xff\xd9"
# In a scan 0xFF is followed by 0; anything else is a marker, and only those of restarts belong there.
_MARKER = re.compile(rb"\xff([^\x00\xff])")
_RESTARTS = bytes(range(0xD0, 0xD8))  # they count modulo 8: B.2.1


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A picture's size in pixels, and its bytes up to its end, or as far as they go."""

    size: tuple[int, int]
    data: bytes
    whole: bool


def read_jpeg(data: bytes) -> Jpeg:
    """Its header, and whether it goes to its end with nothing missing that shows.

    Raises ValueError where it has no header that can be read.
    """
    try:
        size, scan = _header(data)
    except (struct.error, IndexError):
        raise ValueError("cut off in its header") from None
    end = data.find(_END, scan)
    if end < 0:
        return Jpeg(size, data, whole=False)
    restarts = b"".join(_MARKER.findall(data, scan, end))
    whole = restarts == (_RESTARTS * (len(restarts) // 8 + 1))[: len(restarts)]
    return Jpeg(size, data[: end + 2], whole)  # cameras fill their buffers with what was there before


def _header(data: bytes) -> tuple[tuple[int, int], int]:
    """Width and height, and where the scan's data begin."""
    if not data.startswith(b"\xff\xd8"):
        raise ValueError("no JPEG")
    size, position = None, 2
    while True:
        marker, length = struct.unpack_from(">xBH", data, position)
        if data[position] != 0xFF or length < 2:
            raise ValueError("damaged")
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            size = width, height
        position += 2 + length
        if marker == _SCAN:
            break
    if size is None or 0 in size:
        raise ValueError("no size")
    return size, position
