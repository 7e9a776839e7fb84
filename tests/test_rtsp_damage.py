"""R5: what leans on lost or wrong data is marked, what does not is not. The truth is the picture itself."""

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from rtsp_reading import clip_of
from scripted_camera import rtp
from source_clips import make_clip

from streamer.fakecam.clip import AccessUnit, Clip
from streamer.rtsp.nal import PACKINGS
from streamer.rtsp.order import Order
from streamer.rtsp.rtp import Packet, read_packet
from streamer.rtsp.timing import Arrival
from streamer.rtsp.units import AccessUnit as Unit
from streamer.rtsp.units import Assembly
from streamer.sources import open_source, parse_address
from streamer.sources.damage import Damage
from streamer.sources.joining import Joining


@pytest.fixture(scope="module", params=["1", "0"], ids=["cabac", "cavlc"])
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    path = tmp_path_factory.mktemp("clip") / "a.h264"
    coder = {"x264-params": f"cabac={request.param}:scenecut=0"}
    once = clip_of(make_clip(path, 120, bf="0", g="15", tune="zerolatency", **coder))
    # Three times as long, for more luck.
    again = [
        AccessUnit(unit.ticks + turn * once.ticks, unit.keyframe, unit.nals)
        for turn in range(3)
        for unit in once.units
    ]
    return Clip("clip", tuple(again), Fraction(1, 30))


def seen(packets: list[bytes]) -> Iterator[tuple[int, np.ndarray, bool]]:
    """Which picture, its pixels, and whether it is marked."""
    order, assembly = Order[Packet](0), Assembly(PACKINGS["h264"], ())
    joining = Joining(parse_address("rtsp://127.0.0.1/x"))
    joining.connected("h264")
    for data in packets:
        packet = read_packet(memoryview(data))
        assert packet is not None
        for lost, one in order.add(packet.sequence, packet, 0):
            for unit in assembly.add(one.payload, one.stamp, marker=one.marker, lost=lost, now_ns=0):
                ns = unit.stamp * 1_000_000_000 // 90_000
                unit_at = Arrival(unit, unit.stamp, ns, ns, None)
                for captured in joining.pictures(unit_at):
                    yield round((captured.pts_ns or 0) * 30 / 1e9), captured.picture.bgr(), captured.damaged


def wrong(packet: bytes, rng: random.Random) -> bytes:
    changed = bytearray(packet)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(12, len(changed))] ^= rng.randint(1, 255)
    return bytes(changed)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.05])
@pytest.mark.parametrize("what", ["lost", "wrong"])
def test_all_that_is_damaged_is_marked_and_nothing_else(clip: Clip, share: float, what: str) -> None:
    packets, rng = rtp(clip.units), random.Random(2)
    clean = {number: pixels for number, pixels, damaged in seen(packets) if not damaged}
    assert len(clean) == len(clip.units)
    hit = [number > 20 and rng.random() < share for number in range(len(packets))]
    hit[len(packets) // 2] = True
    sent = [
        wrong(packet, rng) if bad else packet
        for packet, bad in zip(packets, hit, strict=True)
        if not (bad and what == "lost")
    ]
    found = {True: [0, 0], False: [0, 0]}  # by truth: marked not, marked
    for number, pixels, marked in seen(sent):
        bad = not np.array_equal(pixels, clean[number])
        found[bad][marked] += 1
    (_, false_alarms), (missed, right) = found[False], found[True]
    assert right > 0
    # Wrong bytes carry no number that is missing: in pictures as small as these the decoder gets through
    # with one in seven, and nothing is left that could tell.
    assert right >= (0.99 if what == "lost" else 0.6) * (right + missed)
    assert right >= (0.95 if what == "lost" else 0.8) * (right + false_alarms)


def test_h265_that_leans_on_a_loss_is_shown_and_marked(tmp_path: Path) -> None:
    params = "log-level=none:bframes=0:keyint=15:min-keyint=15:scenecut=0"
    film = make_clip(tmp_path / "a.ts", 60, "libx265", **{"x265-params": params})
    with av.open(str(film)) as container:
        coded = [bytes(packet) for packet in container.demux(video=0) if packet.size]

    def shown(leave_out: int | None) -> dict[int, tuple[bytes, bool]]:
        joining = Joining(parse_address("rtsp://127.0.0.1/x"))
        joining.connected("hevc")
        found = {}
        for number, data in enumerate(coded):
            if number == leave_out:
                continue
            key, after = number % 15 == 0, number - 1 == leave_out
            unit = Unit(bytearray(data), 3000 * number, key, 0, True, after, number * 33_000_000)
            ns = number * 33_000_000
            for captured in joining.pictures(Arrival(unit, 3000 * number, ns, ns, None)):
                number_shown = round((captured.pts_ns or 0) / 33e6)
                found[number_shown] = captured.picture.bgr().tobytes(), captured.damaged
        return found

    clean, hurt = shown(None), shown(20)
    assert not any(damaged for _, damaged in clean.values())
    assert {number for number, (_, damaged) in hurt.items() if damaged} == set(range(21, 30))
    assert all(damaged or pixels == clean[number][0] for number, (pixels, damaged) in hurt.items())


def test_damage_ends_with_a_keyframe_that_came_whole() -> None:
    damage = Damage()
    judge = damage.judge
    assert not judge(0, keyframe=True, whole=True)
    assert judge(1, keyframe=False, whole=False)
    assert judge(2, keyframe=False, whole=True)
    assert judge(3, keyframe=True, whole=False)
    assert judge(4, keyframe=False, whole=True)
    assert not judge(5, keyframe=True, whole=True, lost_before=True)
    assert judge(6, keyframe=False, whole=True, lost_before=True)
    damage.lost()
    assert not judge(7, keyframe=True, whole=True)


def test_what_is_shown_before_the_keyframe_leans_on_what_was_lost() -> None:
    damage = Damage()
    damage.lost()
    # As they are decoded: the keyframe is shown third.
    shown = [3, 1, 2, 6, 4, 5]
    marked = [damage.judge(pts, keyframe=pts == 3, whole=True) for pts in shown]
    assert marked == [False, True, True, False, False, False]


def test_a_keyframe_in_pieces_heals_after_its_last_piece() -> None:
    damage = Damage()
    damage.lost()
    marked = [damage.judge(pts, keyframe=pts == 1, whole=True, recovery=3) for pts in range(7)]
    assert marked == [True, True, True, True, False, False, False]


def test_what_ffmpeg_cannot_decode_marks_what_follows_in_a_recording(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="0", g="20", sc_threshold="0", tune="zerolatency")
    data = bytearray(clip.read_bytes())
    with av.open(str(clip)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0)]
    start, size = places[27]
    assert start is not None
    data[start + 8 : start + size] = bytes(byte ^ 0x5A for byte in data[start + 8 : start + size])
    (tmp_path / "spot.mp4").write_bytes(data)
    with open_source(parse_address(str(tmp_path / "spot.mp4"))) as source:
        marked = {round((one.pts_ns or 0) * 30 / 1e9) for one in source if one.damaged}
    assert set(range(28, 40)) <= marked <= set(range(27, 40))
