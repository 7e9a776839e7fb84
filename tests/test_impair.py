"""The impairment proxy: its fates as pure functions of a driven clock, and real TCP connections behind it."""

import asyncio
import contextlib
import errno
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cli import main
from streamer.errors import ConfigError
from streamer.impair import Impaired, Impairment, connection, way
from streamer.impair.bucket import BURST_S, Bucket
from streamer.impair.commands import obey
from streamer.impair.connection import Connection
from streamer.impair.datagrams import MOST_HELD_BYTES, PATIENCE_S, QUEUE_BYTES, DatagramLine
from streamer.impair.link import Direction, Link
from streamer.impair.luck import FURTHEST_REORDER
from streamer.impair.rtsp import LARGEST_HEAD_BYTES, Message, NotRtsp, Splitter
from streamer.impair.senders import MOST_SENDERS
from streamer.impair.stream import RETRANSMISSION_S, SEGMENT_BYTES, WINDOW_BYTES, StreamLine
from streamer.impair.target import Target
from streamer.serving.complaints import Complaints
from tests.running import started

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


class Proxy:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.link = Link(Impairment(), 0)
        self.events: list[str] = []

    def be(self, impairment: Impairment) -> None:
        self.link.be(impairment)

    def reset(self) -> None:
        self.events.append("reset")

    def half_open(self) -> None:
        self.events.append("half_open")


class TestCommands:
    def test_each(self) -> None:
        proxy = Proxy()
        lines = ["delay 50", "jitter 2.5", "loss 0.05", "reorder 1", "duplicate .5", "flip 1e-3", "rate 2.5M"]
        for line in [*lines, "uplink on", "blackhole", "refuse", "reset", "half_open"]:
            obey(f"  {line}\r\n", proxy)
        assert proxy.link.impairment == Impairment(
            0.05, 0.0025, 0.05, 1.0, 0.5, 0.001, 2.5e6, uplink=True, blackhole=True, refuse=True
        )
        assert proxy.events == ["reset", "half_open"]
        obey("rate max", proxy)
        assert proxy.link.impairment.rate_bps is None
        obey("ok", proxy)
        assert proxy.link.impairment == Impairment()
        for text, rate_bps in [("500k", 5e5), ("9600", 9600.0), ("1G", 1e9), ("8", 8.0)]:
            obey(f"rate {text}", proxy)
            assert proxy.link.impairment.rate_bps == rate_bps

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("", "is not a command"),
            ("slow", "'slow' is not a command"),
            ("loss", "loss takes one value"),
            ("loss 0.1 0.2", "loss takes one value"),
            ("loss 1.5", "'1.5' is not a share"),
            ("loss nan", "'nan' is not a share"),
            ("ok please", "ok takes nothing"),
            ("rate fast", "'fast' is not a rate"),
            ("rate 0", "rate_bps 0: allowed is 8"),
            ("rate M", "'M' is not a rate"),
            ("delay -1", "'-1' is not a time"),
            ("delay 1e9", "'1e9' is not a time"),
            ("delay 100000", "delay_s 100: allowed is 0 to 60"),
            ("uplink maybe", "neither on nor off"),
            ("\0" * 200, "is not a command"),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_done(self, line: str, text: str) -> None:
        proxy = Proxy()
        with pytest.raises(ConfigError, match=re.escape(text)):
            obey(line, proxy)
        assert proxy.link.impairment == Impairment()
        assert not proxy.events

    def test_only_the_downlink_unless_asked(self) -> None:
        link = Link(Impairment(loss=1.0), 0)
        assert [link.towards(way).loss for way in link._towards] == [1.0, 0.0]
        link.be(Impairment(loss=1.0, uplink=True))
        assert [link.towards(way).loss for way in link._towards] == [1.0, 1.0]


class TestSplitter:
    STREAM = (
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nX-Odd:  two  spaces\r\n\r\n"
        b"$\x00\x00\x05abcde$\x01\x00\x00"
        b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 7\r\n\r\n$v=0\r\n!"
        b"\r\nOPTIONS * RTSP/1.0\r\nCSeq: 3\r\n\r\n$\x00\x01\x00" + bytes(256)
    )

    @given(st.lists(st.integers(0, len(STREAM)), max_size=12))
    @settings(deadline=None)
    def test_passes_everything_however_it_comes(self, cuts: list[int]) -> None:
        seen: list[str | None] = []
        splitter = Splitter(lambda message: seen.append(message.get("cseq")))
        out = b""
        for start, end in pairwise([0, *sorted(cuts), len(self.STREAM)]):
            out += splitter.feed(self.STREAM[start:end])
        assert out == self.STREAM
        assert seen == ["1", "2", "3"]

    def test_changes(self) -> None:
        def change(message: Message) -> None:
            message.put("cseq", "77")
            message.body = b"longer than it was"

        head = b"RTSP/1.0 200 OK\nCSeq: 1\nContent-length: 3\n\nabc"
        assert Splitter(change).feed(head) == (
            b"RTSP/1.0 200 OK\r\nCSeq: 77\r\nContent-length: 18\r\n\r\nlonger than it was"
        )

    @pytest.mark.parametrize("junk", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"options", b"A" * 70_000])
    def test_what_is_not_rtsp_is_handed_back(self, junk: bytes) -> None:
        splitter = Splitter(lambda message: None)
        with pytest.raises(NotRtsp) as info:
            splitter.feed(b"$\x00\x00\x01a" + junk)
        assert info.value.rest == b"$\x00\x00\x01a" + junk

    @pytest.mark.parametrize("nothing", [b"\r\n", b"\n", b"$\0\0\0", b"$\1\0\1x"])
    def test_nothing_at_all_passes_in_one_piece(self, nothing: bytes) -> None:
        class Counting(Splitter):
            pieces = 0

            def _taken(self, size_bytes: int) -> bytes:
                self.pieces += 1
                return super()._taken(size_bytes)

        splitter = Counting(lambda message: None)
        assert splitter.feed(nothing * 10_000) == nothing * 10_000
        assert splitter.pieces == 1

    def test_an_endless_head_is_not_gathered(self) -> None:
        splitter = Splitter(lambda message: None)
        with pytest.raises(NotRtsp):
            splitter.feed(b"OPTIONS * RTSP/1.0\r\n" + b"X: y\r\n" * (LARGEST_HEAD_BYTES // 5))


class TestTarget:
    def test_forms(self) -> None:
        assert Target("127.0.0.1:8554").scheme == "rtsp"
        target = Target("rtsp://u:p@127.0.0.1/cam0?x=1")
        assert (target.address[1], target.path) == (554, "/cam0?x=1")
        assert target.places == {"127.0.0.1", "127.0.0.1:554"}
        assert Target("tcp://localhost:80").address[1] == 80

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "",
                "x",
                "8554",
                "rtsp://",
                "http://127.0.0.1:80",
                "tcp://127.0.0.1",
                "a b:1",
                "127.0.0.1:99999",
            ),
            *("rtsps://u:hunter2@127.0.0.1:322", "u:hunter2@", "rtsp://u:hunter2@[x]:1"),
        ],
    )
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"allowed is rtsp://HOST:PORT/PATH") as info:
            Target(text)
        assert "hunter2" not in str(info.value)


class Server:
    """Answers each connection in a thread of its own: an echo, or a flood of zeros."""

    def __init__(self, *, flood: bool = False) -> None:
        self._flood = flood
        self.sent_bytes = 0
        self.ends: list[str] = []
        self.ended = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Server":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    @property
    def callers(self) -> int:
        return len(self._sockets)

    def wait_for_ends(self, count: int) -> list[str]:
        with self.ended:
            assert self.ended.wait_for(lambda: len(self.ends) >= count, 10)
        return self.ends

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock = self._listener.accept()[0]
                self._sockets.append(sock)
                self._threads.append(threading.Thread(target=self._serve, args=(sock,)))
                self._threads[-1].start()

    def _serve(self, sock: socket.socket) -> None:
        end = "closed"
        with sock:
            try:
                while self._flood:
                    self.sent_bytes += sock.send(bytes(4096))
                while data := sock.recv(65536):
                    sock.sendall(data)
            except OSError as error:
                end = type(error).__name__
        with self.ended:
            self.ends.append(end)
            self.ended.notify_all()


def call(proxy: Impaired, timeout_s: float = 5) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout_s)


def receive_one(proxy: Impaired) -> bytes:
    with call(proxy) as client:
        return client.recv(1)


def exactly(sock: socket.socket, size_bytes: int) -> bytes:
    parts = []
    while size_bytes:
        parts.append(sock.recv(size_bytes))
        assert parts[-1], "it ended early"
        size_bytes -= len(parts[-1])
    return b"".join(parts)


def somebody_was_faster(*_: object) -> None:
    raise OSError(errno.EADDRINUSE, "Address already in use")


def silent(sock: socket.socket, for_s: float = 0.2) -> bool:
    """Nothing comes, not even the end."""
    before = sock.gettimeout()
    sock.settimeout(for_s)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(before)
    return False


@pytest.fixture
def echo() -> Iterator[Server]:
    with Server() as server:
        yield server


class TestTcp:
    def test_a_perfect_link_and_a_clean_end(self, echo: Server) -> None:
        data = bytes(range(256)) * 4000
        with Impaired(echo.url) as proxy, call(proxy) as client:
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            assert exactly(client, len(data)) == data
            sender.join()
            client.sendall(b"last words")
            client.shutdown(socket.SHUT_WR)
            assert exactly(client, 10) == b"last words"
            assert client.recv(1) == b""
            assert echo.wait_for_ends(1) == ["closed"]

    def test_delay_is_added_on_the_downlink_and_on_both(self, echo: Server) -> None:
        with Impaired(echo.url, Impairment(delay_s=0.1)) as proxy, call(proxy) as client:
            for uplink, least_s in ((False, 0.1), (True, 0.2)):
                proxy.be(Impairment(delay_s=0.1, uplink=uplink))
                begun = time.monotonic()
                client.sendall(b"ping")
                assert exactly(client, 4) == b"ping"
                assert least_s <= time.monotonic() - begun < least_s + 2

    def test_in_order_and_whole_however_bad_it_is(self, echo: Server) -> None:
        bad = Impairment(0.01, 0.02, loss=0.02, reorder=0.5, duplicate=0.5, uplink=True, rate_bps=2e7)
        data = bytes(range(256)) * 400
        with Impaired(echo.url, bad) as proxy, call(proxy) as client:
            client.sendall(data)
            assert exactly(client, len(data)) == data

    def test_flips_repeat_with_the_seed(self, echo: Server) -> None:
        def echoed(seed: int) -> bytes:
            with Impaired(echo.url, Impairment(flip=0.2), seed=seed) as proxy, call(proxy) as client:
                client.sendall(bytes(100_000))
                return exactly(client, 100_000)

        first = echoed(1)
        assert first == echoed(1)
        assert first != echoed(2)
        assert 3 <= sum(byte != 0 for byte in first) <= 30

    def test_a_throttled_server_is_held_back_and_then_released(self) -> None:
        with (
            Server(flood=True) as server,
            Impaired(server.url, Impairment(rate_bps=1.6e6)) as proxy,
            call(proxy) as client,
        ):
            exactly(client, 10_000)
            begun, size_bytes = time.monotonic(), 0
            while time.monotonic() - begun < 0.6:
                size_bytes += len(client.recv(65536))
            rate_bps = size_bytes * 8 / (time.monotonic() - begun)
            assert 0.5e6 < rate_bps < 2.5e6  # without a limit hundreds of times as much
            # What was sent and did not arrive is in bounded buffers; the kernel's may be megabytes.
            assert server.sent_bytes < 10e6
            proxy.be(Impairment())
            begun = time.monotonic()
            exactly(client, 4_000_000)
            assert time.monotonic() - begun < 5  # 20 s as it was

    def test_a_byte_a_second(self, echo: Server) -> None:
        with Impaired(echo.url, Impairment(rate_bps=8)) as proxy, call(proxy) as client:
            client.sendall(b"0123456789")
            assert client.recv(100) == b"0"
            proxy.be(Impairment())
            assert exactly(client, 9) == b"123456789"

    def test_reset_reaches_both(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy.reset()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            assert echo.wait_for_ends(1) == ["ConnectionResetError"]
            with call(proxy) as again:
                again.sendall(b"b")
                assert again.recv(1) == b"b"

    def test_half_open_is_silence_for_good_and_new_ones_work(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy.half_open()
            client.sendall(b"b")
            assert silent(client)
            proxy.be(Impairment())
            with call(proxy) as again:
                again.sendall(b"c")
                assert again.recv(1) == b"c"
                assert silent(client)
                assert not echo.ends
                client.close()
                assert echo.wait_for_ends(1) == ["ConnectionResetError"]

    def test_a_black_hole_swallows_and_gives_back(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as before:
            before.sendall(b"a")
            assert before.recv(1) == b"a"
            proxy.be(Impairment(blackhole=True))
            before.sendall(b"b")
            with call(proxy) as during, call(proxy) as leaving:
                during.sendall(b"c")
                assert silent(during)
                assert silent(before)
                leaving.sendall(b"never")
                leaving.close()
                assert echo.callers == 1
                proxy.be(Impairment())
                assert before.recv(1) == b"b"
                assert during.recv(1) == b"c"

    @pytest.mark.parametrize("linger", [None, b"\1\0\0\0\0\0\0\0"], ids=["closed", "reset"])
    def test_no_end_comes_through_a_black_hole(self, linger: bytes | None) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Impaired(f"tcp://127.0.0.1:{listener.getsockname()[1]}") as proxy,
            call(proxy) as client,
        ):
            with listener.accept()[0] as server:
                server.sendall(b"a")
                assert client.recv(1) == b"a"
                proxy.be(Impairment(blackhole=True))
                if linger is not None:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            assert silent(client)
            proxy.be(Impairment())
            if linger is None:
                assert client.recv(1) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_refusing(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy.be(Impairment(refuse=True))
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    call(proxy)
            proxy.be(Impairment(refuse=True, loss=0.1))
            with pytest.raises(ConnectionRefusedError):
                call(proxy)
            proxy.be(Impairment())
            with call(proxy) as again:
                again.sendall(b"b")
                assert again.recv(1) == b"b"

    def test_refusing_from_the_start(self, echo: Server) -> None:
        with Impaired(echo.url, Impairment(refuse=True)) as proxy:
            with pytest.raises(ConnectionRefusedError):
                call(proxy)
            proxy.be(Impairment())
            with call(proxy) as client:
                client.sendall(b"a")
                assert client.recv(1) == b"a"

    def test_a_server_that_is_not_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"tcp://127.0.0.1:{gone.getsockname()[1]}"
        with Impaired(url) as proxy, pytest.raises(ConnectionResetError):
            receive_one(proxy)

    def test_a_server_that_closes_and_one_that_resets(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Impaired(f"tcp://127.0.0.1:{listener.getsockname()[1]}") as proxy,
        ):
            for linger, end in ((None, b""), (b"\1\0\0\0\0\0\0\0", None)):
                with call(proxy) as client:
                    server = listener.accept()[0]
                    with server:
                        if linger is not None:
                            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    if end is None:
                        with pytest.raises(ConnectionResetError):
                            client.recv(1)
                    else:
                        assert client.recv(1) == end

    def test_stopping_with_clients_in_every_state(self, echo: Server) -> None:
        with contextlib.ExitStack() as clients, Impaired(echo.url) as proxy:
            for impairment in (
                Impairment(),
                Impairment(rate_bps=800),
                Impairment(delay_s=60, blackhole=True),
            ):
                proxy.be(impairment)
                for _ in range(3):
                    clients.enter_context(call(proxy)).sendall(bytes(50_000))
                proxy.half_open()
            begun = time.monotonic()
        assert time.monotonic() - begun < 2

    def test_a_port_that_somebody_else_took(self, echo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            for _ in range(2):
                with monkeypatch.context() as patched:
                    patched.setattr(socket.socket, "bind", somebody_was_faster)
                    with pytest.raises(ConfigError, match=f"port {proxy.port} "):
                        proxy.be(Impairment(refuse=True, loss=0.5))
                assert proxy._proxy.link.impairment == Impairment()
            client.sendall(b"b")
            assert client.recv(1) == b"b"
            with pytest.raises(ConnectionRefusedError):
                call(proxy)
            proxy.be(Impairment())  # there again
            with call(proxy) as again:
                again.sendall(b"c")
                assert again.recv(1) == b"c"

            proxy.be(Impairment(refuse=True))
            with socket.create_server(("127.0.0.1", proxy.port)):
                with pytest.raises(ConfigError, match=f"port {proxy.port} "):
                    proxy.be(Impairment())
                assert proxy._proxy.link.impairment == Impairment(refuse=True)
            proxy.be(Impairment())
            with call(proxy) as again:
                again.sendall(b"d")
                assert again.recv(1) == b"d"

    def test_stopping_without_a_port(self, echo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        with Impaired(echo.url) as proxy, monkeypatch.context() as patched:
            patched.setattr(socket.socket, "bind", somebody_was_faster)
            with pytest.raises(ConfigError):
                proxy.be(Impairment(refuse=True))

    def test_two_resets_wait_for_what_was_started(
        self, echo: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left: list[str] = []
        closed, close = threading.Event(), Connection.close

        def noted(connection: Connection) -> None:
            left.extend(repr(task.get_coro()) for task in asyncio.all_tasks())
            close(connection)
            closed.set()

        def twice() -> None:
            proxy._proxy.reset()
            proxy._loop.call_soon(proxy._proxy.reset)  # while the first one is waited for

        monkeypatch.setattr(Connection, "close", noted)
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy._do(twice)
            assert closed.wait(5)
        assert not [one for one in left if "_relay" in one]

    def test_who_sends_on_and_on_leaves_others_their_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reads = 500
        for module in (way, connection):
            monkeypatch.setattr(module, "READ_BYTES", 100)

        async def turns_during(listener: socket.socket, silent: bool) -> int:
            link = Link(Impairment(), 0)
            target = Target(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
            with socket.create_connection(listener.getsockname()[:2]) as client:
                accepted = listener.accept()[0]
                client.sendall(bytes(reads * 100))
                client.shutdown(socket.SHUT_WR)
                relaying = Connection(accepted, target, link, "one", Complaints("test"))
                work = (
                    relaying._until_the_client_leaves()
                    if silent
                    else relaying._up.take_in(accepted, lambda data: b"")
                )
                task, turns = asyncio.create_task(work), 0
                while not task.done():
                    await asyncio.sleep(0)
                    turns += 1
                relaying.close()
            return turns

        with socket.create_server(("127.0.0.1", 0)) as listener:
            for silent in (False, True):
                assert asyncio.run(turns_during(listener, silent)) > reads // 2

    def test_a_connection_that_cannot_be_made_leaves_nothing(self) -> None:
        async def make(client: socket.socket) -> None:
            link = Link(Impairment(), 0)
            with pytest.raises(OSError):
                Connection(client, Target("tcp://127.0.0.1:9"), link, "one", Complaints("test"))
            assert not link.flows

        client, other = socket.socketpair()  # of no network, and without TCP's options
        with client, other:
            asyncio.run(make(client))

    def test_without_file_descriptors_it_says_so_once(self, echo: Server) -> None:
        program = (
            "import resource, sys; from streamer.impair import Impairment, Proxy, serve\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
            "serve(Proxy(sys.argv[1], Impairment(), control_port=0), ready=lambda url: None)"
        )
        with (
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", program, echo.url], stderr=subprocess.PIPE, text=True
            ) as process,
            contextlib.ExitStack() as clients,
        ):
            try:
                assert process.stderr
                port = int(process.stderr.readline().rpartition(":")[2])
                connected = [
                    clients.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(60)
                ]
                assert re.fullmatch(
                    r"impair: clients have to wait: too many open files.*\n", process.stderr.readline()
                )
                for client in connected[:-1]:
                    client.close()
                connected[-1].sendall(b"ok\n")
                assert connected[-1].recv(10) == b"ok\n"
                process.terminate()
                assert process.communicate(timeout=10)[1] == ""
            finally:
                process.kill()

    def test_ports_that_cannot_be_had(self, echo: Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError, match=f"port {port} "), Impaired(echo.url, port=port):
                pass
        with pytest.raises(ConfigError, match="99999"), Impaired(echo.url, port=99999):
            pass


class TestUdp:
    @pytest.fixture
    def server(self) -> Iterator[socket.socket]:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
            yield sock

    @staticmethod
    def client(proxy: Impaired) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.connect(("127.0.0.1", proxy.port))
        return sock

    def test_there_and_back_and_what_befalls_it(self, server: socket.socket) -> None:
        url = f"udp://127.0.0.1:{server.getsockname()[1]}"
        with Impaired(url, seed=5) as proxy, self.client(proxy) as one, self.client(proxy) as other:
            one.send(b"from one")
            packet, to_one = server.recvfrom(100)
            other.send(b"")
            to_other = server.recvfrom(100)[1]
            assert (packet, to_one == to_other) == (b"from one", False)
            server.sendto(b"to one", to_one)
            server.sendto(b"to other", to_other)
            assert (one.recv(100), other.recv(100)) == (b"to one", b"to other")

            fates = []
            for _ in range(2):
                proxy.be(Impairment(loss=0.5))
                for number in range(40):
                    server.sendto(bytes([number]), to_one)
                arrived: list[int] = []
                one.settimeout(0.05)
                while arrived[-1:] != [number]:  # once the last one has come, none is on its way
                    number += 1
                    server.sendto(bytes([number]), to_one)
                    with contextlib.suppress(TimeoutError):
                        while arrived[-1:] != [number]:
                            arrived.append(one.recv(100)[0])
                fates.append([each for each in arrived if each < 40])
            assert fates[0] == fates[1]
            assert 5 < len(fates[0]) < 35
            proxy.be(Impairment())

            with socket.socket(type=socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"not the server", to_one)
                proxy.half_open()
                server.sendto(b"into silence", to_one)
                assert silent(one)
            proxy.reset()
            one.send(b"again")
            assert server.recvfrom(100)[0] == b"again"
            for closed in (Impairment(refuse=True), Impairment(blackhole=True)):
                proxy.be(closed)
                one.send(b"nobody hears it")
                assert silent(server)

    def test_many_senders(self, server: socket.socket) -> None:
        url = f"udp://127.0.0.1:{server.getsockname()[1]}"
        with Impaired(url) as proxy, contextlib.ExitStack() as open_sockets:
            for number in range(MOST_SENDERS + 10):
                client = open_sockets.enter_context(self.client(proxy))
                client.send(bytes([number]))
                assert server.recvfrom(100)[0] == bytes([number])
            assert len(proxy._proxy.link.flows) == 2 * MOST_SENDERS


class TestCommandLine:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_conversation(self, echo: Server, number: signal.Signals) -> None:
        with started("impair", echo.url, "--delay", "1", "--seed", "7", "--control", "0") as process:
            assert process.stdout
            assert process.stderr
            ready = process.stdout.readline()
            address = re.fullmatch(r"ready tcp://(127\.0\.0\.1):(\d+)\n", ready)
            assert address, process.stderr.read()
            control = re.fullmatch(r"impair: control on 127\.0\.0\.1:(\d+)\n", process.stderr.readline())
            assert control
            with (
                socket.create_connection((address[1], int(address[2])), 5) as client,
                socket.create_connection(("127.0.0.1", int(control[1])), 5) as commands,
                commands.makefile("rw") as lines,
            ):
                client.sendall(b"a")
                assert client.recv(1) == b"a"
                for line, answer in [
                    ("rate 2M", "ok"),
                    ("nonsense", "error: 'nonsense' is not a command"),
                    ("reset", "ok"),
                ]:
                    lines.write(line + "\n")
                    lines.flush()
                    assert lines.readline().startswith(answer)
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
                process.send_signal(number)
                assert process.wait(10) == 0
            assert process.stderr.read() == ""

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            (["nowhere"], "no address"),
            (["tcp://127.0.0.1:1", "--loss", "2"], "--loss"),
            (["tcp://127.0.0.1:1", "--rate", "fast"], "--rate"),
            (["tcp://127.0.0.1:1", "--rate", "1"], "rate_bps"),
            (["tcp://127.0.0.1:1", "--delay", "90000"], "delay_s"),
            (["tcp://127.0.0.1:1", "--listen", "127.0.0.1"], "--listen"),
            (["tcp://127.0.0.1:1", "--control", "99999"], "99999"),
        ],
    )
    def test_wrong_use(self, arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
        try:
            status = main(["impair", *arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        assert status == 2
        assert text in capsys.readouterr().err
