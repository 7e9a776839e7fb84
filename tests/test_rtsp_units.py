"""What is lost, late, doubled or broken on the way: every access unit comes out as it was, or marked."""

import random
import struct
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.rtsp.failures import Unsupported
from streamer.rtsp.nal import PACKINGS
from streamer.rtsp.order import WAIT_NS, Order
from streamer.rtsp.rtcp import Goodbye, Reception, SenderReport, read_reports, receiver_report
from streamer.rtsp.rtp import DecodeTimes, Packet, Stamps, read_packet
from streamer.rtsp.units import LARGEST_BYTES, START, AccessUnit, Assembly

MTU = 40  # small, so that small units are cut
H264_KEY, H264_INTER, SPS, PPS = b"\x65\x88", b"\x41\x9a", b"\x67\x42\x00\x1e", b"\x68\xce"
H265_KEY, H265_INTER, VPS = b"\x26\x01\xaf", b"\x02\x01\xd0", b"\x40\x01\x0c"


def fragments(codec: str, nal: bytes) -> list[bytes]:
    """A unit in packets: whole, or as FU-A (RFC 6184, 5.8) and FU (RFC 7798, 4.4.3)."""
    if len(nal) <= MTU:
        return [nal]
    head = 1 if codec == "h264" else 2
    parts = [nal[at : at + MTU - 3] for at in range(head, len(nal), MTU - 3)]
    made = []
    for number, part in enumerate(parts):
        bits = (number == 0) << 7 | (number == len(parts) - 1) << 6
        if codec == "h264":
            made.append(bytes((nal[0] & 0xE0 | 28, bits | nal[0] & 31)) + part)
        else:
            made.append(bytes((nal[0] & 0x81 | 49 << 1, nal[1], bits | nal[0] >> 1 & 63)) + part)
    return made


def aggregate(codec: str, nals: Sequence[bytes]) -> bytes:
    """Several units in one packet: STAP-A (RFC 6184, 5.7.1) and AP (RFC 7798, 4.4.2)."""
    head = b"\x78" if codec == "h264" else b"\x60\x01"
    return head + b"".join(struct.pack("!H", len(nal)) + nal for nal in nals)


def packets(codec: str, units: Sequence[Sequence[bytes]], number: int = 0, stamp: int = 0) -> list[Packet]:
    made = []
    for nals in units:
        bodies = [body for nal in nals for body in fragments(codec, nal)]
        for place, body in enumerate(bodies, 1):
            made.append(Packet(body, place == len(bodies), 96, number & 0xFFFF, stamp & 0xFFFFFFFF, 7))
            number += 1
        stamp += 3000
    return made


def assembled(
    codec: str, sent: Sequence[Packet], wait_ns: int = 0, sets: Sequence[bytes] = ()
) -> list[AccessUnit]:
    order: Order[Packet] = Order(wait_ns)
    assembly = Assembly(PACKINGS[codec], sets)
    units = []
    for now_ns, packet in enumerate(sent):
        for lost, one in order.add(packet.sequence, packet, now_ns):
            units += assembly.add(one.payload, one.stamp, marker=one.marker, lost=lost, now_ns=now_ns)
    for lost, one in order.overdue(WAIT_NS + len(sent)):
        units += assembly.add(one.payload, one.stamp, marker=one.marker, lost=lost, now_ns=0)
    return units


def bytes_of(nals: Sequence[bytes]) -> bytes:
    return b"".join(START + nal for nal in nals)


def pictures(codec: str, rng: random.Random, count: int, group: int) -> list[list[bytes]]:
    key, inter = (H264_KEY, H264_INTER) if codec == "h264" else (H265_KEY, H265_INTER)
    sets = [SPS, PPS] if codec == "h264" else [VPS + b"x"]
    made = []
    for number in range(count):
        first = key if number % group == 0 else inter
        # Further slices do not begin at the first macroblock.
        slices = [first[:-1] + bytes((first[-1] & 0x7F,)) for _ in range(rng.randrange(3))]
        nals = [one + rng.randbytes(rng.randint(1, 200)) for one in [first, *slices]]
        made.append([*(sets if number % group == 0 else []), *nals])
    return made


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    codec=st.sampled_from(["h264", "hevc"]),
    number=st.integers(0, 0xFFFF),
    stamp=st.integers(0, 0xFFFFFFFF),
)
def test_what_is_sent_comes_out_identical(seed: int, codec: str, number: int, stamp: int) -> None:
    units = pictures(codec, random.Random(seed), 12, 5)
    out = assembled(codec, packets(codec, units, number, stamp))
    assert [bytes(one.data) for one in out] == [bytes_of(nals) for nals in units]
    assert [one.keyframe for one in out] == [place % 5 == 0 for place in range(12)]
    assert all(one.whole and not one.lost_before for one in out)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 1 << 32), codec=st.sampled_from(["h264", "hevc"]), loss=st.sampled_from([0.02, 0.2])
)
def test_what_was_lost_is_marked(seed: int, codec: str, loss: float) -> None:
    rng = random.Random(seed)
    units = pictures(codec, rng, 40, 8)
    sent = packets(codec, units, 65_500, 0xFFFFFF00)
    left = [packet for packet in sent if packet is sent[0] or rng.random() >= loss]
    out = {one.stamp: one for one in assembled(codec, left)}
    lost_stamps = {packet.stamp for packet in sent} - {packet.stamp for packet in left}
    known = {nal for nals in units for nal in nals}
    sets = (SPS, PPS, VPS + b"x")
    before = None
    for place, nals in enumerate(units):
        stamp = 0xFFFFFF00 + 3000 * place & 0xFFFFFFFF
        complete = sum(p.stamp == stamp for p in left) == sum(p.stamp == stamp for p in sent)
        unit = out.get(stamp)
        if unit is None:
            assert not complete or stamp == sent[-1].stamp
        elif unit.whole and not complete:
            # Only what stands before the picture itself may be missing: the parameter sets that we have.
            parts = bytes(unit.data).split(START)[1:]
            assert [nal for nal in nals if nal not in sets] == [nal for nal in parts if nal not in sets]
        elif complete:
            assert bytes(unit.data).endswith(bytes_of(nals))
            assert unit.whole
        if unit is not None:
            # A part of a unit is never handed on.
            assert all(part in known for part in bytes(unit.data).split(START)[1:])
            if before in lost_stamps and unit.whole:
                assert unit.lost_before
        before = stamp


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), far=st.integers(1, 20))
def test_reordered_and_doubled_datagrams_change_nothing(seed: int, far: int) -> None:
    rng = random.Random(seed)
    units = pictures("h264", rng, 12, 5)
    sent = packets("h264", units, 65_530, 0)
    keyed = [(place + (rng.uniform(0, far) if place else 0), packet) for place, packet in enumerate(sent)]
    keyed += [(key + rng.uniform(0, far), packet) for key, packet in keyed if rng.random() < 0.2]
    mixed = [packet for _, packet in sorted(keyed, key=lambda pair: pair[0])]
    out = assembled("h264", mixed, WAIT_NS)
    assert [bytes(one.data) for one in out] == [bytes_of(nals) for nals in units]
    assert all(one.whole and not one.lost_before for one in out)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_several_units_in_one_packet(codec: str) -> None:
    nals = pictures(codec, random.Random(1), 1, 1)[0]
    one = Packet(aggregate(codec, nals), True, 96, 5, 0, 7)
    (unit,) = assembled(codec, [one])
    assert bytes(unit.data) == bytes_of(nals)
    assert unit.keyframe
    cut = one._replace(payload=aggregate(codec, [*nals, nals[-1]])[:-1])
    (unit,) = assembled(codec, [cut])
    assert bytes(unit.data) == bytes_of(nals)
    assert not unit.whole
    assert not unit.keyframe


@pytest.mark.parametrize(
    ("codec", "payload"), [("h264", b"\x79\0\1"), ("h264", b"\x7d\0\1"), ("hevc", b"\x64\1\1")]
)
def test_interleaved_packets_are_somebody_elses(codec: str, payload: bytes) -> None:
    with pytest.raises(Unsupported):
        assembled(codec, [Packet(payload, True, 96, number, 0, 7) for number in range(5)])


def test_a_wrong_byte_is_no_other_packetization() -> None:
    units = pictures("h264", random.Random(3), 4, 2)
    sent = packets("h264", units)
    strange = [Packet(b"\x79\0\1", False, 96, sent[-1].sequence + place, 12_000, 7) for place in range(1, 30)]
    out = assembled("h264", [*sent, *strange])
    assert len(out) == 4
    before = [Packet(b"\x79\0\1", False, 96, 65_532 + place, 0, 7) for place in range(4)]
    first, *rest = assembled("h264", [*before, *sent])
    assert not first.whole
    assert all(one.whole for one in rest)


def test_parameter_sets_of_the_description_go_before_the_first_keyframe_only() -> None:
    units = [[H264_KEY + b"k"], [H264_INTER + b"i"], [H264_KEY + b"k"]]
    out = assembled("h264", packets("h264", units), sets=[SPS, PPS])
    assert bytes(out[0].data) == bytes_of([SPS, PPS, *units[0]])
    assert [bytes(one.data) for one in out[1:]] == [bytes_of(nals) for nals in units[1:]]
    own = assembled("h264", packets("h264", [[SPS + b"2", *units[0]]]), sets=[SPS, PPS])
    assert bytes(own[0].data) == bytes_of([SPS, PPS, SPS + b"2", *units[0]])  # its own is the last word


def test_without_markers_the_next_time_stamp_ends_a_unit() -> None:
    units = pictures("h264", random.Random(2), 6, 3)
    sent = [packet._replace(marker=False) for packet in packets("h264", units)]
    out = assembled("h264", sent)
    assert [bytes(one.data) for one in out] == [bytes_of(nals) for nals in units[:-1]]


def test_a_camera_that_marks_each_slice_is_found_out() -> None:
    slices = [H264_KEY + b"a", b"\x65\x08b", b"\x65\x09c"]
    sent = [
        Packet(nal, True, 96, 3 * picture + place, 3000 * picture, 7)
        for picture in range(4)
        for place, nal in enumerate(slices)
    ]
    out = assembled("h264", sent)
    assert [bytes(one.data) for one in out[-2:]] == [bytes_of(slices)] * 2
    assert all(one.whole and one.keyframe for one in out[-2:])


def test_parameter_sets_with_a_time_stamp_of_their_own() -> None:
    sent = [Packet(SPS, True, 96, 1, 0, 7), Packet(PPS, True, 96, 2, 0, 7)]
    sent.append(Packet(H264_KEY + b"x", True, 96, 3, 3000, 7))
    (unit,) = assembled("h264", sent)
    assert bytes(unit.data) == bytes_of([SPS, PPS, H264_KEY + b"x"])


def test_recovery_points_are_keyframes_that_take_a_while() -> None:
    # D.1.8: type 6, 1 byte: recovery_frame_cnt 0 is "1", 4 is "00101".
    for bits, count in ((0xC4, 0), (0x2E, 4)):
        units = [[bytes((6, 6, 1, bits, 0x80)), b"\x41\x88x"]]
        (unit,) = assembled("h264", packets("h264", units))
        assert (unit.keyframe, unit.recovery) == (True, count)


def test_a_recovery_point_whose_picture_was_lost_makes_no_keyframe_of_the_next() -> None:
    units = [[SPS, bytes((6, 6, 1, 0xC4, 0x80)), H264_INTER + b"x"], [H264_INTER + b"y"]]
    sent = packets("h264", units)
    del sent[2]
    (unit,) = assembled("h264", sent)
    assert not unit.keyframe
    assert unit.lost_before


def test_no_more_than_a_bound_is_held() -> None:
    assembly = Assembly(PACKINGS["h264"], ())
    part = b"\x7c\x05" + bytes(60_000)
    assembly.add(b"\x7c\x85\x88" + bytes(60_000), 0, marker=False, lost=0, now_ns=0)
    for _ in range(2 * LARGEST_BYTES // 60_000):
        assembly.add(part, 0, marker=False, lost=0, now_ns=0)
        assert len(assembly._data) <= LARGEST_BYTES
    (unit,) = assembly.add(H264_INTER + b"x", 3000, marker=False, lost=0, now_ns=0)
    assert not unit.whole
    assert len(unit.data) < 10


@settings(max_examples=200, deadline=None)
@given(
    codec=st.sampled_from(["h264", "hevc"]),
    payloads=st.lists(st.tuples(st.binary(max_size=30), st.integers(0, 3), st.booleans()), max_size=40),
)
def test_noise_never_escapes_as_something_else(codec: str, payloads: list[tuple[bytes, int, bool]]) -> None:
    assembly = Assembly(PACKINGS[codec], ())
    for data, stamp, marker in payloads:
        try:
            assembly.add(data, stamp, marker=marker, lost=0, now_ns=0)
        except Unsupported:
            return


@given(st.binary(max_size=60))
def test_noise_is_no_packet_and_no_report(data: bytes) -> None:
    packet = read_packet(memoryview(data))
    assert packet is None or len(packet.payload) <= len(data) - 12
    read_reports(memoryview(data))


def test_headers_with_everything_in_them() -> None:
    head = struct.pack("!BBHIIII", 0xB2, 0xE0, 9, 8, 7, 1, 2)  # padding, extension, two contributors
    data = head + struct.pack("!HHI", 0xBEDE, 1, 5) + b"payload" + b"\0\0\3"
    packet = read_packet(memoryview(data))
    assert packet is not None
    assert bytes(packet.payload) == b"payload"
    assert packet[1:] == (True, 96, 9, 8, 7)
    for cut in range(len(head) + 8):
        assert read_packet(memoryview(data[:cut])) is None


def test_a_sender_that_begins_anew_is_followed() -> None:
    order: Order[int] = Order(0)
    numbers = [100, 101, 40_000, 40_001, 40_002]
    assert [order.add(number, number, 0) for number in numbers] == [
        [(0, 100)],
        [(0, 101)],
        [],
        [(1, 40_000), (0, 40_001)],
        [(0, 40_002)],
    ]


def test_a_stray_number_is_no_new_beginning() -> None:
    order: Order[int] = Order(0)
    handed = [pair for number in (1, 2, 40_000, 3, 4) for pair in order.add(number, number, 0)]
    assert handed == [(0, 1), (0, 2), (0, 3), (0, 4)]


def test_what_does_not_come_is_waited_for_only_so_long() -> None:
    order: Order[int] = Order(WAIT_NS)
    assert order.add(1, 1, 0) == [(0, 1)]
    assert order.add(4, 4, 10) == []
    assert order.due_ns == 10 + WAIT_NS
    assert order.overdue(9 + WAIT_NS) == []
    assert order.overdue(10 + WAIT_NS) == [(2, 4)]
    assert order.add(3, 3, 11 + WAIT_NS) == []  # too late
    assert order.due_ns is None
    assert (order.expected, order.received) == (4, 3)


def test_stamps_wrap_and_go_back() -> None:
    stamps = Stamps(90_000)
    given_ = [0xFFFFF000, 0xFFFFFFF0, 0x10, 0x0, 0x2000]
    assert [stamps.unwrap(one, 0) for one in given_] == [0, 0xFF0, 0x1010, 0x1000, 0x3000]
    stamps.begin_anew(77, 1_000_000_000)
    assert stamps.unwrap(77, 1_000_000_000) == 0x3000 + 90_000


@pytest.mark.parametrize("shown", [[0, 1, 2, 3, 4, 5], [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11]])
def test_decoding_times_only_grow(shown: list[int]) -> None:
    times = DecodeTimes()
    decoded = [times.after(one) for one in shown]
    assert all(a <= b for a, b in pairwise(decoded[4:]))
    assert all(time <= one for time, one in zip(decoded, shown, strict=True))


def test_reports_both_ways() -> None:
    # 2026-01-01 and half a second; and one in NTP's second era, which begins in 2036.
    for unix_s in (1_767_225_600, 2_200_000_000):
        ntp = unix_s + 2_208_988_800 & 0xFFFFFFFF
        sender = struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, ntp, 1 << 31, 4711, 0, 0)
        bye = struct.pack("!BBHI", 0x81, 203, 1, 7)
        report, goodbye = read_reports(memoryview(sender + bye))
        assert isinstance(report, SenderReport)
        assert (report.ssrc, report.stamp, report.unix_ns) == (7, 4711, unix_s * 10**9 + 5 * 10**8)
        assert goodbye == Goodbye((7,))
    data = receiver_report(9, b"freshframe", Reception(7, 3, -1, 70_000, 5, 6, 8))
    assert len(data) % 4 == 0
    assert struct.unpack_from("!BBHIIIIIII", data) == (
        0x81,
        201,
        7,
        9,
        7,
        3 << 24 | 0xFFFFFF,
        70_000,
        5,
        6,
        8,
    )
    assert read_reports(memoryview(data)) == []
