"""How the impairment proxy finds RTSP messages in what passes through it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.impair.rtsp import LARGEST_HEAD_BYTES, Message, NotRtsp, Splitter

pytestmark = pytest.mark.timeout(20)


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
