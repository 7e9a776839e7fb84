"""Cameras that are odd: what is harmless costs nothing."""

import base64
import dataclasses
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import cast

import pytest
import rtsp_reading
from rtsp_reading import described, error_of, numbered, once, seen, sends, source
from scripted_camera import SDP, Asked, Scripted, reply, rtp, usual
from test_rtsp_units import H264_INTER, H264_KEY, PPS, SPS, assembled, bytes_of, packets

from streamer.clock import MonotonicClock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import AccessUnit, Clip
from streamer.rtsp import playing as plays_on
from streamer.rtsp import session
from streamer.rtsp.auth import Login, best_challenge
from streamer.rtsp.failures import Unsupported
from streamer.rtsp.message import read_message, request
from streamer.rtsp.rtp import Packet, read_packet
from streamer.rtsp.sdp import read_track
from streamer.rtsp.session import Channels, Session
from streamer.rtsp.units import START
from streamer.sources.damage import Damage

pytestmark = pytest.mark.timeout(30)

clip, path = rtsp_reading.clip, rtsp_reading.path


# What is not the video does not disturb it.


def test_strangers_among_the_packets(clip: Clip) -> None:
    sound = struct.pack("!BBHII", 0x80, 97, 5, 77, 99) + b"x" * 20
    other = struct.pack("!BBHII", 0x80, 96, 5, 77, 98) + b"\x41\x9ax"
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, 3_900_000_000, 0, 1, 2, 3)
    for stranger in (sound, other, report):
        mixed = [stranger, *rtp(clip.units)] if stranger is not other else rtp(clip.units)
        for at in range(len(mixed), 0, -7):
            mixed.insert(at, stranger)
        assert seen(mixed) == (30, 0)


def test_two_senders_in_turns_are_no_new_beginning(clip: Clip) -> None:
    ours, theirs = rtp(clip.units), rtp(clip.units, ssrc=8)
    mixed = [packet for pair in zip(ours, theirs, strict=True) for packet in pair]
    assert seen(mixed) == (30, 0)


def joined_up(unit: AccessUnit) -> AccessUnit:
    nals = [nal for nal in unit.nals if nal[0] & 31 in (7, 8, 5)]
    return dataclasses.replace(unit, nals=((START.join(nals)),)) if nals else unit


def test_several_units_with_start_codes_in_one(clip: Clip) -> None:
    assert seen(rtp([joined_up(unit) for unit in clip.units])) == (30, 0)


def test_units_with_start_codes_come_out_apart() -> None:
    for size in (3, 100):  # in one packet, and in several
        key = H264_KEY + b"k" * size
        (unit,) = assembled("h264", packets("h264", [[START.join([SPS, PPS, key])]]))
        assert (bytes(unit.data), unit.keyframe, unit.whole) == (bytes_of([SPS, PPS, key]), True, True)


# The talk.


@pytest.fixture
def short_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera may forget us after a second, which is half the least that we believe."""
    monkeypatch.setattr(session, "SHORTEST_TIMEOUT_S", 1)


def digest_camera(
    timeout_s: int, lives_s: float, clip: Clip
) -> tuple[Callable[[Asked], bytes], Callable[[socket.socket], None]]:
    """A nonce lives for so long; the session ends where nothing valid came for `timeout_s`."""
    nonce, made_s, valid_s = "", 0.0, time.monotonic()

    def answers(asked: Asked) -> bytes:
        nonlocal nonce, made_s, valid_s
        now_s = time.monotonic()
        if asked.method == "OPTIONS" and not nonce:
            return usual(asked)
        if now_s - made_s > lives_s or nonce not in asked.headers.get("authorization", ""):
            stale = ', stale="TRUE"' if nonce else ""
            if now_s - made_s > lives_s:
                nonce, made_s = f"n{now_s}", now_s
            return reply(
                asked, "401 Unauthorized", WWW_Authenticate=f'Digest realm="x", nonce="{nonce}"{stale}'
            )
        valid_s = now_s
        if asked.method == "SETUP":
            return reply(
                asked,
                Session=f"abc;timeout={timeout_s}",
                Transport="RTP/AVP/TCP;unicast;interleaved=0-1",
            )
        return usual(asked)

    def plays(sock: socket.socket) -> None:
        def film() -> None:
            for data in numbered(clip, 0, 45, 0):
                if time.monotonic() - valid_s > timeout_s or camera_gone.wait(0.033):
                    break
                try:
                    sock.sendall(data)
                except OSError:
                    return
            sock.shutdown(socket.SHUT_RDWR)

        camera_gone = threading.Event()
        threading.Thread(target=film).start()

    return answers, plays


def test_a_nonce_that_grew_old_is_answered_at_once(clip: Clip, short_sessions: None) -> None:
    with (
        Scripted(*digest_camera(1, 0.25, clip), stays=True) as camera,
        source(camera.url.replace("//", "//u:p@")) as one,
    ):
        assert len(list(one)) >= 41


def test_a_session_that_is_forgotten_while_its_pictures_come(clip: Clip, short_sessions: None) -> None:
    def answers(asked: Asked) -> bytes:
        if asked.method == "SETUP":
            return reply(asked, Session="abc;timeout=1", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        return (
            reply(asked, "454 Session Not Found")
            if asked.headers.get("session") and asked.method in ("GET_PARAMETER", "OPTIONS")
            else usual(asked)
        )

    def plays(sock: socket.socket) -> None:
        def film() -> None:
            for data in numbered(clip, 0, 30, 0):
                sock.sendall(data)
                camera.released.wait(0.033)

        thread = threading.Thread(target=film)
        thread.start()
        threads.append(thread)

    threads: list[threading.Thread] = []
    with Scripted(answers, plays, stays=True) as camera:
        captured: list[Captured] = []
        with source(camera.url) as one, pytest.raises(SourceError, match=r"454"):
            captured.extend(one)
        assert len(captured) >= 28
        for thread in threads:
            thread.join()
    methods = {asked.method for asked in camera.asked if "session" in asked.headers}
    assert {"GET_PARAMETER", "OPTIONS"} <= methods


def test_encrypted_packets_are_said_to_be_so() -> None:
    crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n"
    for body in (SDP.replace("RTP/AVP", "RTP/SAVP"), SDP + crypto):
        with pytest.raises(Unsupported, match="SRTP"):
            read_track(body.encode(), "rtsp://h/")
    with once(described(SDP.replace("RTP/AVP", "RTP/SAVP"))) as camera:
        assert "SRTP" in str(error_of(source(camera.url)))


def without(unit: AccessUnit, *kinds: int) -> AccessUnit:
    return dataclasses.replace(unit, nals=tuple(nal for nal in unit.nals if nal[0] & 31 not in kinds))


@pytest.mark.parametrize("form", ["{},{}", "{}, {}", '"{},{}"', "bare"])
@pytest.mark.parametrize("kinds", [(7, 8), (7,)])
def test_parameter_sets_in_the_description(clip: Clip, form: str, kinds: tuple[int, ...]) -> None:
    sets = [base64.b64encode(nal).decode() for nal in clip.units[0].nals if nal[0] & 31 in (7, 8)]
    if form == "bare":
        form, sets = "{},{}", [one.rstrip("=") for one in sets]
    body = SDP + f"a=fmtp:96 \tpacketization-mode=1;sprop-parameter-sets={form.format(*sets)}\r\n"
    assert seen(rtp([without(unit, *kinds) for unit in clip.units]), described(body)) == (30, 0)


# What is harmless is no damage.


@pytest.mark.parametrize(("period", "count"), [(25, 24), (25, 25), (25, 27), (5, 24)])
def test_recovery_points_that_overlap_heal(period: int, count: int) -> None:
    damage = Damage()
    damage.lost()
    marked = [
        damage.judge(at, keyframe=at % period == 0, whole=True, recovery=count if at % period == 0 else 0)
        for at in range(100)
    ]
    assert marked == [True] * count + [False] * (100 - count)


AUD = b"\x09\xf0"


def test_lost_parameter_sets_behind_a_delimiter_are_no_damage() -> None:
    units = [[AUD, SPS, PPS, H264_KEY + b"k"], [AUD, H264_INTER + b"i"]]
    sent = packets("h264", units)
    for lost in (1, 2):
        first, second = assembled("h264", sent[:lost] + sent[lost + 1 :] + packets("h264", [[b"x"]], 6, 9000))
        assert (first.keyframe, first.whole, second.whole, second.lost_before) == (True, True, True, False)


def test_zeros_behind_the_units_of_a_packet() -> None:
    key = H264_KEY + b"k"
    payload = b"\x78" + b"".join(struct.pack("!H", len(nal)) + nal for nal in (SPS, PPS, key)) + b"\0\0\0"
    (unit,) = assembled("h264", [Packet(payload, True, 96, 1, 0, 7)])
    assert (unit.keyframe, unit.whole) == (True, True)


def test_a_marker_ends_a_unit_whose_last_part_does_not_say_so(clip: Clip) -> None:
    def endless(packet: bytes) -> bytes:
        return packet[:13] + bytes((packet[13] & ~0x40,)) + packet[14:] if packet[12] & 31 == 28 else packet

    sent = [endless(packet) for packet in rtp(clip.units)]
    assert any(packet[12] & 31 == 28 for packet in sent)
    assert seen(sent) == (30, 0)


def test_padding_of_nothing() -> None:
    packet = read_packet(memoryview(struct.pack("!BBHII", 0xA0, 96, 1, 2, 3) + b"abc\0"))
    assert packet is not None
    assert bytes(packet.payload) == b"abc\0"


# Small things.


def test_the_cameras_clock_is_right_for_ever() -> None:
    class Quiet:
        ports, keep_alive_s = None, 20.0

    track = read_track(SDP.encode(), "rtsp://h/")
    playing = plays_on.Playing(cast(Session, Quiet()), track, MonotonicClock())
    playing.session.channels = Channels(0, 1)
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, 3_900_000_000, 0, 1000, 2, 3)
    unix_ns = (3_900_000_000 - 2_208_988_800) * 10**9
    for number in range(9):  # two hours each
        ticks = 1000 + number * 7200 * 90_000 & 0xFFFFFFFF
        packet = struct.pack("!BBHII", 0x80, 0xE0, number, ticks, 7) + H264_KEY
        playing.on_packet(0, memoryview(packet))
        if number == 0:
            playing.on_packet(1, memoryview(report))
        (arrival,) = playing.take()
        if number:
            assert arrival.source_ns == unix_ns + number * 7200 * 10**9


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        ('Digest realm="r", nonce="n", qop=""', True),
        ('Digest realm="r", nonce="n", algorithm=""', True),
        ('Digest realm="r", nonce="n", qop="auth-int"', False),
        ('Digest realm="r", nonce="n", algorithm="MD5-sess", qop="auth"', False),
        ("Negotiate", False),
    ],
)
def test_odd_challenges(line: str, answered: bool) -> None:
    challenge = best_challenge([line])
    assert (challenge is not None) == answered
    if challenge:
        login = Login("u", "p")
        login.asked(challenge)
        header = login.header("PLAY", "rtsp://h/") or ""
        assert "qop" not in header
        assert "algorithm" not in header

    def answers(asked: Asked) -> bytes:
        no = not asked.headers.get("authorization") and asked.method == "DESCRIBE"
        return reply(asked, "401 Unauthorized", WWW_Authenticate=line) if no else usual(asked)

    if not answered:
        with once(answers) as camera:
            assert "in a way that is not known here" in str(
                error_of(source(camera.url.replace("//", "//u:p@")))
            )


def test_names_in_utf_8_and_realms_in_anything() -> None:
    head = b'RTSP/1.0 401 No\r\nWWW-Authenticate: Digest realm="k\xfcche", nonce="n"\r\n\r\n'
    message, _ = read_message(head, 0, len(head)) or pytest.fail("not read")
    challenge = best_challenge(message.headers["www-authenticate"])
    assert challenge is not None
    login = Login("j\u00fcrgen", "p")
    login.asked(challenge)
    sent = request("PLAY", "rtsp://h/", {"Authorization": login.header("PLAY", "rtsp://h/") or ""})
    assert 'username="j\u00fcrgen"'.encode() in sent
    assert b'realm="k\xfcche"' in sent  # as it came
    secret = hashlib.md5("j\u00fcrgen:".encode() + b"k\xfcche:p").hexdigest()
    what = hashlib.md5(b"PLAY:rtsp://h/").hexdigest()
    assert hashlib.md5(f"{secret}:n:{what}".encode()).hexdigest().encode() in sent


def test_a_track_that_counts_from_the_sessions_own_address(clip: Clip) -> None:
    asked_for: list[str] = []

    def answers(asked: Asked) -> bytes:
        if asked.method == "SETUP":
            asked_for.append(asked.url)
            if not asked.url.endswith("/live/ch0/t"):
                return reply(asked, "404 Not Found")
        body = SDP.replace("s=x", f"s=x\r\na=control:{camera.url}/live/ch0/")
        return described(body)(asked)

    with Scripted(answers, sends(rtp(clip.units[:2]))) as camera, source(camera.url) as one:
        assert len(list(one)) == 2
        assert asked_for == [f"{camera.url}/t", f"{camera.url}/live/ch0/t"]


@pytest.mark.parametrize("line", ["a=rtpmap:96\tH264/90000", "a=rtpmap: 96  H264/90000 "])
def test_blanks_in_descriptions(line: str) -> None:
    assert read_track(f"v=0\nm=video 0 RTP/AVP 96\n{line}\n".encode(), "rtsp://h/").codec == "h264"


@pytest.mark.parametrize("line", [b"no colon", b": x", b"Bad Header: x", b"X\xff: y"])
def test_an_odd_header_line_is_left_out(line: bytes) -> None:
    head = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n" + line + b"\r\n folded\r\nX: y\r\n\r\n"
    message, _ = read_message(head, 0, len(head)) or pytest.fail("not read")
    assert (message.cseq, message.header("x"), len(message.headers)) == (1, "y", 2)


def test_datagrams_may_come_from_the_address_that_the_camera_names(clip: Clip) -> None:
    for told, count in (("127.0.0.3", 5), ("not-an-address", 0)):
        ports: list[int] = []

        def names(asked: Asked, told: str = told, ports: list[int] = ports) -> bytes:
            if asked.method != "SETUP":
                return usual(asked)
            match = re.search(r"client_port=(\d+)", asked.headers["transport"])
            assert match is not None
            ports.append(int(match[1]))
            return reply(asked, Session="abc", Transport=f"{asked.headers['transport']};source={told}")

        def film(sock: socket.socket, ports: list[int] = ports) -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind(("127.0.0.3", 0))
                for packet in rtp(clip.units[:5]):
                    sender.sendto(packet, ("127.0.0.1", ports[0]))
            camera.released.wait(0.2)

        with Scripted(names, film) as camera, source(camera.url, "udp") as one:
            assert len(list(one)) == count


@pytest.mark.parametrize("body", ["", "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\n"])
def test_a_server_that_describes_nothing_is_said_to_do_so(body: str) -> None:
    with Scripted(described(body)) as camera:
        error = error_of(source(camera.url))
        assert [asked.method for asked in camera.asked] == ["OPTIONS", "DESCRIBE"]
    assert error.cause is Cause.NETWORK
    assert "describes no stream: is the path right" in str(error)
