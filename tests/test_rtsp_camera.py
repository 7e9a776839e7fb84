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
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from certificates import make_certificate
from scripted_camera import SDP, Asked, Scripted, interleaved, reply, rtp, usual
from source_clips import make_clip
from test_rtsp_units import fragments

from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import START_CODE, Clip, Coded, assemble
from streamer.rtsp import dial as dialling
from streamer.rtsp import doubt
from streamer.rtsp.connection import Connection
from streamer.rtsp.dial import PATIENT_NS, QUICK_NS, Dial
from streamer.rtsp.place import Place, look_up, parse_place
from streamer.rtsp.waiting import Waiting
from streamer.sources import SourceOptions, open_source, parse_address, rtsp
from streamer.sources.network import NetworkSource
from streamer.sources.rtsp import RtspSource

pytestmark = pytest.mark.timeout(30)


def source(url: str, transport: str = "tcp") -> RtspSource:
    made = open_source(parse_address(url), SourceOptions(transport=transport))
    assert isinstance(made, RtspSource)
    return made


def clip_of(path: Path) -> Clip:
    with av.open(str(path)) as container:
        coded = [
            Coded(Fraction(number, 30), packet.is_keyframe, bytes(packet))
            for number, packet in enumerate(container.demux(video=0))
            if packet.size
        ]
    return assemble("clip", Fraction(1, 30), coded)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"bf": "0", "g": "10", "tune": "zerolatency", "sc_threshold": "0"}
    return make_clip(tmp_path_factory.mktemp("clip") / "a.h264", 30, **options)


@pytest.fixture(scope="module")
def clip(path: Path) -> Clip:
    return clip_of(path)


@pytest.fixture(scope="module")
def shown(path: Path) -> list[np.ndarray]:
    """What FFmpeg makes of the clip by itself."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24", threads=1) for frame in container.decode(video=0)]


def sends(packets: list[bytes]) -> Callable[[socket.socket], None]:
    return lambda sock: sock.sendall(b"".join(map(interleaved, packets)))


def error_of(one: RtspSource) -> SourceError:
    with pytest.raises(SourceError) as caught, one:
        list(one)
    return caught.value


def same(captured: list[Captured], shown: list[np.ndarray]) -> bool:
    return len(captured) == len(shown) and all(
        np.array_equal(one.picture.bgr(), other) for one, other in zip(captured, shown, strict=True)
    )


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


def over_udp(
    clip: Clip, mixed: list[bytes]
) -> tuple[Callable[[Asked], bytes], Callable[[socket.socket], None]]:
    """Answers and packets of a camera that sends these datagrams, and a stranger who sends others."""
    ports: list[int] = []
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("127.0.0.2", 0))

    def answers(asked: Asked) -> bytes:
        if asked.method != "SETUP":
            return usual(asked)
        match = re.search(r"client_port=(\d+)-(\d+)", asked.headers["transport"])
        assert match is not None
        ports[:] = [int(match[1]), int(match[2])]
        server = sender.getsockname()[1]
        agreed = f"{asked.headers['transport']};server_port={server}-{server + 1}"
        return reply(asked, Session="abc", Transport=agreed)

    def plays(sock: socket.socket) -> None:
        with sender, stranger:
            sender.settimeout(5)
            assert sender.recv(100)[0] == 0x80  # a way through firewalls was opened
            for number, packet in enumerate(mixed):
                stranger.sendto(rtp(clip.units[:1], number, ssrc=99)[0], ("127.0.0.1", ports[0]))
                sender.sendto(packet, ("127.0.0.1", ports[0]))
            bye = struct.pack("!BBHI", 0x81, 203, 1, 7)
            time.sleep(0.05)  # what is missing is waited for 30 ms, and the goodbye must not overtake that
            sender.sendto(bye, ("127.0.0.1", ports[1]))
            sock.settimeout(5)
            sock.recv(1000)

    return answers, plays


def test_datagrams_out_of_order_twice_and_from_strangers(clip: Clip, shown: list[np.ndarray]) -> None:
    packets = rtp(clip.units[:20], 65_500)
    mixed = packets[:]
    for at in range(3, len(mixed) - 1, 5):
        mixed[at], mixed[at + 1] = mixed[at + 1], mixed[at]
    mixed[8:8] = [mixed[2], mixed[7]]
    with Scripted(*over_udp(clip, mixed), stays=True) as camera, source(camera.url, "udp") as one:
        captured = list(one)
    assert same(captured, shown[:20])
    assert not any(one.damaged for one in captured)


def test_a_lost_datagram_is_not_waited_for_long(clip: Clip) -> None:
    packets = rtp(clip.units[:10])
    stamps = [struct.unpack_from("!I", packet, 4)[0] for packet in packets]
    del packets[stamps.index(clip.units[6].ticks)]
    with Scripted(*over_udp(clip, packets), stays=True) as camera, source(camera.url, "udp") as one:
        captured = list(one)
    numbers = {round((one.pts_ns or 0) * 30 / 1e9): one.damaged for one in captured}
    assert [number for number, damaged in numbers.items() if not damaged] == list(range(6))
    assert {7, 8, 9} <= set(numbers)


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


def dialled(camera: Scripted) -> tuple[Connection, float]:
    """Dial with the real clock; the answered connection, and how long it took."""
    place, started = parse_place(camera.url), time.monotonic()
    waiting = Waiting().open()
    dial = Dial(place, look_up(place), None, time.monotonic_ns())
    while dial.answered is None:
        assert dial.failed is None
        assert len(dial.watched) <= 2
        dial.step(
            waiting.wait(dial.watched, max(0, dial.due_ns - time.monotonic_ns()) / 1e9), time.monotonic_ns()
        )
    dial.close()
    waiting.close()
    return dial.answered, time.monotonic() - started


def test_a_mute_camera_that_comes_back_is_found_at_the_next_quick_attempt() -> None:
    with Scripted(accepts=lambda number: number >= 2) as camera:
        connection, took_s = dialled(camera)
        connection.close()
    assert 0.75 < took_s < 1.6


def test_a_slow_camera_is_found_by_the_patient_attempt() -> None:
    def answers(asked: Asked) -> bytes:
        camera.released.wait(1.0)
        return usual(asked)

    with Scripted(answers) as camera:
        connection, took_s = dialled(camera)
        assert connection.fileno() >= 0
        connection.close()
    assert 0.9 < took_s < 2


def test_dialling_is_never_a_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick attempts that are refused beside a patient one that hangs are begun every 0.4 s, not at once."""
    begun: list[int] = []

    class Attempt:
        def __init__(self, target: object, host: str, secure: object) -> None:
            begun.append(len(begun))
            self.number, self.wants = len(begun), 1

        def fileno(self) -> int:
            return self.number

        def establish(self) -> bool:
            raise ConnectionRefusedError

        def close(self) -> None:
            pass

    monkeypatch.setattr(dialling, "Connection", Attempt)
    place = Place("rtsp://h/", "h", 1, False, None, "")
    dial = Dial(place, [(2, ("h", 1))], None, 0)
    now_ns = 0
    while now_ns < PATIENT_NS - QUICK_NS:
        assert dial.due_ns > now_ns
        now_ns = dial.due_ns
        dial.step({}, now_ns)
        dial.step(dict.fromkeys(list(dial.watched)[1:], 1), now_ns)
    assert PATIENT_NS / QUICK_NS <= len(begun) <= PATIENT_NS / QUICK_NS + 1
    assert isinstance(dial.error, ConnectionRefusedError)
    assert dial.failed is None
    dial.step(dict.fromkeys(dial.watched, 1), now_ns)
    assert isinstance(dial.failed, ConnectionRefusedError)


def numbered(clip: Clip, start: int, count: int, first: int) -> list[bytes]:
    """RTP of so many pictures, in one sequence."""
    packets, number = [], first
    for picture in range(start, start + count):
        unit = clip.units[picture % len(clip.units)]
        made = rtp([unit], number, picture * 3000 - unit.ticks)
        packets.append(b"".join(map(interleaved, made)))
        number += len(made)
    return packets


def test_a_stall_costs_no_connection(clip: Clip) -> None:
    """The old connection is silent for 0.7 s, a new one is answered, the old one speaks: it goes on."""
    film = numbered(clip, 0, 24, 0)

    def plays(sock: socket.socket) -> None:
        for number, data in enumerate(film):
            sock.sendall(data)
            camera.released.wait(0.65 if number == 14 else 0.033)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method != "GET_PARAMETER" else None

    with Scripted(answers, plays) as camera, source(camera.url) as one:
        assert len(list(one)) >= 22
        assert camera.connections == 2
        assert [asked.method for asked in camera.asked].count("DESCRIBE") == 1


def test_silence_with_a_camera_that_answers_new_connections(clip: Clip) -> None:
    film, spoke = numbered(clip, 0, 10, 0), [0.0]

    def plays(sock: socket.socket) -> None:
        for data in film:
            spoke[0] = time.monotonic()
            sock.sendall(data)
            camera.released.wait(0.033)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method != "GET_PARAMETER" else None

    with Scripted(answers, plays, stays=True) as camera:
        error = error_of(source(camera.url))
        took_s = time.monotonic() - spoke[0]
    assert error.cause is Cause.SILENCE
    assert re.search(r"nothing came for (0\.[789]|1)", str(error))
    assert 0.75 <= took_s < 1.6


def test_a_camera_that_answers_and_has_nothing_to_show_gets_longer(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubt, "ANSWERED_NS", 1_200_000_000)
    film, spoke = numbered(clip, 0, 10, 0), [0.0]

    def plays(sock: socket.socket) -> None:
        for data in film:
            sock.sendall(data)
            camera.released.wait(0.033)
        spoke[0] = time.monotonic()

    with Scripted(usual, plays, stays=True) as camera:
        error = error_of(source(camera.url))
        took_s = time.monotonic() - spoke[0]
    assert error.cause is Cause.SILENCE
    assert 1.1 <= took_s < 2.2


def test_no_first_packet_and_no_answer_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "ANSWER_S", 0.8)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method != "GET_PARAMETER" else None

    with Scripted(answers, lambda sock: None, stays=True) as camera:
        started = time.monotonic()
        error = error_of(source(camera.url))
        assert 0.7 < time.monotonic() - started < 1.8
    assert error.cause is Cause.SILENCE


def test_a_handshake_that_hangs_is_given_up_soon_where_the_camera_has_worked_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rtsp, "ANSWER_S", 0.3)
    monkeypatch.setattr(rtsp, "PATIENT_S", 1.0)

    def answers(asked: Asked) -> bytes | None:
        return usual(asked) if asked.method == "OPTIONS" else None

    with Scripted(answers) as camera:
        one = source(camera.url)
        # The first time, when nothing is known; after it has worked; after it was silent.
        for slow, least_s, most_s in ((None, 0.99, 2), (False, 0.29, 0.9), (None, 0.99, 2)):
            if slow is not None:
                one._slow = slow
            started = time.monotonic()
            assert error_of(one).cause is Cause.SILENCE
            assert least_s < time.monotonic() - started < most_s


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
