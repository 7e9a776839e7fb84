"""A picture's size out of its header: what decides it must be what decides it for whoever decodes it."""

import struct

import cv2
import numpy as np
import pytest

from streamer.sources.image_header import picture_size


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "fields",
    [
        # Whoever decodes it takes the first one: 1 GB of pixels out of a file of 3 kB.
        [(256, 4, 1, 16_000), (256, 4, 1, 20), (257, 4, 1, 16_000), (257, 4, 1, 20)],
        [(256, 16, 1, 20), (257, 16, 1, 20)],  # 64 bits: this is where they lie
        [(256, 4, 2, 20), (257, 4, 2, 20)],
        [(256, 1, 1, 20), (257, 1, 1, 20)],
        [(256, 4, 1, 20), (257, 4, 1, 20), (322, 4, 1, 16_000), (323, 4, 1, 16_000)],  # its only tile
    ],
    ids=["twice", "elsewhere", "several", "bytes", "tile"],
)
def test_a_tiff_that_is_larger_than_it_seems_is_none(fields: list[tuple[int, ...]], order: str) -> None:
    head = struct.pack(f"{order}2sHIH", b"II" if order == "<" else b"MM", 42, 8, len(fields))
    with pytest.raises(ValueError, match="damaged"):
        picture_size(head + b"".join(struct.pack(f"{order}HHII", *field) for field in fields) + bytes(100))


def jpeg() -> tuple[bytes, int, int]:
    """One, and where its frame header and its scan begin."""
    data = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    return data, data.index(b"\xff\xc0"), data.index(b"\xff\xda")


@pytest.mark.parametrize("marker", [0x00, 0x01, 0x02, 0xD0, 0xD7, 0xD8, 0xD9, 0xF0])
def test_a_jpeg_that_hides_another_behind_what_has_no_length_is_none(marker: int) -> None:
    """Decoders skip these, or take them for filling, and find the larger one: 1.3 GB out of 3 kB."""
    data, frame, scan = jpeg()
    hidden = bytearray(data[2:])
    hidden[frame - 2 + 5 : frame - 2 + 9] = struct.pack(">HH", 15_000, 15_000)
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(hidden) + 2) + hidden
    with pytest.raises(ValueError, match="damaged"):
        picture_size(data[:2] + segment + data[frame:scan] + data[scan:])


def test_a_jpeg_with_filling_and_a_comment_has_its_size() -> None:
    data, _, _ = jpeg()
    assert picture_size(data[:2] + b"\xff\xff\xff\xfe\x00\x03x" + data[2:]) == (64, 48)


def test_a_webp_of_a_chunk_that_nobody_knows_is_none() -> None:
    """libwebp takes it for the picture itself, whose size lies elsewhere."""
    raw = b"\x10\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 16_000, 16_000) + bytes(4)
    raw += struct.pack("<HH", 20, 20) + bytes(20)
    with pytest.raises(ValueError, match="not a picture"):
        picture_size(b"RIFF" + struct.pack("<I", 4 + len(raw)) + b"WEBP" + raw)
