"""Pictures through shared memory: whole and the right one, or Stale."""

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from streamer import ArrayPicture, LazyPicture, Stale
from streamer.isolation import planes
from streamer.isolation.messages import Form
from streamer.isolation.segment import MEMORY_LIMIT_BYTES, SLOTS, Reading, Writing, reserve, slots_for
from streamer.sources.decoded import DecodedPicture
from tests.running import environment

pytestmark = pytest.mark.timeout(60)
BYTES = 4096


@contextmanager
def slots(picture_bytes: int = BYTES) -> Iterator[tuple[Writing, Reading]]:
    descriptor = reserve(picture_bytes)
    try:
        yield Writing(descriptor, picture_bytes), Reading(descriptor, picture_bytes)
    finally:
        os.close(descriptor)


def put(writing: Writing, number: int) -> None:
    def fill(slot: NDArray[np.uint8]) -> None:
        slot[:BYTES] = number % 256

    writing.write(number, fill)


def take(slot: NDArray[np.uint8]) -> int:
    return int(slot[0])


def test_a_picture_is_there_until_its_slot_is_about_to_be_used_again() -> None:
    with slots() as (writing, reading):
        for number in range(1, 30):
            put(writing, number)
            held = [reading.holds(one) for one in range(1, number + 1)]
            assert sum(held) == min(number, SLOTS - 1)
            assert held == sorted(held), "the newest ones"
            assert reading.read(number, take) == number
            if number >= SLOTS:
                with pytest.raises(Stale, match="overwritten"):
                    reading.read(number - SLOTS + 1, take)


def test_a_picture_that_is_overwritten_while_it_is_copied_is_stale() -> None:
    with slots() as (writing, reading):
        put(writing, 1)

        def slow_copy(slot: NDArray[np.uint8]) -> int:
            for number in range(2, SLOTS + 1):
                put(writing, number)
            return int(slot[0])

        with pytest.raises(Stale):
            reading.read(1, slow_copy)


def test_the_reader_cannot_write_and_nobody_can_take_the_memory_away() -> None:
    descriptor = reserve(BYTES)
    reading = Reading(descriptor, BYTES)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)  # the reader would be killed by it
    os.close(descriptor)

    def scribble(slot: NDArray[np.uint8]) -> None:
        slot[0] = 1

    with pytest.raises(ValueError, match="read-only"):
        reading.read(0, scribble)


def test_memory_is_bounded_by_fewer_slots_and_then_by_refusing() -> None:
    assert slots_for(1) == SLOTS
    assert slots_for(150_000_000) == 3
    assert slots_for(MEMORY_LIMIT_BYTES // 3) == 0
    with pytest.raises(ValueError, match="must fit"):
        reserve(MEMORY_LIMIT_BYTES)


WRITER = """
import sys
from streamer.isolation.segment import Writing
writing = Writing(int(sys.argv[1]), int(sys.argv[2]))
print(flush=True)
for number in range(1, 1 << 62):
    writing.write(number, lambda slot: slot.view("int64").fill(number))
"""


def test_a_writer_at_full_speed_never_gives_a_torn_or_swapped_picture() -> None:
    luck, found = random.Random(1), Counter[str]()
    descriptor = reserve(BYTES)
    reading = Reading(descriptor, BYTES)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(descriptor), str(BYTES)],
        pass_fds=[descriptor],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    with writer:
        try:
            assert writer.stdout is not None
            writer.stdout.readline()
            newest = 1
            while found.total() < 100_000:
                while not reading.holds(newest):  # find out where it is: in the shared numbers themselves
                    newest = max(int(number) for number in reading._numbers)
                number = max(1, newest - luck.randrange(SLOTS))
                try:
                    seen = reading.read(number, lambda slot: slot.copy())
                except Stale:
                    found["stale"] += 1
                else:
                    found["whole" if (seen.view(np.int64) == number).all() else "wrong"] += 1
        finally:
            writer.kill()
            os.close(descriptor)
    assert found["wrong"] == 0, found
    assert min(found["whole"], found["stale"]) > 1000, found


# What the decoder left, and what comes out of the slot


def through(picture: DecodedPicture | ArrayPicture) -> tuple[Form, LazyPicture]:
    form, parts = planes.taken_apart(picture)
    size = planes.bytes_of(form)
    with slots(size) as (writing, reading):
        writing.write(1, lambda slot: planes.write(parts, form, slot))
        return form, planes.shared_picture(reading, 1, form)


def decoded(codec: str, pixels: str, size: tuple[int, int], **options: str) -> list[VideoFrame]:
    """Pictures of noise, through an encoder and a decoder."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate = pixels, Fraction(1, 30), Fraction(30)
    encoder.options = options
    noise, packets = np.random.default_rng(1), []
    for number in range(2):
        picture = noise.integers(0, 256, (size[1], size[0], 3), np.uint8)
        frame = VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pixels)
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create({"libx264": "h264", "libx265": "hevc"}.get(codec, codec), "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata = encoder.extradata
    return [frame for packet in [*packets, None] for frame in decoder.decode(packet)]


SILENT = {"x265-params": "log-level=none"}


@pytest.mark.parametrize(
    ("codec", "pixels", "size", "stays"),
    [
        ("libx264", "yuv420p", (160, 120), True),
        ("libx264", "yuv420p", (322, 242), True),
        ("libx264", "yuvj420p", (160, 120), True),
        ("libx264", "yuv422p", (162, 118), True),
        ("libx264", "yuv444p", (162, 118), True),
        ("libx264", "gray", (160, 120), True),
        ("libx265", "yuv420p", (322, 242), True),
        ("mjpeg", "yuvj420p", (160, 120), True),
        ("mjpeg", "yuvj422p", (1280, 720), True),
        # Converted where they were decoded: their colours' place between the pixels is told nowhere.
        ("libx264", "yuv420p10le", (160, 120), False),
        ("mpeg4", "yuv420p", (161, 121), False),
        ("png", "rgb24", (161, 121), False),
    ],
)
def test_pixels_are_the_same_bit_for_bit(codec: str, pixels: str, size: tuple[int, int], stays: bool) -> None:
    for turns in range(4):
        frames = decoded(codec, pixels, size, **(SILENT if codec == "libx265" else {}))
        assert len(frames) == 2
        for frame in frames:
            here = DecodedPicture(frame, turns)
            form, there = through(here)
            assert (form.pixels == "bgr24") is not stays
            assert there.size == DecodedPicture(frame, turns).size
            luma = DecodedPicture(frame, turns).luma()
            if stays:
                bright = there.luma()
                assert bright is not None
                assert luma is not None
                assert np.array_equal(bright, luma)
            pixels_here = DecodedPicture(frame, turns).bgr()
            assert np.array_equal(there.bgr(), pixels_here)
            assert not there.bgr().flags.writeable


def test_an_interlaced_picture_is_converted_where_it_was_decoded() -> None:
    frames = decoded("libx264", "yuv420p", (160, 128), **{"x264-params": "tff=1:interlaced=1"})
    assert all(frame.interlaced_frame for frame in frames)
    for frame in frames:
        form, there = through(DecodedPicture(frame, 0))
        assert form.pixels == "bgr24"
        assert np.array_equal(there.bgr(), DecodedPicture(frame, 0).bgr())


@pytest.mark.parametrize("pixels", ["nv12", "yuv420p"])
def test_colour_tags_go_along(pixels: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    for colorspace, color_range in [(1, 1), (1, 2), (5, 1), (5, 2), (9, 2)]:
        frame = VideoFrame.from_ndarray(noise, format="bgr24").reformat(format=pixels)
        frame.colorspace, frame.color_range = colorspace, color_range
        _, there = through(DecodedPicture(frame, 0))
        assert np.array_equal(there.bgr(), DecodedPicture(frame, 0).bgr())


def test_a_picture_that_no_decoder_made_goes_as_it_is() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (45, 63, 3), np.uint8)
    form, there = through(ArrayPicture(pixels))
    assert (form, there.luma()) == (Form("bgr24", 63, 45), None)
    assert np.array_equal(there.bgr(), pixels)


@pytest.mark.parametrize(
    "form", [Form("rgb24", 64, 48), Form("yuv420p", 16_000, 16_000), Form("../../etc", 1, 1)]
)
def test_a_form_that_there_is_not(form: Form) -> None:
    with pytest.raises(ValueError, match="no picture is"):
        planes.bytes_of(form)
