"""RTSP cameras of every kind, over real sockets: what they may do, and what must come of it."""

import base64
import contextlib
import hashlib
import logging
import re
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest
import rtsp_reading
from certificates import make_certificate
from rtsp_reading import error_of, same, sends, source
from scripted_camera import SDP, Asked, Scripted, interleaved, reply, rtp, usual
from source_clips import make_clip
from test_rtsp_units import fragments

from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import START_CODE, Clip
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.network import NetworkSource
from streamer.sources.untold import Untold

pytestmark = pytest.mark.timeout(30)

clip, path, shown = rtsp_reading.clip, rtsp_reading.path, rtsp_reading.shown


def test_pictures_are_ffmpegs_to_the_last_bit(clip: Clip, shown: list[np.ndarray]) -> None:
    with Scripted(plays=sends(rtp(clip.units, 65_530, 0xFFFFF000))) as camera, source(camera.url) as one:
        captured = list(one)
    assert same(captured, shown)
    assert [one.pts_ns for one in captured] == pytest.approx([n * 1e9 / 30 for n in range(30)], abs=1)
    assert [n for n, one in enumerate(captured) if one.keyframe] == [0, 10, 20]
    assert not any(one.damaged for one in captured)
    assert {one.source_ns for one in captured} == {None}
    assert [asked.method for asked in camera.asked][:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]


@pytest.mark.parametrize(("codec", "name"), [("libx264", "h264"), ("libx265", "hevc")])
def test_reordered_pictures_and_h265(tmp_path: Path, codec: str, name: str) -> None:
    options = (
        {"x265-params": "log-level=none:bframes=2:keyint=12"} if name == "hevc" else {"bf": "2", "g": "12"}
    )
    path = make_clip(tmp_path / "a.ts", 30, codec, **options)
    with av.open(str(path)) as container:
        coded = [(packet.pts or 0, bytes(packet)) for packet in container.demux(video=0) if packet.size]
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="bgr24", threads=1) for frame in container.decode(video=0)]
    packets: list[bytes] = []
    for pts, data in coded:
        bodies = [body for nal in START_CODE.split(data) if nal for body in fragments(name, nal)]
        for place, body in enumerate(bodies, 1):
            marker = (place == len(bodies)) << 7
            packets.append(struct.pack("!BBHII", 0x80, marker | 96, len(packets) & 0xFFFF, pts, 7) + body)

    def answers(asked: Asked) -> bytes:
        return usual(asked).replace(b"H264", b"H265") if name == "hevc" else usual(asked)

    with Scripted(answers, sends(packets)) as camera, source(camera.url) as one:
        captured = list(one)
    # What the decoder still held when the camera left is not waited for.
    assert len(captured) >= 26
    assert same(captured, shown[: len(captured)])
    times = [one.pts_ns or 0 for one in captured]
    assert np.diff(times) == pytest.approx(1e9 / 30, abs=20_000)
    assert not any(one.damaged for one in captured)


def test_split_replies_and_a_talkative_camera(clip: Clip, shown: list[np.ndarray]) -> None:
    def plays(sock: socket.socket) -> None:
        data = b"".join(map(interleaved, rtp(clip.units[:3])))
        data = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" + data[:700] + data[700:]
        for at in range(0, len(data), 97):
            sock.sendall(data[at : at + 97])
        sock.settimeout(5)
        assert sock.recv(100).startswith(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n")

    def answers(asked: Asked) -> bytes:
        return usual(asked).replace(b"\r\n", b"\n") if asked.method == "OPTIONS" else usual(asked)

    with Scripted(answers, plays) as camera, source(camera.url) as one:
        assert same(list(one), shown[:3])


def digest(asked: Asked, algorithm: str, nonce: str, password: str) -> bool:
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', asked.headers.get("authorization", "")))
    if given.get("nonce") != nonce:
        return False

    def hashed(text: str) -> str:
        return hashlib.new(algorithm, text.encode()).hexdigest()

    middle = f"{nonce}:{given['nc']}:{given['cnonce']}:auth"
    secret, what = hashed(f"user:cam:{password}"), hashed(f"{asked.method}:{asked.url}")
    return bool(given["uri"] == asked.url and given["response"] == hashed(f"{secret}:{middle}:{what}"))


@pytest.mark.parametrize(("algorithm", "name"), [("md5", "MD5"), ("sha256", "SHA-256")])
def test_digest_with_a_nonce_that_grows_old(clip: Clip, algorithm: str, name: str) -> None:
    nonces = ["first"]

    def answers(asked: Asked) -> bytes:
        if asked.method == "OPTIONS":
            return usual(asked)
        if digest(asked, algorithm, nonces[-1], "p:ß"):
            if asked.method == "DESCRIBE":
                nonces.append("second")
            return usual(asked)
        stale = ", stale=true" if len(nonces) > 1 else ""
        asks = f'Digest realm="cam", nonce="{nonces[-1]}", qop="auth", algorithm={name}{stale}'
        return reply(asked, "401 Unauthorized", WWW_Authenticate=asks)

    with Scripted(answers, sends(rtp(clip.units[:2]))) as camera:
        place = camera.url.removeprefix("rtsp://")
        with source(f"rtsp://user:p%3A%C3%9F@{place}") as one:
            assert len(list(one)) == 2
        del nonces[1:]
        camera.asked.clear()
        error = error_of(source(f"rtsp://user:wr0ng@{place}"))
        assert (error.cause, "wr0ng" in str(error)) == (Cause.AUTH, False)
        # Once without and once with: more attempts lock accounts.
        assert [asked.method for asked in camera.asked] == ["OPTIONS", "DESCRIBE", "DESCRIBE"]
        assert "asks for a user name" in str(error_of(source(camera.url)))


def test_basic(clip: Clip) -> None:
    def answers(asked: Asked) -> bytes:
        right = "Basic " + base64.b64encode(b"u:pw").decode()
        if asked.headers.get("authorization") == right:
            return usual(asked)
        return reply(asked, "401 Unauthorized", WWW_Authenticate='Basic realm="x"')

    with Scripted(answers, sends(rtp(clip.units[:2]))) as camera:
        one = source(camera.url.replace("//", "//u:pw@"))
        with one:
            assert len(list(one)) == 2


@pytest.mark.parametrize("asks", ['Basic realm="x"', 'Negotiate, Basic realm="x"', "Negotiate"])
def test_the_password_itself_is_kept_back(asks: str) -> None:
    def answers(asked: Asked) -> bytes:
        return reply(asked, "401 Unauthorized", WWW_Authenticate=asks)

    with Scripted(answers) as camera:
        address = parse_address(camera.url.replace("//", "//u:pw@"))
        error = error_of(open_source(address, SourceOptions(digest_only=True)))
        assert isinstance(error, Untold)
        assert "by --source, with USER:${PASSWORD}@ in its address" in str(error)
        assert not any("authorization" in asked.headers for asked in camera.asked)


def test_redirects(clip: Clip) -> None:
    with Scripted(plays=sends(rtp(clip.units[:2]))) as there:
        where = [there.url]

        def moved(asked: Asked) -> bytes:
            return (
                reply(asked, "302 Moved", Location=where[0]) if asked.method == "DESCRIBE" else usual(asked)
            )

        with Scripted(moved) as here:
            with source(here.url.replace("//", "//u:secret@")) as one:
                assert len(list(one)) == 2
            for where[0] in (here.url, "http://127.0.0.1/", "file:///etc/passwd", "rtsp://127.0.0.1:0/"):
                error = error_of(source(here.url))
                assert (error.cause, "elsewhere" in str(error)) == (Cause.NETWORK, True)
            assert here.connections <= 8


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"RTSP/1.0 200 OK\r\nContent-Length: 99999999\r\n\r\n", Cause.NETWORK),
        (b"RTSP/1.0 200 OK\r\nX: " + b"y" * 70_000, Cause.NETWORK),
        (b"\x80\x80\x80\x80garbage", Cause.NETWORK),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Cause.NETWORK),
        (b"", Cause.NETWORK),
    ],
)
def test_what_is_no_rtsp(answer: bytes, cause: Cause) -> None:
    # FFmpeg has its try, and says the same in its words.
    class Once(Scripted):
        def _serve(self, sock: socket.socket, number: int) -> None:
            with contextlib.suppress(OSError):  # they hang up in the middle of it
                sock.recv(1000)
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_RDWR)

    with Once() as camera:
        error = error_of(source(camera.url.replace("//", "//u:hunter2@")))
    assert error.cause in (cause, Cause.CODEC)
    assert "hunter2" not in str(error)


def test_garbage_in_mid_stream_is_an_error(clip: Clip) -> None:
    def plays(sock: socket.socket) -> None:
        sends(rtp(clip.units[:2]))(sock)
        camera.released.wait(0.1)
        sock.sendall(b"\xff" * 100)

    with Scripted(plays=plays) as camera:
        one = source(camera.url)
        with one, pytest.raises(SourceError, match="cannot be understood"):
            list(one)


def test_goodbye_ends_the_stream(clip: Clip) -> None:
    def plays(sock: socket.socket) -> None:
        sends(rtp(clip.units[:3]))(sock)
        sock.sendall(interleaved(struct.pack("!BBHI", 0x81, 203, 1, 7), 1))

    with Scripted(plays=plays, stays=True) as camera, source(camera.url) as one:
        assert len(list(one)) == 3


def test_the_cameras_clock_is_exact(clip: Clip) -> None:
    unix_s = 1_800_000_000

    def plays(sock: socket.socket) -> None:
        packets = [interleaved(packet) for packet in rtp(clip.units[:4], stamp=1000)]
        report = struct.pack(
            "!BBHIIIIII", 0x80, 200, 6, 7, unix_s + 2_208_988_800, 1 << 30, 1000 + 6000, 0, 0
        )
        sock.sendall(interleaved(report, 1) + b"".join(packets))

    with Scripted(plays=plays) as camera, source(camera.url) as one:
        clocks = [picture.source_ns for picture in one]
    expected = [unix_s * 10**9 + 25 * 10**7 + (number - 2) * 10**9 // 30 for number in range(4)]
    assert clocks == pytest.approx(expected, abs=1)


def test_lost_packets_mark_what_leans_on_them(clip: Clip, shown: list[np.ndarray]) -> None:
    packets = rtp(clip.units)
    stamps = [struct.unpack_from("!I", packet, 4)[0] for packet in packets]
    gone = stamps.index(clip.units[13].ticks)
    with Scripted(plays=sends(packets[:gone] + packets[gone + 1 :])) as camera, source(camera.url) as one:
        captured = list(one)
    marked = {round((one.pts_ns or 0) * 30 / 1e9) for one in captured if one.damaged}
    assert marked - {13} == {14, 15, 16, 17, 18, 19}
    for picture in captured:
        if not picture.damaged:
            assert np.array_equal(picture.picture.bgr(), shown[round((picture.pts_ns or 0) * 30 / 1e9)])


def test_wrong_bytes_mark_what_leans_on_them(clip: Clip) -> None:
    packets = rtp(clip.units)
    stamps = [struct.unpack_from("!I", packet, 4)[0] for packet in packets]
    bad = stamps.index(clip.units[13].ticks)
    packets[bad] = packets[bad][:60] + bytes(byte ^ 0x5A for byte in packets[bad][60:])
    with Scripted(plays=sends(packets)) as camera, source(camera.url) as one:
        marked = {round((one.pts_ns or 0) * 30 / 1e9) for one in one if one.damaged}
    assert marked >= {14, 15, 16, 17, 18, 19}
    assert marked <= set(range(13, 20))


def test_another_sender_goes_on(clip: Clip) -> None:
    packets = rtp(clip.units[:10], 100, 5000) + rtp(clip.units[10:20], 60_000, 4_000_000_000, ssrc=8)
    with Scripted(plays=sends(packets)) as camera, source(camera.url) as one:
        captured = list(one)
    assert len(captured) == 20
    times = [one.pts_ns or 0 for one in captured]
    assert times == sorted(times)
    assert not any(one.damaged for one in captured)


def test_what_is_not_ours_is_left_to_ffmpeg_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = make_clip(tmp_path / "a.m4v", 20, "mpeg4", g="5", bf="0")
    with av.open(str(film)) as container:
        config = bytes(container.streams.video[0].codec_context.extradata or b"").hex()
        pictures = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    head = [struct.pack("!BBHII", 0x80, 224, number, 3000 * number, 7) for number in range(20)]

    def answers(asked: Asked) -> bytes:
        if asked.method != "DESCRIBE":
            return usual(asked)
        body = SDP.replace("H264", "MP4V-ES") + f"a=fmtp:96 profile-level-id=1;config={config}\r\n"
        return reply(asked, body=body, Content_Type="application/sdp")

    packets = [one + picture for one, picture in zip(head, pictures, strict=True)]
    with Scripted(answers, sends(packets)) as camera, caplog.at_level(logging.WARNING):
        one = source(camera.url)
        for connections in (2, 3):  # ours, and FFmpeg's; then only FFmpeg's
            with one:
                assert len(list(one)) >= 18
            assert camera.connections == connections
    assert [record.getMessage() for record in caplog.records] == [
        f"{camera.url}: is read by FFmpeg: no video in H.264 or H.265"
    ]


def test_stopping_ends_a_blocked_read_at_once(clip: Clip) -> None:
    with Scripted(plays=sends(rtp(clip.units[:3])), stays=True) as camera, source(camera.url) as one:
        pictures = iter(one)
        for _ in range(3):
            next(pictures)
        stopped = threading.Timer(0.1, one.stop)
        started = time.monotonic()
        stopped.start()
        assert list(pictures) == []
        assert time.monotonic() - started < 0.5
        stopped.join()


def test_stopping_ends_connecting_at_once() -> None:
    with Scripted(accepts=lambda number: False) as camera:
        one = source(camera.url)
        stopped = threading.Timer(0.1, one.stop)
        started = time.monotonic()
        stopped.start()
        error = error_of(one)
        assert time.monotonic() - started < 0.5
        assert error.cause is Cause.ENDED
        stopped.join()


def test_a_renewed_source_is_another_one(clip: Clip) -> None:
    with Scripted(plays=sends(rtp(clip.units[:2]))) as camera:
        one = source(camera.url)
        one.stop()
        with one.renew() as other:
            assert len(list(other)) == 2
    web = open_source(parse_address("http://127.0.0.1/x"))
    assert isinstance(web, NetworkSource)
    assert web.renew() is not web


def test_plain_text_behind_rtsps_is_an_error_and_no_hang() -> None:
    class Plain(Scripted):
        def _serve(self, sock: socket.socket, number: int) -> None:
            with contextlib.suppress(OSError):
                sock.recv(1000)
                sock.sendall(b"RTSP/1.0 400 Bad Request\r\n\r\n")
                sock.shutdown(socket.SHUT_RDWR)

    with Plain() as plain:
        error = error_of(source(plain.url.replace("rtsp:", "rtsps:")))
    assert error.cause is Cause.NETWORK
    assert "encrypted" in str(error)


def test_rtsps(tmp_path: Path, clip: Clip, shown: list[np.ndarray]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path))

    class Encrypted(Scripted):
        def _serve(self, sock: socket.socket, number: int) -> None:
            with context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=True) as secure:
                self._open.remove(sock)
                super()._serve(secure, number)

    with Encrypted(plays=sends(rtp(clip.units))) as camera:
        one = source(camera.url.replace("rtsp:", "rtsps:"))
        with one:
            assert same(list(one), shown)


def test_what_it_costs_to_be_entered_again_and_again(clip: Clip) -> None:
    """No socket stays open."""
    with Scripted(plays=sends(rtp(clip.units[:2]))) as camera:
        one = source(camera.url)
        with one:
            list(one)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            with one:
                list(one)
        # The camera's own ends, and no more.
        assert len(list(Path("/proc/self/fd").iterdir())) - before <= 5
