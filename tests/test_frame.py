"""Frames, pictures and views."""

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer import ArrayPicture, Frame, LazyPicture, Picture, Quality, Stale, View

pytestmark = pytest.mark.timeout(20)


def frame(picture: Picture) -> Frame:
    return Frame(
        camera="gate",
        epoch=0,
        index=0,
        captured_ns=0,
        scene_ns=0,
        pts_ns=None,
        source_ns=None,
        keyframe=True,
        quality=Quality.FINE,
        picture=picture,
    )


def pixels(width: int = 8, height: int = 6) -> NDArray[np.uint8]:
    return np.arange(width * height * 3, dtype=np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        (np.zeros((4, 4), np.uint8), r"\(4, 4\) uint8"),
        (np.zeros((4, 4, 4), np.uint8), r"\(4, 4, 4\) uint8"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\) uint8"),
        (np.zeros((4, 4, 3), np.float32), r"\(4, 4, 3\) float32"),
    ],
)
def test_what_is_no_picture_is_refused(wrong: NDArray[Any], found: str) -> None:
    with pytest.raises(ValueError, match=rf"\(H, W, 3\) uint8, not {found}"):
        ArrayPicture(wrong)


@pytest.mark.parametrize("lazy", [False, True])
def test_pixels_are_read_only_and_the_size_is_width_by_height(lazy: bool) -> None:
    picture: Picture = LazyPicture((8, 6), pixels) if lazy else ArrayPicture(pixels())
    assert picture.size == frame(picture).size == (8, 6)
    assert picture.bgr() is picture.bgr()
    with pytest.raises(ValueError, match="read-only"):
        picture.bgr()[0, 0, 0] = 1


def test_a_picture_that_nobody_looks_at_is_not_converted() -> None:
    picture = LazyPicture((8, 6), lambda: pytest.fail("converted"))
    assert View(frame(picture), (1, 1, 3, 4)).size == (2, 3)


@pytest.mark.parametrize("seed", range(5))
def test_a_picture_is_converted_once_however_many_look(seed: int) -> None:
    start = threading.Barrier(8)
    converted = []

    def convert() -> NDArray[np.uint8]:
        converted.append(threading.get_ident())
        return np.full((6, 8, 3), seed, np.uint8)

    picture = LazyPicture((8, 6), convert)
    seen: list[NDArray[np.uint8]] = []

    def look() -> None:
        start.wait(5)
        seen.append(picture.bgr())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(converted) == 1
    assert len(seen) == 8
    assert all(array is seen[0] for array in seen)


def test_the_decoders_buffer_is_let_go_after_the_conversion() -> None:
    class Buffer:
        def convert(self) -> NDArray[np.uint8]:
            return pixels()

    buffer = Buffer()
    gone = weakref.ref(buffer)
    picture = LazyPicture((8, 6), buffer.convert)
    del buffer
    assert gone() is not None
    picture.bgr()
    gc.collect()
    assert gone() is None


def test_a_picture_that_could_not_be_converted_stays_unreadable() -> None:
    def convert() -> NDArray[np.uint8]:
        raise Stale("overwritten")

    picture = LazyPicture((8, 6), convert)
    with pytest.raises(Stale, match="overwritten"):
        picture.bgr()
    with pytest.raises(Stale):
        picture.bgr()


def test_a_view_is_a_part_that_shares_the_frames_memory() -> None:
    whole = frame(ArrayPicture(pixels()))
    assert View(whole).bgr() is whole.picture.bgr()
    part = View(whole, (2, 1, 7, 4))
    assert part.size == (5, 3)
    assert part.bgr().shape == (3, 5, 3)
    np.testing.assert_array_equal(part.bgr(), pixels()[1:4, 2:7])
    assert np.shares_memory(part.bgr(), whole.picture.bgr())
    assert not part.bgr().flags.writeable


def test_quality_speaks_in_words() -> None:
    assert Quality.FINE.words == []
    assert (Quality.DARK | Quality.DAMAGED).words == ["damaged", "dark"]


def test_a_frame_is_frozen() -> None:
    with pytest.raises(AttributeError):
        frame(ArrayPicture(pixels())).index = 1  # type: ignore[misc]  # that is what is tested
