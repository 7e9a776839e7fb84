"""What is said of a camera's pictures: each fault found in time, and nothing said of one that is fine."""

import copy
import itertools
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer import ArrayPicture, Captured, LazyPicture, Picture, Quality
from streamer.quality.holding import Holding
from streamer.quality.watch import EVERY_NS, KNOWN_S, STOOD_S, USUAL_AGAIN_S, PictureWatch

pytestmark = pytest.mark.timeout(60)

NS = 1_000_000_000
FPS = 5
IN_TIME_S = 2.0
SIZE = (320, 192)
Grey = NDArray[np.uint8]


def scene_of(seed: int, size: tuple[int, int] = SIZE) -> Grey:
    """Walls, doors, things: rectangles of every size, and some texture."""
    rng = np.random.default_rng(seed)
    width, height = size
    grey = np.full((height, width), 110, np.uint8)
    for _ in range(220):
        x, y = rng.integers(-20, width), rng.integers(-20, height)
        w, h = rng.integers(6, 40, 2)
        cv2.rectangle(grey, (int(x), int(y)), (int(x + w), int(y + h)), int(rng.integers(30, 230)), -1)
    return noisy(grey, rng, 4)


NOISE = np.random.default_rng(0).normal(0, 1, (500, 1100)).astype(np.float32)  # drawn once: it takes long


def noisy(grey: NDArray[Any], rng: np.random.Generator, sigma: float = 1.5) -> Grey:
    top, left = (
        rng.integers(0, NOISE.shape[0] - grey.shape[0]),
        rng.integers(0, NOISE.shape[1] - grey.shape[1]),
    )
    noise = NOISE[top : top + grey.shape[0], left : left + grey.shape[1]]
    return np.asarray(np.clip(grey + np.float32(sigma) * noise, 0, 255), np.uint8)


def lazy(grey: Grey) -> Picture:
    grey = grey.view()
    grey.flags.writeable = False
    return LazyPicture((grey.shape[1], grey.shape[0]), lambda: np.dstack([grey] * 3), lambda: grey)


class Feed:
    """Shows pictures to a watch, at an invented time."""

    def __init__(self, watch: PictureWatch, fps: float = FPS, group: int = FPS) -> None:
        self.watch, self.fps, self.group, self.number = watch, fps, group, 0

    def show(self, pictures: Iterable[Grey | Picture], **known: Any) -> list[Quality]:
        said = []
        for picture in pictures:
            at_ns = round(self.number / self.fps * NS)
            shown = lazy(picture) if isinstance(picture, np.ndarray) else picture
            captured = Captured(shown, at_ns, keyframe=self.number % self.group == 0, **known)
            said.append(self.watch.look(captured, at_ns))
            self.number += 1
        return said

    def live(self, grey: Grey, seconds: float, rng: np.random.Generator) -> list[Quality]:
        return self.show(noisy(grey, rng) for _ in range(round(seconds * self.fps)))


SCENE, OTHER = scene_of(1), scene_of(2)


@lru_cache
def _stood(seconds: float) -> Feed:
    feed = Feed(PictureWatch())
    assert set(feed.live(SCENE, seconds, np.random.default_rng(3))) == {Quality.FINE}
    return feed


def settled(seconds: float = STOOD_S + 5) -> tuple[Feed, np.random.Generator]:
    """A camera that has looked at SCENE for so long."""
    return copy.deepcopy(_stood(seconds)), np.random.default_rng(20)


def begins(said: list[Quality], flag: Quality, fps: float = FPS) -> float:
    """Seconds from the first picture of a fault to its flag."""
    return next(number for number, one in enumerate(said) if flag in one) / fps


def blurred(grey: Grey, sigma: float) -> Grey:
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.uint8)


def covered(grey: Grey, share: float, level: int) -> Grey:
    hidden = grey.copy()
    hidden[:, : round(share * grey.shape[1])] = level
    return hidden


FAULTS: list[tuple[str, Callable[[], Grey], Quality]] = [
    ("black", lambda: np.full_like(SCENE, 16), Quality.DARK),
    ("glare", lambda: np.full_like(SCENE, 240), Quality.COVERED),
    ("a hand", lambda: covered(SCENE, 0.8, 60), Quality.COVERED),
    ("bright cloth", lambda: covered(SCENE, 0.8, 200), Quality.COVERED),
    ("black tape", lambda: covered(SCENE, 0.75, 16), Quality.COVERED),
    ("soft", lambda: blurred(SCENE, 2), Quality.DEFOCUSED),
    ("very soft", lambda: blurred(SCENE, 8), Quality.DEFOCUSED),
    ("shifted", lambda: np.roll(SCENE, 64, 1), Quality.MOVED),
    ("another view", lambda: OTHER, Quality.MOVED),
]


@pytest.mark.parametrize(("fault", "flag"), [pytest.param(f, q, id=name) for name, f, q in FAULTS])
def test_a_fault_is_flagged_in_time_and_alone_and_ends(fault: Callable[[], Grey], flag: Quality) -> None:
    feed, rng = settled()
    said = feed.live(fault(), 8, rng)
    assert begins(said, flag) <= IN_TIME_S
    assert set(said) == {Quality.FINE, flag}
    assert said[-1] == flag
    after = feed.live(SCENE, 10, rng)
    assert after[-1] == Quality.FINE
    assert after.index(Quality.FINE) / FPS <= 3


@pytest.mark.parametrize(
    "glimpse", [np.full_like(SCENE, 16), np.full_like(SCENE, 200), blurred(SCENE, 3), OTHER]
)
def test_what_lasts_for_half_a_second_is_no_fault(glimpse: Grey) -> None:
    feed, rng = settled()
    for _ in range(3):
        said = feed.show([noisy(glimpse, rng) for _ in range(3)]) + feed.live(SCENE, 5, rng)
        assert set(said) == {Quality.FINE}


def test_a_camera_that_starts_covered_or_dark_says_so() -> None:
    for level, flag in ((16, Quality.DARK), (90, Quality.COVERED)):
        feed = Feed(PictureWatch())
        said = feed.live(np.full_like(SCENE, level), 4, np.random.default_rng(4))
        assert begins(said, flag) <= IN_TIME_S


def test_a_lamp_in_the_night_is_no_darkness() -> None:
    night = np.full_like(SCENE, 17)
    cv2.circle(night, (160, 90), 6, 220, -1)
    feed = Feed(PictureWatch())
    assert set(feed.live(night, 20, np.random.default_rng(5))) == {Quality.FINE}


def test_a_dim_picture_with_a_bright_spot_is_survived() -> None:
    dim = np.full_like(SCENE, 16)
    dim[90:110, 100:130] = 46
    feed = Feed(PictureWatch())
    assert set(feed.live(dim, 10, np.random.default_rng(6)) + feed.show([dim] * 4)) == {Quality.FINE}


@pytest.mark.parametrize("light", [0.25, 0.6, 1.4])
def test_lamps_are_no_fault(light: float) -> None:
    feed, rng = settled()
    changed = np.clip(16 + (SCENE.astype(np.float32) - 16) * light, 0, 255).astype(np.uint8)
    assert set(feed.live(changed, 20, rng) + feed.live(SCENE, 20, rng)) == {Quality.FINE}


def test_a_lamp_that_goes_out_is_no_cover() -> None:
    feed, rng = settled()
    out = np.asarray(16 + (SCENE.astype(np.float32) - 16) * 0.4, np.uint8)
    assert set(feed.live(covered(out, 0.65, 16), 8, rng)) == {Quality.FINE}


def test_something_large_that_parks_is_no_fault() -> None:
    feed, rng = settled()
    parked = SCENE.copy()
    parked[40:170, 60:190] = 170
    parked[60:64, 60:190] = 90
    assert set(feed.live(parked, 60, rng) + feed.live(SCENE, 30, rng)) == {Quality.FINE}


def test_a_new_view_becomes_the_usual_one() -> None:
    feed, rng = settled()
    said = feed.live(OTHER, USUAL_AGAIN_S + 10, rng)
    assert Quality.MOVED in said
    assert said[-1] == Quality.FINE
    held_s = said.count(Quality.MOVED) / FPS
    assert USUAL_AGAIN_S - 2 <= held_s <= USUAL_AGAIN_S + 3
    # From there it is the new view that may be covered.
    assert begins(feed.live(covered(OTHER, 0.8, 70), 4, rng), Quality.COVERED) <= IN_TIME_S


def test_a_patrol_never_alarms() -> None:
    feed, rng = Feed(PictureWatch()), np.random.default_rng(6)
    views = itertools.cycle([scene_of(seed) for seed in range(2)])
    said = [quality for _ in range(12) for quality in feed.live(next(views), 18, rng)]
    assert set(said) == {Quality.FINE}


def test_a_patrol_with_long_stops_alarms_once() -> None:
    feed, rng = Feed(PictureWatch()), np.random.default_rng(6)
    stop_s = STOOD_S + 15
    said = [feed.live(view, stop_s, rng) for view in (SCENE, OTHER) * 3]
    assert [Quality.MOVED in stop for stop in said] == [False, True, False, False, False, False]


def test_a_camera_in_the_hand_never_alarms() -> None:
    feed, rng = Feed(PictureWatch()), np.random.default_rng(7)
    wide = scene_of(8, (960, 384))
    at, said = np.array([100.0, 60.0]), list[Quality]()
    for _ in range(90 * FPS):
        at = np.clip(at + rng.normal(0, 12, 2), 0, (640, 192))
        x, y = int(at[0]), int(at[1])
        said += feed.show([noisy(wide[y : y + 192, x : x + 320], rng)])
    assert set(said) == {Quality.FINE}


@pytest.mark.parametrize("fps", [1, 5, 30])
@pytest.mark.parametrize("group_s", [1, 2, 4])
def test_the_same_picture_across_a_keyframe_is_frozen(fps: int, group_s: int) -> None:
    rng = np.random.default_rng(8)
    feed = Feed(PictureWatch(), fps, max(1, fps * group_s))
    assert set(feed.live(SCENE, 9.5, rng)) == {Quality.FINE}
    still = noisy(SCENE, rng)
    said = feed.show([still] * (8 * fps))
    assert begins(said, Quality.FROZEN, fps) <= max(IN_TIME_S, group_s + 0.5, 2 / fps + 0.2)
    assert said[-1] == Quality.FROZEN
    # The next keyframe is another picture; a scene that changed needs none.
    after = feed.live(SCENE, group_s + 1, rng)
    assert after[-1] == Quality.FINE


def test_equal_pictures_within_a_group_prove_nothing() -> None:
    rng = np.random.default_rng(9)
    feed = Feed(PictureWatch(), 10, 80)
    for _ in range(3):  # a still scene at a low bit rate: nothing but the keyframe is sent
        picture = noisy(SCENE, rng)
        assert set(feed.show([picture] * 80)) == {Quality.FINE}


def test_one_pixel_is_enough_to_be_alive() -> None:
    feed = Feed(PictureWatch())
    pictures = []
    for number in range(60):
        picture = SCENE.copy()
        picture[100, 101] = number * 3
        pictures.append(picture)
    assert set(feed.show(pictures)) == {Quality.FINE}


def test_keyframes_that_are_equal_are_frozen_whatever_lies_between() -> None:
    rng = np.random.default_rng(10)
    first, second = noisy(SCENE, rng, 0.5), noisy(SCENE, rng, 0.5)
    feed = Feed(PictureWatch())
    said = feed.show(([first] + [second] * 4) * 5)
    assert begins(said, Quality.FROZEN) <= IN_TIME_S
    assert said[-1] == Quality.FROZEN
    assert feed.live(OTHER, 1, rng)[1] == Quality.FINE


def test_a_black_picture_is_dark_and_not_frozen() -> None:
    feed = Feed(PictureWatch())
    assert set(feed.show([np.full_like(SCENE, 16)] * 30)) == {Quality.FINE, Quality.DARK}


def test_frozen_stays_over_a_new_connection_until_another_picture_comes() -> None:
    rng = np.random.default_rng(11)
    watch = PictureWatch()
    still = noisy(SCENE, rng)
    assert Feed(watch).show([still] * 20)[-1] == Quality.FROZEN
    watch.connected()
    feed = Feed(watch)
    assert feed.show([still])[0] == Quality.FROZEN
    assert feed.live(SCENE, 2, rng)[-1] == Quality.FINE


def test_the_view_is_known_over_a_new_connection() -> None:
    feed, rng = settled()
    feed.watch.connected()
    feed.number = 0
    said = feed.live(blurred(SCENE, 2), 4, rng)
    assert begins(said, Quality.DEFOCUSED) <= IN_TIME_S


def test_damaged_pictures_are_not_judged() -> None:
    feed, _ = settled(KNOWN_S + 5)
    assert set(feed.show([np.full_like(SCENE, 16)] * 30, damaged=True)) == {Quality.FINE}


def test_five_pictures_a_second_are_read_and_no_more() -> None:
    reads = 0

    class Counted:
        size = SIZE

        def luma(self) -> Grey:
            nonlocal reads
            reads += 1
            return SCENE

        def bgr(self) -> Grey:
            raise AssertionError

    feed = Feed(PictureWatch(), 100, 100)
    feed.show([Counted()] * 1000)
    assert 45 <= reads <= 10 * NS / EVERY_NS + 15  # and the keyframes


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (16, 16), (90, 160), (641, 361), (1922, 1082)])
def test_any_size_will_do_and_it_may_change(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(12)
    watch = PictureWatch()
    for width, height in (size, SIZE, size[::-1]):
        feed = Feed(watch)
        pixels = rng.integers(0, 255, (height, width, 3), np.uint8)
        feed.show([ArrayPicture(pixels), pixels[..., 0], pixels[::-1, ::-1, 0]])


def test_pictures_without_brightness_are_converted_twice_a_second() -> None:
    converted = 0

    def convert() -> Grey:
        nonlocal converted
        converted += 1
        return np.dstack([SCENE] * 3)

    feed = Feed(PictureWatch(), 30, 1)
    feed.show([LazyPicture(SIZE, convert) for _ in range(300)])
    assert 15 <= converted <= 45


def test_time_that_jumps_is_survived() -> None:
    rng = np.random.default_rng(13)
    watch = PictureWatch()
    for at_ns in rng.integers(-(2**62), 2**62, 200):
        said = watch.look(Captured(lazy(noisy(SCENE, rng)), 0, keyframe=True), int(at_ns))
        assert said == Quality.FINE


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.integers(0, 3 * NS)), max_size=60))
def test_a_flag_changes_only_after_evidence_without_a_break(told: list[tuple[bool | None, int]]) -> None:
    holding = Holding(NS, 2 * NS)
    for number, (evidence, passed_ns) in enumerate(told):
        before = holding.holds
        after = holding.told(evidence, passed_ns)
        if after == before:
            continue
        assert evidence is after
        # Back to the last picture that said otherwise, or changed the flag.
        said = [one for one, _ in told[: number + 1]]
        run = next((n for n, one in enumerate(reversed(said)) if one is not evidence), len(said))
        lasted_ns = sum(min(passed, NS) for _, passed in told[number + 2 - run : number + 1])
        assert lasted_ns >= (NS if after else 2 * NS)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "seconds"),
    [("vtest.avi", 70), ("road_cctv_ozlu.mp4", 30), ("dashcam_solidWhiteRight_udacity.mp4", 30)],
)
def test_real_cameras_are_fine(shared_data: Path, name: str, seconds: int) -> None:
    clip = cv2.VideoCapture(str(shared_data / "videos" / name))
    every = max(1, round(clip.get(cv2.CAP_PROP_FPS) / FPS))
    pictures, number = [], 0
    while clip.grab():
        if number % every == 0:
            pictures.append(np.asarray(cv2.cvtColor(clip.retrieve()[1], cv2.COLOR_BGR2GRAY), np.uint8))
        number += 1
    feed = Feed(PictureWatch())
    lasting = itertools.islice(itertools.cycle(pictures), seconds * FPS)
    assert set(feed.show(lasting)) == {Quality.FINE}
    if name == "vtest.avi":
        soft = [blurred(grey, 0.01 * grey.shape[1]) for grey in pictures[: 3 * FPS]]
        assert begins(feed.show(soft), Quality.DEFOCUSED) <= IN_TIME_S
