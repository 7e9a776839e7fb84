"""What piled up on its way is decoded from its last keyframe on, and never held for long."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from source_clips import make_clip
from test_backlog import S

from streamer import ManualClock
from streamer.sources import SourceOptions, demuxing, parse_address
from streamer.sources.decoding import Decoding
from streamer.sources.network import NetworkSource
from streamer.sources.pile import Pile

pytestmark = pytest.mark.timeout(60)


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
