"""Cameras that are odd, and those that are hostile: what is harmless costs nothing, the rest is bounded."""

import base64
import dataclasses
import hashlib
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import pytest
from scripted_camera import SDP, Asked, Scripted, interleaved, reply, rtp, usual
from source_clips import make_clip
from test_rtsp_camera import clip_of, error_of, numbered, sends, source
from test_rtsp_units import H264_INTER, H264_KEY, PPS, SPS, assembled, bytes_of, packets

from streamer.clock import MonotonicClock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import AccessUnit, Clip
from streamer.rtsp import opening
from streamer.rtsp import playing as plays_on
from streamer.rtsp.auth import Login, best_challenge
from streamer.rtsp.connection import Connection, tls
from streamer.rtsp.doubt import Doubt
from streamer.rtsp.failures import Stopped, Unreadable, Unsupported
from streamer.rtsp.message import read_message, request
from streamer.rtsp.place import Place, Target
from streamer.rtsp.place import look_up as place_look_up
from streamer.rtsp.rtp import Packet, read_packet
from streamer.rtsp.sdp import base_of, read_track
from streamer.rtsp.session import Channels, Session
from streamer.rtsp.timing import Arrival
from streamer.rtsp.units import START
from streamer.rtsp.waiting import Waiting
from streamer.sources import SourceOptions, rtsp
from streamer.sources.damage import Damage
from streamer.sources.network import NetworkSource

pytestmark = pytest.mark.timeout(30)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    options = {"bf": "0", "g": "10", "tune": "zerolatency", "sc_threshold": "0"}
    return clip_of(make_clip(tmp_path_factory.mktemp("clip") / "a.h264", 30, **options))


def seen(sent: Sequence[bytes], answers: Callable[[Asked], bytes | None] = usual) -> tuple[int, int]:
    """How many pictures come of it, and how many of them are marked."""
    with Scripted(answers, sends(list(sent))) as camera, source(camera.url) as one:
        captured = list(one)
    return len(captured), sum(picture.damaged for picture in captured)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def once(answers: Callable[[Asked], bytes]) -> Scripted:
    """A camera that answers us like this, and tells FFmpeg, which comes later, that there is nothing."""

    def answered(asked: Asked) -> bytes:
        return answers(asked) if camera.connections == 1 else reply(asked, "404 Not Found")

    camera = Scripted(answered)
    return camera


def described(body: str, **headers: str) -> Callable[[Asked], bytes]:
    def answers(asked: Asked) -> bytes:
        if asked.method != "DESCRIBE":
            return usual(asked)
        return reply(asked, body=body, Content_Type="application/sdp", **headers)

    return answers


# What is hostile is bounded.


@pytest.mark.parametrize(
    "line",
    ["Digest " + "a" * 4000, 'Digest a="' + '\\"' * 2000, 'Digest a="' + '\\"a="' * 900 + "\\", "a " * 2000],
)
def test_a_challenge_is_read_in_linear_time(line: str) -> None:
    def took_s(text: str) -> float:
        started = time.process_time()
        for _ in range(20):
            best_challenge([text])
        return (time.process_time() - started) / 20

    assert min(took_s(line) for _ in range(3)) < 0.005


def test_a_header_line_without_end_is_left_out() -> None:
    head = b"RTSP/1.0 401 No\r\nCSeq: 1\r\nWWW-Authenticate: Digest " + b"a" * 50_000 + b"\r\n"
    folded = b"X: y\r\n" + b" z" * 1000 + b"\r\n" + b" " + b"w" * 4000 + b"\r\n\r\n"
    message, _ = read_message(head + folded, 0, len(head + folded)) or pytest.fail("not read")
    assert (message.cseq, message.header("www-authenticate")) == (1, "")
    assert len(message.header("x")) < 4200


@pytest.mark.parametrize("host", ["192.168.1..5", "a" * 64 + ".local", ".foo"])
@pytest.mark.parametrize("scheme", ["rtsp", "rtsps"])
def test_a_name_that_is_none_is_an_unknown_host(scheme: str, host: str) -> None:
    before = open_files()
    error = error_of(source(f"{scheme}://{host}/x"))
    assert (error.cause, "unknown host" in str(error)) == (Cause.NETWORK, True)
    assert open_files() == before


def test_a_name_that_tls_does_not_take() -> None:
    with Scripted() as camera:
        connection = Connection((socket.AF_INET, ("127.0.0.1", camera.port)), ".foo", tls())
        waiting = Waiting().open()
        assert waiting.wait({connection.fileno(): connection.wants}, 5)
        with pytest.raises(Unreadable):
            connection.establish()
        connection.close()
        waiting.close()


def test_addresses_of_the_cameras_that_are_none(clip: Clip) -> None:
    assert base_of("rtsp://[::1/", "", "rtsp://h/cam") == "rtsp://h/cam"
    with pytest.raises(Unreadable):
        read_track(SDP.replace("control:t", "control:rtsp://[x/t").encode(), "rtsp://h/")

    def moved(asked: Asked) -> bytes:
        return (
            reply(asked, "302 Moved", Location="rtsp://a..b/x")
            if asked.method == "DESCRIBE"
            else usual(asked)
        )

    with Scripted(moved) as camera:
        assert error_of(source(camera.url)).cause is Cause.NETWORK
    assert seen(rtp(clip.units[:3]), described(SDP, Content_Base="rtsp://[::1/")) == (3, 0)


def test_nothing_stays_open_when_connecting_fails_in_an_unknown_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(rtsp, "open_camera", fails)
    before = open_files()
    with pytest.raises(RuntimeError), source("rtsp://127.0.0.1/x"):
        pass
    assert open_files() == before


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
            for data in numbered(clip, 0, 80, 0):
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


def test_a_nonce_that_grew_old_is_answered_at_once(clip: Clip) -> None:
    with (
        Scripted(*digest_camera(2, 0.5, clip), stays=True) as camera,
        source(camera.url.replace("//", "//u:p@")) as one,
    ):
        assert len(list(one)) >= 76


def test_a_session_that_is_forgotten_while_its_pictures_come(clip: Clip) -> None:
    def answers(asked: Asked) -> bytes:
        if asked.method == "SETUP":
            return reply(asked, Session="abc;timeout=2", Transport="RTP/AVP/TCP;unicast;interleaved=0-1")
        return (
            reply(asked, "454 Session Not Found")
            if asked.headers.get("session") and asked.method in ("GET_PARAMETER", "OPTIONS")
            else usual(asked)
        )

    def plays(sock: socket.socket) -> None:
        def film() -> None:
            for data in numbered(clip, 0, 60, 0):
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
        assert len(captured) >= 58
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


def test_pictures_before_the_answer_to_play_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plays_on, "MOST_WAITING_BYTES", 1_000_000)
    sent = [0]

    def answers(asked: Asked) -> bytes | None:
        return None if asked.method == "PLAY" else usual(asked)

    def plays(sock: socket.socket) -> None:
        for number in range(2000):
            head = struct.pack("!BBHII", 0x80, 0xE0, number, 3000 * number, 7)
            sock.sendall(interleaved(head + b"\x65\x88" + bytes(20_000)))
            sent[0] += 20_000 * (camera.connections == 1)  # the next one is FFmpeg's

    with Scripted(answers, plays) as camera:
        assert error_of(source(camera.url)).cause is not None
    assert sent[0] < 20_000_000


# Stopping, and what is known of a camera.


def test_stopping_ends_a_burst_at_once() -> None:
    """What has come is not decoded to its end."""

    class Full:
        ended = False

        def take(self) -> list[Arrival]:
            (unit,) = assembled("h264", packets("h264", [[H264_KEY + b"k"]]))
            return [Arrival(unit, 0, 0, 0, None)] * 1000

    class Deaf:
        def picture(self, arrived_ns: int) -> None:
            pass

    one = source("rtsp://127.0.0.1/x")
    arrivals = one._arrivals(cast(plays_on.Playing, Full()), cast(Doubt, Deaf()))
    next(arrivals)
    next(arrivals)
    one.stop()
    with pytest.raises(Stopped):
        next(arrivals)


def test_a_source_that_was_stopped_leaves_nothing_to_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """While FFmpeg connects nothing ends it: it is not begun then."""
    opened: list[object] = []

    def enter(self: NetworkSource) -> NetworkSource:
        opened.append(self)
        return self

    monkeypatch.setattr(NetworkSource, "__enter__", enter)
    one = source("rtsp://127.0.0.1/\u00fc")  # not for us
    one.stop()
    assert error_of(one).cause is Cause.ENDED
    assert opened == []


def test_a_name_is_looked_up_only_where_what_is_known_leads_nowhere(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []

    def look_up(place: Place) -> list[Target]:
        looked_up.append(place.host)
        return place_look_up(place)

    monkeypatch.setattr(opening, "look_up", look_up)
    with Scripted(plays=sends(rtp(clip.units[:2]))) as camera:
        one = source(camera.url.replace("127.0.0.1", "localhost"))
        for _ in range(3):
            with one:
                assert len(list(one)) == 2
        with one.renew() as other:  # it knows the way, too
            assert len(list(other)) == 2
        assert looked_up == ["localhost"]
    for count in (1, 2, 2, 3):  # every second time: the resolver may be what hangs
        error_of(one)
        assert len(looked_up) == count


def test_a_renewed_source_knows_what_the_old_one_found_out(clip: Clip) -> None:
    def answers(asked: Asked) -> bytes:
        return reply(asked, "404 Not Found") if asked.method == "DESCRIBE" else usual(asked)

    with Scripted(answers) as camera:
        one = source(camera.url)
        one._silent_tries, one._slow = 3, False
        one._for_good, one._ffmpeg = True, NetworkSource(one._address, SourceOptions(), MonotonicClock())
        other = one.renew()
        assert (other._silent_tries, other._slow, other._for_good) == (3, False, True)
        assert other._ffmpeg is not one._ffmpeg
        error_of(other)
        assert camera.connections == 1  # FFmpeg's


def test_a_server_that_starts_on_demand_is_waited_for(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "ANSWER_S", 0.3)

    def answers(asked: Asked) -> bytes:
        if asked.method == "DESCRIBE":
            camera.released.wait(0.8)
        return usual(asked)

    with Scripted(answers, sends(rtp(clip.units[:2]))) as camera, source(camera.url) as one:
        assert len(list(one)) == 2


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


@pytest.mark.parametrize("user", ["a%0d%0ab", "a%00", "a%7f"])
def test_control_characters_in_names_and_passwords_are_refused(user: str) -> None:
    with Scripted() as camera:
        for login in (f"{user}:p", f"u:{user}"):
            error = error_of(source(camera.url.replace("//", f"//{login}@")))
            assert (error.cause, "control characters" in str(error)) == (Cause.AUTH, True)
        assert camera.connections == 0


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


def test_a_flood_that_shows_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of four bytes, without end and without a pause."""
    monkeypatch.setattr(rtsp, "NO_PICTURE_LIMIT_S", 0.3)

    def floods(sock: socket.socket) -> None:
        number = 0
        while True:
            many = b""
            for _ in range(500):
                head = struct.pack("!BBHII", 0x80, 0xE0, number & 0xFFFF, 3000 * number & 0xFFFFFFFF, 7)
                many += interleaved(head + b"\x65\x88\x80\x10")
                number += 1
            sock.sendall(many)

    with (
        Scripted(plays=floods) as camera,
        pytest.raises(SourceError, match="no keyframe that can be decoded"),
        source(camera.url) as one,
    ):
        list(one)


@pytest.mark.parametrize("body", ["", "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\n"])
def test_a_server_that_describes_nothing_is_said_to_do_so(body: str) -> None:
    with Scripted(described(body)) as camera:
        error = error_of(source(camera.url))
        assert [asked.method for asked in camera.asked] == ["OPTIONS", "DESCRIBE"]
    assert error.cause is Cause.NETWORK
    assert "describes no stream: is the path right" in str(error)
