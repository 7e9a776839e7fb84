"""The gates before the detector: what they let through, what they keep back, and that they never go blind."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from boxes import Scripted
from numpy.typing import NDArray
from source_clips import SIZE, make_clip, read

from streamer import ArrayPicture, Camera, Captured, Frame, LazyPicture, Picture, Quality, Ring
from streamer.gate import Beat, Gate
from streamer.motion import HOLD_NS, LONGEST_NS, WIDEST, Motion
from streamer.sources import demuxing, open_source, parse_address
from streamer.sources.decoding import Decoding

pytestmark = pytest.mark.timeout(60)

FPS = 25
S = 1_000_000_000
SCENE = cv2.resize(
    np.random.default_rng(5).integers(40, 200, (45, 80, 3), np.uint8),
    (640, 360),
    interpolation=cv2.INTER_CUBIC,
)


def frame(number: int, pixels: NDArray[Any] | Picture, epoch: int = 0, fps: float = FPS) -> Frame:
    picture = ArrayPicture(np.array(pixels, np.uint8)) if isinstance(pixels, np.ndarray) else pixels
    at_ns = round(number / fps * S)
    return Frame("gate", epoch, number, at_ns, at_ns, at_ns, None, False, Quality.FINE, picture)


NOISE = np.asarray(np.random.default_rng(4).normal(0, 1, SCENE.shape))


def noisy(rng: np.random.Generator, sigma: float, scene: NDArray[Any] = SCENE) -> NDArray[Any]:
    if not sigma:
        return scene
    noise = np.roll(np.asarray(sigma * NOISE, np.int16), tuple(rng.integers(0, 360, 2)), (0, 1))
    return np.asarray(np.clip(scene + noise, 0, 255), np.uint8)


def with_thing(x: float, size: tuple[int, int] = (24, 60), scene: NDArray[Any] = SCENE) -> NDArray[Any]:
    """Somebody in dark clothes at `x`."""
    pixels = scene.copy()
    pixels[200 : 200 + size[1], round(x) : round(x) + size[0]] = (30, 25, 20)
    return pixels


def looked_at(motion: Gate, pictures: Sequence[NDArray[Any]]) -> list[int]:
    return [number for number, pixels in enumerate(pictures) if motion.admits(frame(number, pixels))]


def test_a_still_scene_is_looked_at_for_a_second_and_then_every_ten() -> None:
    looked = looked_at(Motion(), [SCENE] * (35 * FPS))
    tail = HOLD_NS * FPS // S
    assert looked[: tail + 1] == list(range(tail + 1))
    assert looked[tail + 1 :] == [tail + LONGEST_NS * FPS // S * times for times in (1, 2, 3)]


@pytest.mark.parametrize("sigma", [2, 8, 20])
def test_noise_is_no_motion(sigma: float) -> None:
    rng = np.random.default_rng(1)
    looked = looked_at(Motion(), [noisy(rng, sigma) for _ in range(4 * FPS)])
    assert looked == list(range(FPS + 1))


@pytest.mark.parametrize("sigma", [0, 8])
def test_somebody_who_walks_is_looked_at_all_the_way_and_a_second_longer(sigma: float) -> None:
    rng = np.random.default_rng(2)
    paths = [0.0] * 75 + [step * 4.0 for step in range(100)] + [396.0] * 75
    pictures = [noisy(rng, sigma, with_thing(x)) for x in paths]
    looked = looked_at(Motion(), pictures)
    assert [number for number in looked if 30 < number < 75] == []
    walking = [number for number in looked if 76 <= number < 175]
    assert len(walking) >= 97  # the first step may be too small
    assert max(looked) == pytest.approx(175 + FPS, abs=2)


def test_what_creeps_is_found_before_it_is_elsewhere() -> None:
    """A pixel a second: each look sees it less than its own width from where it was seen last."""
    pictures = [with_thing(100 + number / FPS) for number in range(60 * FPS)]
    looked = looked_at(Motion(), pictures)
    assert len(looked) < 60 * FPS / 2
    assert max(np.diff(looked)) / FPS <= 10


def test_what_appears_is_looked_at_at_once() -> None:
    looked = looked_at(Motion(), [SCENE] * 100 + [with_thing(300)] * 60)
    assert 100 in looked
    assert [number for number in looked if number > 100] == list(range(101, 100 + FPS + 1))


@pytest.mark.parametrize("size", [(8, 8), (12, 30)])
def test_something_small_in_a_large_picture(size: tuple[int, int]) -> None:
    looked = looked_at(Motion(), [SCENE] * 50 + [with_thing(300, size)] * 10)
    assert 50 in looked


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.2])
def test_a_change_of_brightness_is_no_motion_and_somebody_in_it_is(gain: float) -> None:
    def lit(pixels: NDArray[Any], number: int) -> NDArray[Any]:
        share = min(max(number - 50, 0) / 50, 1.0)
        return np.asarray(np.clip(pixels * (1 + (gain - 1) * share), 0, 255), np.uint8)

    alone = looked_at(Motion(), [lit(SCENE, number) for number in range(120)])
    assert alone == list(range(FPS + 1))
    somebody = [lit(with_thing(300) if number >= 80 else SCENE, number) for number in range(120)]
    assert 80 in looked_at(Motion(), somebody)


def test_a_new_connection_and_a_new_size_are_looked_at() -> None:
    motion = Motion()
    for number in range(100):
        motion.admits(frame(number, SCENE))
    assert not motion.admits(frame(100, SCENE))
    assert motion.admits(frame(101, SCENE, epoch=1))
    for number in range(102, 200):
        motion.admits(frame(number, SCENE, epoch=1))
    assert not motion.admits(frame(200, SCENE, epoch=1))
    assert motion.admits(frame(201, SCENE[:180, :320], epoch=2))
    assert motion.admits(frame(202, SCENE, epoch=3))


def test_scene_time_that_goes_back_does_not_make_it_blind() -> None:
    motion = Motion()
    assert motion.admits(frame(1000, SCENE))
    assert not all(motion.admits(frame(number, SCENE)) for number in range(1001, 1040))
    assert motion.admits(frame(0, SCENE))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 12), (1000, 2), (2, 1000), (241, 1), (3840, 2160)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    motion = Motion()
    dark, bright = (np.full((size[1], size[0], 3), value, np.uint8) for value in (0, 255))
    assert motion.admits(frame(0, dark))
    assert not motion.admits(frame(50, dark))
    assert motion.admits(frame(51, bright)) or min(size) < 3
    assert motion.admits(frame(51 + 10 * FPS, dark))


def test_a_seeded_walk_is_never_left_unseen_for_longer_than_ten_seconds() -> None:
    rng = np.random.default_rng(3)
    motion, last_ns, epoch = Motion(), 0, 0
    at_ns = 0
    for _ in range(3000):
        at_ns += int(rng.choice([0, 40, 40, 40, 2000, 15_000])) * 1_000_000
        epoch += rng.random() < 0.01
        picture = ArrayPicture(np.array(SCENE[::4, ::4], np.uint8))
        admitted = motion.admits(
            Frame("gate", int(epoch), 0, at_ns, at_ns, at_ns, None, False, Quality.FINE, picture)
        )
        last_ns = at_ns if admitted else last_ns
        assert at_ns - last_ns < LONGEST_NS


def test_the_decoders_brightness_is_used_and_nothing_is_converted(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", 10)
    for number, captured in enumerate(read(tmp_path / "a.mp4")):
        picture = captured.picture
        assert isinstance(picture, LazyPicture)
        luma = picture.luma()
        assert luma is not None
        assert luma.shape == (SIZE[1], SIZE[0])
        assert not luma.flags.writeable
        grey = cv2.cvtColor(picture.bgr(), cv2.COLOR_BGR2GRAY).astype(float)
        limited = (luma.astype(float) - 16) * 255 / 219  # studio range, ITU-R BT.601
        assert np.abs(np.clip(limited, 0, 255) - grey).mean() < 3, number
        assert picture.luma() is None  # the decoder's buffer is let go


@pytest.mark.parametrize(
    ("pixels", "codec"), [("yuv444p", "libx264"), ("rgb24", "libx264rgb"), ("yuv420p10le", "libx264")]
)
def test_forms_with_and_without_brightness_of_8_bits(tmp_path: Path, pixels: str, codec: str) -> None:
    path = make_clip(tmp_path / "a.mkv", 60, codec=codec, pixels=pixels)
    motion = Motion()
    looked = []
    with open_source(parse_address(str(path))) as source:
        for number, captured in enumerate(source):
            assert isinstance(captured.picture, LazyPicture)
            assert (captured.picture.luma() is not None) == (pixels == "yuv444p")
            looked.append(motion.admits(frame(number, captured.picture, fps=30)))
    assert len(looked) == 60
    assert all(looked[:31])


def test_raw_video_that_is_stored_from_the_last_line_up_is_converted(tmp_path: Path) -> None:
    address = parse_address(str(make_clip(tmp_path / "a.avi", 2, "rawvideo", "gray")))
    container, stream = demuxing.open_recording(address)
    stream.codec_context.extradata = b"BottomUp\0"  # as FFmpeg notes it for AVI files of Windows
    decoding = Decoding(stream, address)
    with container:
        (decoded,) = decoding.decode(next(container.demux(stream)), 0)
        assert decoded.planes[0].line_size < 0
        shown = decoding.captured(decoded, 0).picture
        assert isinstance(shown, LazyPicture)
        assert shown.luma() is None
        assert Motion().admits(frame(0, shown))
        assert shown.bgr().shape == (SIZE[1], SIZE[0], 3)


def test_the_reduced_picture_is_small() -> None:
    for width in (640, 1280, 1920, 3840):
        motion = Motion()
        motion.admits(frame(0, np.zeros((width * 9 // 16, width, 3), np.uint8)))
        assert motion._before is not None
        assert WIDEST / 2 < motion._before.shape[1] <= WIDEST


def through(captured: Sequence[Captured], **options: Any) -> tuple[Camera, list[Frame], dict[str, int]]:
    camera = Camera("gate", Scripted([list(captured)], live=False, ends=True), **options)
    ring: Ring[Frame] = Ring()
    writer = ring.writer(depth=10_000, live=True)
    camera.run(writer, lambda camera: None)
    frames: list[Frame] = []
    while writer.waiting:
        taken = ring.take()
        assert taken is not None
        assert taken.item.index - (frames[-1].index if frames else -1) - 1 == sum(taken.lost.values())
        frames.append(taken.item)
    assert camera.captured == len(frames) + sum(writer.dropped.values())
    return camera, frames, dict(writer.dropped)


def shots(count: int, fps: float = FPS) -> list[Captured]:
    pixels = ArrayPicture(np.array(SCENE, np.uint8))
    return [Captured(pixels, S + round(n / fps * S), round(n / fps * S)) for n in range(count)]


def test_each_gate_counts_what_it_keeps_back() -> None:
    gates = [Beat(5, "detect_fps"), Motion()]
    _, frames, dropped = through(shots(30 * FPS), max_fps=12.5, gates=gates)
    assert dropped["max_fps"] == pytest.approx(15 * FPS, abs=2)
    assert dropped["detect_fps"] == pytest.approx(30 * (12.5 - 5), abs=5)
    assert 7 <= len(frames) <= 8  # a second of them, then each ten seconds
    assert dropped["still"] == 30 * FPS - len(frames) - dropped["max_fps"] - dropped["detect_fps"]


@pytest.mark.parametrize(("fps", "wanted"), [(25, 5), (30, 7), (10, 10), (10, 30), (24.97, 0.5)])
def test_the_detectors_beat_is_even(fps: float, wanted: float) -> None:
    _, frames, _ = through(shots(1000, fps), gates=[Beat(wanted, "detect_fps")])
    assert len(frames) == pytest.approx(1000 * min(wanted / fps, 1), abs=2)
    gaps = np.diff([frame.index for frame in frames])
    assert max(gaps) - min(gaps) <= 1


def test_a_picture_that_cannot_be_read_is_the_detectors_to_fail_on(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> NDArray[Any]:
        raise ValueError("no pixels")

    bad = [Captured(LazyPicture((64, 48), broken), S + n * S // FPS, n * S // FPS) for n in range(5)]
    _, frames, dropped = through(bad, gates=[Motion()])
    assert (len(frames), dropped) == (5, {})
    assert len([record for record in caplog.records if "gate" in record.message]) == 1
