"""The size of a picture out of its first bytes, before anything is allocated for it."""

import struct
from collections.abc import Iterator

from streamer.sources import limits

_JPEG_END = b"\xff\xd9"
# Start-of-frame markers: ITU-T T.81, table B.1, without DHT, JPG and DAC.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_SCAN = 0xDA
# What has a length and may stand before the scan: DHT, DAC, DQT, DNL, DRI, applications' own, comments. What
# has none decoders skip, so a segment behind it would be no segment to them.
_JPEG_SEGMENTS = _JPEG_FRAMES | {0xC4, 0xCC, _JPEG_SCAN, 0xDB, 0xDC, 0xDD, 0xFE} | set(range(0xE0, 0xF0))

# Width and height, and those of its tiles, of which decoders take a whole one.
_TIFF_SIDES = (256, 257, 322, 323)


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels as stored, before any rotation.

    Raises ValueError where this is no JPEG, PNG, BMP, WebP or TIFF, or one that was cut off.
    """
    try:
        for magic, read in _READERS:
            if data.startswith(magic):
                return read(data)
    except (struct.error, IndexError):
        raise ValueError("cut off in its header") from None
    raise ValueError("not a picture")


def _jpeg(data: bytes) -> tuple[int, int]:
    size, position = None, 2
    while True:
        marker, length = struct.unpack_from(">xBH", data, position)
        if data[position] != 0xFF:
            raise ValueError("damaged")
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker not in _JPEG_SEGMENTS or length < 2:
            raise ValueError("damaged")
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            size = width, height
        if marker == _JPEG_SCAN:
            break
        position += 2 + length
    # Decoders fill what is missing with grey and say nothing.
    if size is None or data.find(_JPEG_END, position) < 0:
        raise ValueError("cut off")
    return size


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", data, 16)
    if b"IEND" not in data[-64:]:
        raise ValueError("cut off")
    return width, height


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header == 12 else "<ii", data, 18)
    return width, abs(height)


def _riff(data: bytes) -> tuple[int, int]:
    """WebP: RFC 9649, 2.4 to 2.7."""
    (length,) = struct.unpack_from("<I", data, 4)
    if data[8:12] != b"WEBP":
        raise ValueError("not a picture")
    if len(data) < length + 8:
        raise ValueError("cut off")
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind != b"VP8 ":
        raise ValueError("not a picture")
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff(data: bytes) -> tuple[int, int]:
    """TIFF 6.0, sections 2 and 15."""
    order = "<" if data.startswith(b"II") else ">"
    sides = [field for field in _tiff_fields(data, order) if field[0] in _TIFF_SIDES]
    size = dict(sides)
    # Of one that stands there twice decoders take the first, or the last.
    if len(size) < len(sides) or 256 not in size or 257 not in size:
        raise ValueError("damaged")
    if limits.too_large((size.get(322, 0), size.get(323, 0))):
        raise ValueError("damaged")
    return size[256], size[257]


def _tiff_fields(data: bytes, order: str) -> Iterator[tuple[int, int]]:
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    for position in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", data, position)
        if tag in _TIFF_SIDES and (kind not in (3, 4) or values != 1):  # SHORT or LONG: others lie elsewhere
            raise ValueError("damaged")
        (value,) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, position + 8)
        yield tag, value


_READERS = (
    (b"\xff\xd8", _jpeg),
    (b"\x89PNG\r\n\x1a\n", _png),
    (b"BM", _bmp),
    (b"RIFF", _riff),
    (b"II*\0", _tiff),
    (b"MM\0*", _tiff),
)
