"""A mark as black and white cells, and back: what is painted must be right to the last cell.

Eighty bits: camera (8), frame (24, Gray code, so that one cell changes from picture to picture), time
(32, units of 0.1 ms, 0 where it is not said), CRC-16 of these. A fixed pattern is laid over them, so that
neither darkness nor light nor stripes are ever a mark. Known cells stand before them, alternately black
and white: from them the reader learns what black and white look like.
"""

import struct
from binascii import crc_hqx

import numpy as np
from numpy.typing import NDArray

from streamer.watermark.mark import TIME_ROUND_NS, TIME_UNIT_NS, Mark

BITS = 80
FEWEST_KNOWN = 8

_CRC_START = 0xFFFF
_LAID_OVER = 0x243F6A8885A308D31319  # the first 80 binary digits of pi after the point


def cells_of(mark: Mark, known: int) -> NDArray[np.bool_]:
    """The cells in reading order, (known + BITS,) bool, True for white."""
    units = 0
    if mark.time_ns is not None:
        units = mark.time_ns % TIME_ROUND_NS // TIME_UNIT_NS or 1  # 0 means: not said
    gray = mark.frame ^ mark.frame >> 1
    said = struct.pack(">II", mark.camera << 24 | gray, units)
    word = int.from_bytes(said + crc_hqx(said, _CRC_START).to_bytes(2, "big"), "big") ^ _LAID_OVER
    bits = np.unpackbits(np.frombuffer(word.to_bytes(BITS // 8, "big"), np.uint8))
    return np.concatenate((known_cells(known), bits.astype(np.bool_)))


def mark_of(cells: NDArray[np.bool_]) -> Mark | None:
    """The mark that these cells say; None unless every one is right."""
    known, bits = cells[:-BITS], cells[-BITS:]
    if not np.array_equal(known, known_cells(len(known))):
        return None
    word = int.from_bytes(np.packbits(bits).tobytes(), "big") ^ _LAID_OVER
    data = word.to_bytes(BITS // 8, "big")
    said = data[:8]
    if crc_hqx(said, _CRC_START) != int.from_bytes(data[8:], "big"):
        return None
    head, units = struct.unpack(">II", said)
    return Mark(head >> 24, _from_gray(head & 0xFFFFFF), units * TIME_UNIT_NS if units else None)


def known_cells(count: int) -> NDArray[np.bool_]:
    """White, black, white…"""
    return np.tile((True, False), -(-count // 2))[:count]


def _from_gray(gray: int) -> int:
    for shift in (16, 8, 4, 2, 1):
        gray ^= gray >> shift
    return gray
