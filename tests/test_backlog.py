"""The drop-to-live rule, over links that stall, throttle and jitter, and over a real one."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from socket import SHUT_RDWR, create_connection, create_server, socket
from typing import Any, Self

import numpy as np
import pytest
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from boxes import Keeper, Looker, picture, until
from driven import Hasty
from source_clips import make_clip

from streamer import Camera, Captured, Cause, Frame, ManualClock, Pipeline, Quality, Ring
from streamer.backlog import LATE_NS
from streamer.fakecam import FakeCam
from streamer.impair import Impaired, Impairment
from streamer.sources import SourceOptions, demuxing, open_source, parse_address
from streamer.sources.decoding import Decoding
from streamer.sources.network import NetworkSource
from streamer.sources.pile import Pile
from streamer.wire import WallClock

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
    line = Line(lambda now_s: 50, 3600, fps=5, seed=seed)
    line.jitter_s, line.ppm = 0.2, ppm
    camera, frames, dropped = through(line)
    assert len(frames) > 17_000
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


class Relay:
    """Passes one TCP connection on; what the camera sends waits here while `hold` is set."""

    def __init__(self, port: int) -> None:
        self._server = create_server(("127.0.0.1", 0))
        self._port = port
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket] = []
        self._threads: list[threading.Thread] = []
        self.port = self._server.getsockname()[1]
        self.held = 0

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
        for one in [self._server, *self._sockets]:
            with _gone():
                one.shutdown(SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with _gone():
            while True:
                client, _ = self._server.accept()
                camera = create_connection(("127.0.0.1", self._port))
                self._sockets += [client, camera]
                self._start(self._pass_on, client, camera)
                self._start(self._pass_held, camera, client)

    def _pass_on(self, source: socket, target: socket) -> None:
        with _gone():
            while data := source.recv(65536):
                target.sendall(data)

    def _pass_held(self, source: socket, target: socket) -> None:
        pile = bytearray()
        with _gone():
            source.settimeout(0.01)
            while True:
                try:
                    data = source.recv(65536)
                except TimeoutError:
                    data = b""
                else:
                    if not data:
                        return
                pile += data
                self.held = len(pile)
                if self._open.is_set():
                    target.sendall(pile)
                    pile.clear()


@contextmanager
def _gone() -> Iterator[None]:
    with suppress(OSError):
        yield


def test_a_real_camera_over_a_link_that_stalls_is_live_again_within_a_second(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="0", g="30", tune="zerolatency", sc_threshold="0")
    with FakeCam([clip]) as cam, Relay(cam.port) as relay:
        camera = Camera("gate", open_source(parse_address(f"rtsp://127.0.0.1:{relay.port}/cam0")))
        keeper, clock = Keeper(), WallClock()
        pipeline = Pipeline()
        pipeline.add(camera, Looker())
        pipeline.sink(keeper)
        with pipeline:
            until(lambda: len(keeper.got) > 20)
            relay.hold()
            until(lambda: relay.held > 0)
            threading.Event().wait(3)
            before = len(keeper.got)
            relay.release()
            until(lambda: len(keeper.got) > before + 30)
            pipeline.stop()
        (stats,) = pipeline.stats().cameras
    frames = [result.frame for result in keeper.got]
    assert stats.dropped["backlog"] == pytest.approx(2.5 * 30, abs=20)
    assert stats.captured == stats.processed + sum(stats.dropped.values())
    assert not stats.reconnects
    # The camera's own clock is this machine's: it is a witness of how late each picture really came.
    late_s = [
        clock.unix_s(frame.captured_ns) - frame.source_ns / 1e9
        for frame in frames
        if frame.source_ns is not None
    ]
    assert len(late_s) > 40
    assert max(late_s) < 0.5 + 0.15
    first = keeper.got[before].frame
    assert first.captured_ns - frames[before - 1].captured_ns < (3 + 1) * S


def test_a_real_camera_that_was_throttled_is_live_again_within_a_second(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="0", g="30", tune="zerolatency", sc_threshold="0")
    half_bps = clip.stat().st_size * 8 / 2 / 2  # of two seconds
    with FakeCam([clip]) as cam, Impaired(cam.urls[0]) as network:
        camera = Camera("gate", open_source(parse_address(network.url(cam.urls[0]))))
        keeper, clock = Keeper(), WallClock()
        pipeline = Pipeline()
        pipeline.add(camera, Looker())
        pipeline.sink(keeper)
        with pipeline:
            until(lambda: len(keeper.got) > 20)
            network.be(Impairment(rate_bps=half_bps))
            until(lambda: camera.reconnects[Cause.LATE] > 0)
            network.be(Impairment())
            released_ns = time.monotonic_ns()
            until(lambda: keeper.got[-1].frame.captured_ns > released_ns + 2 * S)
            pipeline.stop()
        (stats,) = pipeline.stats().cameras
    frames = [result.frame for result in keeper.got]
    assert stats.captured == stats.processed + sum(stats.dropped.values())
    after = [frame for frame in frames if frame.captured_ns > released_ns + S]
    assert len(after) > 20
    assert {frame.quality for frame in after} == {Quality.FINE}
    assert max(frame.lag_ns for frame in after) < 0.3 * S
    late_s = [clock.unix_s(one.captured_ns) - one.source_ns / 1e9 for one in after if one.source_ns]
    assert max(late_s) < 0.5


def test_a_pile_is_decoded_from_the_last_keyframe_on() -> None:
    pile = Pile[int]()
    ms = 1_000_000

    def add(number: int, arrival_ms: int) -> list[int]:
        due = pile.add(number, arrival_ms * ms, dts_ns=40 * number * ms, size=100, keyframe=number % 10 == 0)
        return [packet for packet, _ in due]

    assert [add(number, 40 * number) for number in range(12)] == [[number] for number in range(12)]
    stalled = [add(number, 2000 + number) for number in range(12, 38)]
    assert stalled[0] == [12]  # it came after the stall, not in a burst
    assert [due for due in stalled if due] == [[12], [20], [30]]
    assert pile.skipped == 7 + 9
    assert add(38, 2040) == []  # 520 ms late
    assert add(39, 2055) == list(range(31, 40))
    assert [add(number, 40 * number + 495) for number in range(40, 60)] == [
        [number] for number in range(40, 60)
    ]
    assert pile.skipped == 7 + 9


def test_a_pile_that_no_keyframe_ends_is_bounded() -> None:
    pile = Pile[int]()
    pile.add(0, 0, dts_ns=0, size=1, keyframe=True)
    pile.add(1, 10**13, dts_ns=S, size=1, keyframe=False)
    sizes = [
        len(pile.add(n, 10**13 + n, dts_ns=n * S // 25, size=1_000_000, keyframe=False))
        for n in range(26, 300)
    ]
    assert sum(sizes) >= 200
    assert max(sizes) <= 33


def test_a_pile_of_tiny_packets_is_bounded() -> None:
    pile = Pile[int]()
    pile.add(0, 0, dts_ns=0, size=1, keyframe=True)
    pile.add(1, 10**13, dts_ns=S, size=1, keyframe=False)
    held = most_held = 0
    for n in range(26, 50_000):
        held += 1 - len(pile.add(n, 10**13 + n, dts_ns=n * S // 25, size=10, keyframe=False))
        most_held = max(most_held, held)
        if most_held > 32_000:
            break
    assert 10_000 < most_held <= 32_000


def test_over_a_link_that_is_slow_and_delivers_in_bursts_nothing_waits_for_the_next_burst() -> None:
    pile, decoded = Pile[int](), []
    for number in range(300):
        burst, within = divmod(number, 10)
        arrival_ns = burst * 800_000_000 + within * 1_000_000
        due = pile.add(number, arrival_ns, dts_ns=number * S // 25, size=9, keyframe=within == 0)
        decoded += [packet for packet, _ in due]
    for burst in range(4, 30):  # the first second shows that nothing catches up
        assert [number for number in decoded if number // 10 == burst] == list(
            range(10 * burst, 10 * burst + 10)
        )


def test_what_waits_when_the_connection_ends_is_skipped() -> None:
    pile = Pile[int]()
    assert pile.add(0, 0, dts_ns=0, size=9, keyframe=True)
    assert pile.add(1, 5 * S, dts_ns=S // 25, size=9, keyframe=False)
    assert not pile.add(2, 5 * S, dts_ns=2 * S // 25, size=9, keyframe=False)
    pile.connected()
    assert pile.skipped == 1
    assert pile.add(0, 9 * S, dts_ns=0, size=9, keyframe=True) == [(0, 9 * S)]
    assert pile.skipped == 1


class Replayed(NetworkSource):
    """A clip whose packets arrive when `arrival_s` says so, by their number; None ends the connection."""

    def __init__(self, clip: Path, arrival_s: Callable[[int], float | None]) -> None:
        self.manual = ManualClock()
        self.arrival_s = arrival_s
        self.read = 0
        super().__init__(parse_address(str(clip)), SourceOptions(), self.manual)

    def _packets(self, container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
        started_ns = self.manual.now_ns()
        for number, packet in enumerate(container.demux(stream)):
            arrival_s = self.arrival_s(number)
            if arrival_s is None:
                return
            self.manual.advance((started_ns - self.manual.now_ns()) / S + arrival_s)
            self.read += 1
            yield packet


@pytest.fixture
def replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Replayed]:
    clip = make_clip(tmp_path / "a.ts", 60, bf="0", g="30", tune="zerolatency", sc_threshold="0")
    monkeypatch.setattr(demuxing, "open_network", lambda address, transport: demuxing.open_recording(address))
    return lambda arrival_s: Replayed(clip, arrival_s)


def test_what_waited_when_the_connection_broke_is_told_of_by_the_next(
    replayed: Callable[..., Replayed],
) -> None:
    source = replayed(lambda number: number / 30 if number < 10 else 5.0 if number < 26 else None)
    with source:
        first = list(source)
    assert len(first) == 11  # the eleventh came after the stall, not in a burst
    assert not any(one.skipped for one in first)
    source.arrival_s = lambda number: number / 30
    for skipped in (15, 0):
        with source:
            again = list(source)
        assert len(again) == 60
        assert [one.skipped for one in again] == [skipped] + [0] * 59


def test_it_can_be_stopped_while_a_backlog_comes_in(replayed: Callable[..., Replayed]) -> None:
    def arrival_s(number: int) -> float:
        if number == 15:
            source.stop()
        return number / 30 if number < 10 else 5.0

    source = replayed(arrival_s)
    with source:
        assert len(list(source)) == 11
    assert source.read == 16


def test_over_a_link_that_is_too_slow_nothing_waits() -> None:
    pile = Pile[int]()
    for number in range(200):
        due = pile.add(number, number * S // 12, dts_ns=number * S // 25, size=9, keyframe=number % 50 == 0)
        assert [packet for packet, _ in due] == [number]
    assert not pile.skipped


@pytest.mark.parametrize("bframes", ["0", "3"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_decoded_after_a_skip_is_what_the_camera_saw(tmp_path: Path, seed: int, bframes: str) -> None:
    clip = make_clip(
        tmp_path / "a.ts", 120, bf=bframes, g="12", sc_threshold="0", **{"x264-params": "open-gop=1"}
    )
    whole = decoded(clip, lambda number: number * S // 30)
    rng = random.Random(seed)
    stalls = sorted(rng.uniform(0, 90 / 30) for _ in range(2))

    def arrival(number: int) -> int:
        sent_s, end_s = number / 30, 0.0
        for stall_s in stalls:
            if stall_s < sent_s < stall_s + 2:
                end_s = stall_s + 2
        return round(max(sent_s, end_s) * S)

    seen = decoded(clip, arrival)
    assert len(seen) < len(whole) == 120
    assert max(seen) == max(whole)
    for pts, pixels in seen.items():
        assert np.array_equal(pixels, whole[pts]), pts


def decoded(clip: Path, arrival_ns: Callable[[int], int]) -> dict[int, Any]:
    """Pictures by their presentation time, decoded as they would be if packets arrived at these times."""
    address = parse_address(str(clip))
    container, stream = demuxing.open_recording(address)
    decoding, pile, skipped = Decoding(stream, address), Pile[Any](), 0
    seen = {}
    with container:
        for number, packet in enumerate(container.demux(stream)):
            due = pile.add(
                packet,
                arrival_ns(number),
                dts_ns=decoding.ns(packet.dts),
                size=packet.size,
                keyframe=packet.is_keyframe,
            )
            if pile.skipped > skipped:
                stream.codec_context.flush_buffers()
                skipped = pile.skipped
            for one, arrived_ns in due:
                for frame in decoding.decode(one, arrived_ns):
                    assert frame.pts is not None
                    seen[frame.pts] = decoding.captured(frame, 0).picture.bgr()
    return seen
