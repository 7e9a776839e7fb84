"""The fates of packets and streams behind the impairment proxy, as pure functions of a driven clock."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.impair import Impairment
from streamer.impair.bucket import BURST_S, Bucket
from streamer.impair.datagrams import MOST_HELD_BYTES, PATIENCE_S, QUEUE_BYTES, DatagramLine
from streamer.impair.link import Direction, Link
from streamer.impair.luck import FURTHEST_REORDER
from streamer.impair.stream import RETRANSMISSION_S, SEGMENT_BYTES, WINDOW_BYTES, StreamLine

pytestmark = pytest.mark.timeout(20)


Arrival = tuple[float, int]  # when, which packet

shares = st.floats(0, 1)
impairments = st.builds(
    Impairment, delay_s=st.floats(0, 2), jitter_s=st.floats(0, 2), loss=shares, duplicate=shares, flip=shares
)


def packets_through(
    impairment: Impairment, count: int, *, seed: str = "s", every_s: float = 0.01, size_bytes: int = 100
) -> list[Arrival]:
    """Send numbered packets at a steady pace; every one that arrives, in order."""
    line: DatagramLine[None] = DatagramLine(impairment, Bucket(impairment.rate_bps), seed)
    arrived: list[Arrival] = []

    def arrive(until_s: float) -> None:
        while line.next_s is not None and line.next_s <= until_s:
            now_s = line.next_s
            arrived.extend((now_s, int.from_bytes(packet[:4], "big")) for packet, _ in line.take(now_s))

    for number in range(count):
        arrive(number * every_s)
        line.offer(number.to_bytes(4, "big").ljust(size_bytes), None, number * every_s)
    arrive(1e9)
    assert line.next_s is None
    return arrived


def through(line: StreamLine, data: bytes, cuts: list[int], now_s: float = 0.0) -> bytes:
    """Send a stream in pieces that end at `cuts`; what arrives in the end."""
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        rest = data[start:end]
        while rest:
            piece = rest[: line.step(10_000)]
            rest = rest[len(piece) :]
            line.offer(piece, now_s)
    out = b""
    while line.next_s is not None:
        out += line.take(line.next_s, 1000)
    return out


class TestDatagrams:
    def test_a_perfect_link_changes_nothing(self) -> None:
        assert packets_through(Impairment(), 50) == [(number * 0.01, number) for number in range(50)]

    @given(impairments, st.integers(0, 5))
    @settings(max_examples=30, deadline=None)
    def test_the_seed_decides_and_order_is_kept(self, impairment: Impairment, seed: int) -> None:
        unflipped = Impairment(
            impairment.delay_s, impairment.jitter_s, impairment.loss, 0, impairment.duplicate
        )
        arrived = packets_through(unflipped, 60, seed=str(seed))
        assert arrived == packets_through(unflipped, 60, seed=str(seed))
        assert [number for _, number in arrived] == sorted(number for _, number in arrived)
        for when_s, number in arrived:
            sent_s = number * 0.01
            assert when_s >= sent_s + impairment.delay_s
            # Behind one before it, at the latest.
            assert when_s <= sent_s + impairment.delay_s + impairment.jitter_s + 1e-9

    def test_other_seeds_bring_other_fates(self) -> None:
        lossy = Impairment(loss=0.5)
        fates = {tuple(number for _, number in packets_through(lossy, 50, seed=str(s))) for s in range(10)}
        assert len(fates) == 10

    @pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
    def test_shares(self, share: float) -> None:
        count = 20_000
        spread = 4 * (share * (1 - share) / count) ** 0.5 * count
        lossy = packets_through(Impairment(loss=share), count)
        assert count - len(lossy) == pytest.approx(share * count, abs=spread)
        doubled = packets_through(Impairment(duplicate=share), count)
        assert len(doubled) - count == pytest.approx(share * count, abs=spread)
        assert {number for _, number in doubled} == set(range(count))

    def test_kinds_of_impairment_do_not_disturb_each_other(self) -> None:
        lost = set(range(2000)) - {number for _, number in packets_through(Impairment(loss=0.05), 2000)}
        mixed = Impairment(loss=0.05, jitter_s=0.5, duplicate=0.3, flip=0, reorder=0.2)
        assert lost == set(range(2000)) - {number for _, number in packets_through(mixed, 2000)}
        more = set(range(2000)) - {number for _, number in packets_through(Impairment(loss=0.1), 2000)}
        assert lost < more

    def test_jitter_is_spread_evenly(self) -> None:
        # So far apart that none waits for one before it.
        arrived = packets_through(Impairment(jitter_s=0.5), 4000, every_s=1.0)
        late = sorted(when_s - number for when_s, number in arrived)
        quantiles = [late[int(len(late) * q)] for q in (0.1, 0.5, 0.9)]
        assert quantiles == pytest.approx([0.05, 0.25, 0.45], abs=0.02)

    def test_reordering(self) -> None:
        numbers = [number for _, number in packets_through(Impairment(reorder=0.1), 20_000)]
        assert sorted(numbers) == list(range(20_000))
        overtaken = sum(any(later < one for later in numbers[i + 1 : i + 8]) for i, one in enumerate(numbers))
        behind = 0
        highest = -1
        for number in numbers:
            behind += number < highest
            highest = max(highest, number)
        assert behind == pytest.approx(2000, abs=170)
        assert overtaken >= behind
        place = {number: index for index, number in enumerate(numbers)}
        # It may also wait for some that wait themselves.
        assert max(place[n] - n for n in place) <= 4 * FURTHEST_REORDER

    def test_who_nobody_overtakes_does_not_wait_for_ever(self) -> None:
        assert packets_through(Impairment(reorder=1.0), 1) == [(PATIENCE_S, 0)]

    @given(st.lists(st.tuples(st.floats(0, 0.3), st.integers(1, 1500)), min_size=1, max_size=80))
    @settings(max_examples=50, deadline=None)
    def test_no_window_holds_more_than_the_rate(self, sent: list[tuple[float, int]]) -> None:
        rate_bps = 80_000.0
        bucket, now_s = Bucket(rate_bps), 0.0
        passed: list[tuple[float, int]] = []
        for pause_s, size in sent:
            now_s += pause_s
            passed.append((bucket.take(now_s, size), size))
        times = [when_s for when_s, _ in passed]
        assert times == sorted(times)
        for first in range(len(passed)):
            for last in range(first, len(passed)):
                size = sum(size for _, size in passed[first : last + 1])
                window_s = passed[last][0] - passed[first][0]
                assert size <= (window_s + BURST_S) * rate_bps / 8 + passed[first][1] + 1e-6

    def test_what_finds_the_queue_full_is_lost(self) -> None:
        arrived = packets_through(Impairment(rate_bps=1e6), 1000, every_s=0, size_bytes=1000)
        assert QUEUE_BYTES - 3000 <= 1000 * len(arrived) <= QUEUE_BYTES + 5000
        assert arrived[-1][0] == pytest.approx(QUEUE_BYTES * 8 / 1e6, rel=0.05)

    @pytest.mark.parametrize("size_bytes", [4, 1400, 60_000])
    def test_memory_is_bounded(self, size_bytes: int) -> None:
        delayed = Impairment(delay_s=60, reorder=0.5, duplicate=0.5)
        count = 100_000 if size_bytes == 4 else 2 * MOST_HELD_BYTES // size_bytes
        arrived = packets_through(delayed, count, every_s=0, size_bytes=size_bytes)
        assert len(arrived) * (size_bytes + 100) <= MOST_HELD_BYTES
        assert len(arrived) > 100

    def test_a_change_does_not_leave_anything_behind(self) -> None:
        line: DatagramLine[None] = DatagramLine(Impairment(delay_s=60), Bucket(None), "s")
        line.offer(b"old", None, 0)
        line.be(Impairment(), Bucket(None), 1)
        line.offer(b"new", None, 1)
        assert [packet for packet, _ in line.take(1)] == [b"old", b"new"]

    def test_a_change_does_not_leave_behind_who_was_to_be_overtaken(self) -> None:
        line: DatagramLine[None] = DatagramLine(Impairment(delay_s=60, reorder=1.0), Bucket(None), "s")
        line.offer(b"old", None, 0)
        line.be(Impairment(reorder=1.0), Bucket(None), 1)
        assert line.next_s == 1 + PATIENCE_S
        line.be(Impairment(), Bucket(None), 1)
        assert [packet for packet, _ in line.take(1)] == [b"old"]

    @pytest.mark.parametrize(
        ("change", "last_s"),
        [
            (Impairment(rate_bps=1e6), 0.8),
            (Impairment(rate_bps=1e6, loss=0.5), 0.8),
            (Impairment(rate_bps=1e6, delay_s=5), 0.8),  # what was sent before is not delayed after all
            (Impairment(rate_bps=4e6), 0.48),
            (Impairment(rate_bps=1e5), 0.8),
            (Impairment(), 0.4),
        ],
    )
    def test_what_waits_at_the_bottleneck_goes_on_waiting(self, change: Impairment, last_s: float) -> None:
        link = Link(Impairment(rate_bps=1e6), 0)
        line: DatagramLine[None] = DatagramLine(link.impairment, link.bucket(Direction.DOWN), "s")
        for number in range(100):
            line.offer(number.to_bytes(1000, "big"), None, 0)
        arrived = line.take(0.4)
        assert 48 <= len(arrived) <= 53
        link.be(change)
        line.be(change, link.bucket(Direction.DOWN), 0.4)
        while line.next_s is not None:
            now_s = line.next_s
            arrived += line.take(now_s)
        assert [int.from_bytes(packet, "big") for packet, _ in arrived] == list(range(100))
        assert now_s == pytest.approx(last_s, abs=BURST_S + 0.001)


class TestStream:
    @given(impairments, st.lists(st.integers(0, 20_000), max_size=20), st.integers(0, 3))
    @settings(max_examples=40, deadline=None)
    def test_the_same_arrives_however_it_is_cut(
        self, impairment: Impairment, cuts: list[int], seed: int
    ) -> None:
        data = bytes(range(256)) * 79
        whole = through(StreamLine(impairment, str(seed)), data, [])
        cut = through(StreamLine(impairment, str(seed)), data, [one for one in cuts if one < len(data)])
        assert whole == cut
        wrong = [index for index in range(len(data)) if data[index] != whole[index]]
        assert len(whole) == len(data)
        segments = [index // SEGMENT_BYTES for index in wrong]
        assert len(set(segments)) == len(segments), "one byte of a segment at most"
        assert all((data[index] ^ whole[index]).bit_count() == 1 for index in wrong)

    def test_flips(self) -> None:
        data = bytes(SEGMENT_BYTES * 4000)
        out = through(StreamLine(Impairment(flip=0.1), "s"), data, [])
        assert sum(byte != 0 for byte in out) == pytest.approx(400, abs=80)

    def test_a_lost_segment_holds_up_what_follows(self) -> None:
        line = StreamLine(Impairment(loss=0.02, delay_s=0.05), "s")
        late = []
        for number in range(1000):
            now_s = number * 0.01
            while line.next_s is not None and line.next_s < now_s:
                line.take(line.next_s, 1)
            line.offer(bytes(SEGMENT_BYTES), now_s)
            late.append(line._last_s - now_s)
        assert min(late) == pytest.approx(0.05)
        assert max(late) == pytest.approx(0.05 + RETRANSMISSION_S)
        stalls = sum(one == pytest.approx(0.05 + RETRANSMISSION_S) for one in late)
        assert stalls == pytest.approx(20, abs=15)
        assert all(after >= before - 0.01 - 1e-9 for before, after in pairwise(late)), "order is kept"

    def test_a_change_does_not_leave_anything_behind(self) -> None:
        line = StreamLine(Impairment(delay_s=60), "s")
        line.offer(b"old", 0)
        line.be(Impairment(), 1)
        line.offer(b"new", 1)
        assert line.take(1, 100) == b"oldnew"

    def test_a_change_of_something_else_leaves_what_is_on_its_way(self) -> None:
        line = StreamLine(Impairment(delay_s=0.05, jitter_s=5), "s")
        line.offer(b"old", 0)
        due_s = line.next_s
        line.be(Impairment(delay_s=0.05, jitter_s=5, flip=0.1), 0.01)
        assert line.next_s == due_s

    @pytest.mark.parametrize("piece", [b"x", bytes(SEGMENT_BYTES)])
    def test_memory_is_bounded(self, piece: bytes) -> None:
        line = StreamLine(Impairment(delay_s=1), "s")
        count = 0
        while not line.full:
            line.offer(piece[: line.step(2000)], 0)
            count += 1
        assert count * (len(piece) + 100) <= WINDOW_BYTES + 2000
        line.take(1, 1)
        assert not line.full
