"""The drop-to-live rule, over links that stall, throttle and jitter."""

import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Self

import pytest
from boxes import picture
from driven import Hasty

from streamer import Camera, Captured, Cause, Frame, Quality, Ring
from streamer.backlog import LATE_NS

pytestmark = pytest.mark.timeout(60)


S = 1_000_000_000
PICTURE = picture()
Speed = Callable[[float], float]  # how many streams the link could carry, by the time in s


class Line:
    """A camera behind a link with an endless queue: what it cannot carry at once comes later.

    Each connection starts with the next keyframe (one a second) and an empty queue. It ends the
    camera's run at `until_s`.
    """

    live = True
    ends = False

    def __init__(self, speed: Speed, until_s: float, *, fps: int = 25, seed: int = 0) -> None:
        self.speed = speed
        self.until_s = until_s
        self.fps = fps
        self.jitter_s = 0.0
        self.ppm = 0.0
        self.muted_s = 0.0, 0.0  # from, to: nothing is sent
        self.pts_of: Callable[[float], int | None] = lambda sent_s: round(sent_s * (1 + self.ppm / 1e6) * S)
        self.now_s = 0.0
        self.camera: Camera
        self._rng = random.Random(seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        number = (int(self.now_s) + 1) * self.fps
        while self.now_s < self.until_s:
            sent_s = number / self.fps
            start_s = max(sent_s, self.now_s)
            while not self.speed(start_s):
                start_s += 0.01
            jitter_s = self._rng.uniform(0, self.jitter_s)
            self.now_s = max(
                self.now_s, start_s + 1 / self.fps / self.speed(start_s) + jitter_s - self.jitter_s
            )
            self.now_s = max(self.now_s, sent_s + jitter_s)
            number += 1
            if not self.muted_s[0] < sent_s < self.muted_s[1]:
                yield Captured(PICTURE, round((1000 + self.now_s) * S), self.pts_of(sent_s))
        self.camera.stop()


class Segments(Line):
    """A server of segments (HLS): each comes at once when it is complete and somebody has asked for it.

    Each connection starts three segments back, as FFmpeg does.
    """

    segment_s = 4.0
    polling_s = 1.0

    def __iter__(self) -> Iterator[Captured]:
        segment = max(int(self.now_s / self.segment_s) - 3, 0)
        while self.now_s < self.until_s:
            complete_s = (segment + 1) * self.segment_s + self._rng.uniform(0, self.polling_s)
            self.now_s = max(self.now_s, complete_s)
            for number in range(round(self.segment_s * self.fps)):
                self.now_s += 1 / self.fps / self.speed(self.now_s)
                at_ns = round((1000 + self.now_s) * S)
                pts_ns = self.pts_of(segment * self.segment_s + number / self.fps)
                yield Captured(PICTURE, at_ns, pts_ns, segmented=True)
            segment += 1
        self.camera.stop()


class Delayed(Line):
    """A link that says itself by how much each picture is delayed, in s, by the time."""

    delay_s: Callable[[float], float] = staticmethod(lambda sent_s: 0.0)

    def __iter__(self) -> Iterator[Captured]:
        number = (int(self.now_s) + 1) * self.fps
        while self.now_s < self.until_s:
            sent_s = number / self.fps
            self.now_s = max(self.now_s, sent_s + self.delay_s(sent_s))
            number += 1
            yield Captured(PICTURE, round((1000 + self.now_s) * S), self.pts_of(sent_s))
        self.camera.stop()


def through(
    source: Any, on_change: Callable[[Camera], None] = lambda camera: None
) -> tuple[Camera, list[Frame], dict[str, int]]:
    """What a camera hands on of it, and what it drops."""
    camera = source.camera = Camera("gate", source, clock=Hasty(), seed=1)
    ring: Ring[Frame] = Ring()
    writer = ring.writer(depth=1_000_000, live=True)
    camera.run(writer, on_change)
    frames: list[Frame] = []
    while writer.waiting:
        taken = ring.take()
        assert taken is not None
        last = frames[-1].index if frames else -1
        assert taken.item.index - last - 1 == sum(taken.lost.values())
        frames.append(taken.item)
    dropped = dict(writer.dropped)
    assert camera.captured == len(frames) + sum(dropped.values())
    return camera, frames, dropped


@pytest.mark.parametrize("ppm", [-500, 0, 500])
@pytest.mark.parametrize("seed", range(3))
def test_jitter_and_drift_are_no_backlog(seed: int, ppm: int) -> None:
    line = Line(lambda now_s: 50, 1200, fps=5, seed=seed)
    line.jitter_s, line.ppm = 0.2, ppm
    camera, frames, dropped = through(line)
    assert len(frames) > 5_900
    assert dropped == {}
    assert not camera.reconnects
    assert max(frame.lag_ns for frame in frames) < 0.25 * S
    assert {frame.quality for frame in frames} == {Quality.FINE}


@pytest.mark.parametrize("stall_s", [0.4, 1, 3, 6, 15])
@pytest.mark.parametrize("speed", [10, 100])
def test_a_backlog_is_skipped(stall_s: float, speed: float) -> None:
    line = Line(lambda now_s: 0 if 10 <= now_s < 10 + stall_s else speed, 60)
    camera, frames, dropped = through(line)
    assert not camera.reconnects
    assert camera.captured >= 58 * 25
    assert all(frame.lag_ns <= LATE_NS for frame in frames)
    # What lay more than half a second behind when the link came back, and what piled up meanwhile.
    late = max(0.0, stall_s - LATE_NS / S) * speed / (speed - 1) * 25
    assert dropped.get("backlog", 0) == pytest.approx(late, abs=3)
    released_ns = round((1010 + stall_s) * S)
    after = [frame for frame in frames if frame.captured_ns > released_ns]
    first_ns = after[0].captured_ns - released_ns
    assert first_ns <= stall_s / (speed - 1) * S + 0.1 * S
    assert all(frame.lag_ns < 0.05 * S for frame in after if frame.captured_ns > released_ns + 2.5 * S)


def test_a_link_that_is_too_slow_is_connected_anew_now_and_then_and_its_pictures_say_that_they_are_late() -> (
    None
):
    camera, frames, dropped = through(Line(lambda now_s: 0.5, 600))
    for frame in frames:
        assert (Quality.LATE in frame.quality) == (frame.lag_ns > LATE_NS)
    assert camera.reconnects == {Cause.LATE: camera.epoch}
    starts = [after.captured_ns for before, after in pairwise(frames) if after.epoch > before.epoch]
    assert (starts[0] - frames[0].captured_ns) / S < 4  # at once
    gaps_s = [(after - before) / S for before, after in pairwise(starts)]
    assert gaps_s[:3] == pytest.approx([5, 10, 20], abs=3)
    assert all(28 <= gap_s < 36 for gap_s in gaps_s[3:])  # 15 s behind
    assert len(gaps_s) > 6
    assert max(frame.lag_ns for frame in frames) < 17 * S
    # Once it is known to be slow, late pictures are what there is: nobody waits for better ones.
    silences_s = [(after.captured_ns - before.captured_ns) / S for before, after in pairwise(frames)]
    assert max(silences_s[200:]) < 2.5
    assert dropped["backlog"] < 15 * (camera.epoch + 1)  # a second of each connection
    assert "too slow for the stream" in camera.status.why


def test_a_camera_whose_time_stamps_run_slow_is_seldom_connected_anew() -> None:
    line = Line(lambda now_s: 50, 3600, fps=10)
    line.pts_of = lambda sent_s: round(0.8 * sent_s * S)
    camera, frames, _ = through(line)
    assert 0 < camera.reconnects[Cause.LATE] < 60
    assert len(frames) > 0.97 * 36_000


def test_after_a_slow_link_a_stall_is_a_stall_again() -> None:
    def speed(now_s: float) -> float:
        return 0 if 50 <= now_s < 53 else 0.5 if 5 <= now_s < 39 else 100

    camera, frames, dropped = through(Line(speed, 80))
    at_39 = [frame for frame in frames if frame.captured_ns > 1040 * S]
    assert {frame.quality for frame in at_39} == {Quality.FINE}
    assert dropped["backlog"] >= 2.4 * 25
    assert len({frame.epoch for frame in at_39}) == 1
    assert camera.status.why == ""


def test_what_is_late_now_and_then_does_not_flap() -> None:
    rng = random.Random(5)
    line = Delayed(lambda now_s: 50, 60)

    def delay_s(sent_s: float) -> float:
        if 13 <= sent_s < 40:
            return 0.5 + rng.uniform(-0.1, 0.1)
        return 3.0 if 5 <= sent_s < 9 else 0.7 if 10.5 <= sent_s < 13 else 0.0

    line.delay_s = delay_s
    changes: list[str] = []
    camera, frames, _ = through(line, lambda camera: changes.append(camera.status.why))
    assert len(changes) < 10
    assert "too slow for the stream" in "".join(changes[2:])
    assert camera.status.why == ""
    assert all((Quality.LATE in frame.quality) == (frame.lag_ns > LATE_NS) for frame in frames)
    assert len({frame.quality for frame in frames if 1015 * S < frame.captured_ns < 1040 * S}) == 2


@pytest.mark.parametrize("polling_s", [0, 1, 3])
@pytest.mark.parametrize("segment_s", [2, 4, 10])
def test_segments_are_no_backlog(segment_s: float, polling_s: float) -> None:
    line = Segments(lambda now_s: 20, 290)
    line.segment_s, line.polling_s = segment_s, polling_s
    camera, frames, dropped = through(line)
    assert not camera.reconnects
    assert dropped == {}
    assert camera.status.why == ""
    newest: dict[int, float] = {}
    for frame in frames:
        assert (Quality.LATE in frame.quality) == (frame.lag_ns > LATE_NS)
        assert frame.pts_ns is not None
        segment, within_s = divmod(frame.pts_ns / S + 1e-6, segment_s)
        newest[int(segment)] = max(within_s, newest.get(int(segment), 0.0))
    assert len(newest) >= 290 // segment_s - 2
    assert min(newest.values()) > segment_s / 2


def test_a_slow_link_that_recovers_is_live_again() -> None:
    camera, frames, _ = through(Line(lambda now_s: 0.5 if 5 <= now_s < 60 else 20, 200))
    after = [frame for frame in frames if frame.captured_ns > 1061 * S]
    assert len(after) > 138 * 25
    assert {frame.quality for frame in after} == {Quality.FINE}
    assert len({frame.epoch for frame in after}) == 1
    assert camera.status.why == ""


def test_a_camera_that_paused_its_clock_is_connected_anew_once() -> None:
    """As if the link had stalled for good, three seconds behind: nothing tells the two apart."""
    line = Line(lambda now_s: 50, 60)
    line.muted_s = 10, 13
    line.pts_of = lambda sent_s: round((sent_s - (3 if sent_s > 10 else 0)) * S)
    camera, frames, dropped = through(line)
    assert camera.reconnects == {Cause.LATE: 1}
    assert dropped["backlog"] <= 1.1 * 25
    assert len(frames) > 50 * 25
    assert {frame.quality for frame in frames} == {Quality.FINE}


@pytest.mark.parametrize(
    "jump_s", [-(2**32) / 90_000, -3600, -10, -1, -0.3, -0.04, 0.04, 0.3, 1, 10, 3600, 10**9]
)
def test_a_jump_of_the_clock_is_no_backlog(jump_s: float) -> None:
    line = Line(lambda now_s: 50, 60)
    line.pts_of = lambda sent_s: round((sent_s + (jump_s if sent_s > 20 else 0)) * S)
    camera, frames, dropped = through(line)
    assert dropped == {}
    assert not camera.reconnects
    assert len(frames) > 58 * 25
    assert frames[-1].lag_ns <= 0.35 * S


@pytest.mark.parametrize("glitch_s", [-3600, -1, 0.3, 1, 3600])
def test_one_wrong_time_stamp_does_no_harm(glitch_s: float) -> None:
    line = Line(lambda now_s: 50, 60)
    line.pts_of = lambda sent_s: round((sent_s + (glitch_s if sent_s == 20 else 0)) * S)
    camera, frames, dropped = through(line)
    assert dropped == {}
    assert not camera.reconnects
    assert frames[-1].lag_ns < 0.05 * S


def test_frozen_time_stamps_are_no_backlog() -> None:
    line = Line(lambda now_s: 50, 60)
    line.pts_of = lambda sent_s: round(min(sent_s, 20) * S)
    _, frames, dropped = through(line)
    assert len(frames) > 57 * 25
    assert dropped.get("backlog", 0) <= 0.6 * 25


def test_without_presentation_times_there_is_no_rule() -> None:
    line = Line(lambda now_s: 0 if 10 <= now_s < 15 else 50, 30)
    line.pts_of = lambda sent_s: None
    _, frames, dropped = through(line)
    assert dropped == {}
    assert {frame.lag_ns for frame in frames} == {0}


def test_pictures_that_are_sent_in_another_order_are_in_time() -> None:
    """A group of I B B B P: the P comes first, and each B after it."""
    line = Line(lambda now_s: 50, 60)
    line.pts_of = lambda sent_s: round(sent_s * S)
    reordered = _Reordered(line)
    _, _, dropped = through(reordered)
    assert dropped == {}


class _Reordered:
    """The arrival of a picture is that of the packet it came in; pictures come in order of presentation."""

    live = True
    ends = False

    def __init__(self, line: Line) -> None:
        self._line = line

    @property
    def camera(self) -> Camera:
        return self._line.camera

    @camera.setter
    def camera(self, camera: Camera) -> None:
        self._line.camera = camera

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        group: list[Captured] = []
        for captured in self._line:
            group.append(captured)
            if len(group) == 4:
                arrivals = [captured.captured_ns for captured in group]
                for one, arrival_ns in zip(group, [*arrivals[1:], arrivals[0]], strict=True):
                    yield Captured(PICTURE, arrival_ns, one.pts_ns)
                group.clear()


def test_a_recording_in_real_time_has_no_backlog() -> None:
    line = Line(lambda now_s: 0 if 10 <= now_s < 15 else 50, 30)
    line.ends = True
    _, _, dropped = through(line)
    assert dropped == {}
