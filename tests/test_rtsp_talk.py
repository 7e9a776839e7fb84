"""What is said before pictures come: messages in any pieces, passwords, descriptions."""

import base64
import hashlib
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.rtsp.auth import Login, best_challenge
from streamer.rtsp.failures import Undescribed, Unreadable, Unsupported
from streamer.rtsp.message import LARGEST_HEAD_BYTES, answer, read_message, request
from streamer.rtsp.place import parse_place
from streamer.rtsp.sdp import base_of, read_track

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nContent-Length: 3\r\nX-Y: a\r\n b\r\nX-Y:c\r\n\r\nabc"


def test_a_reply_is_read_once_it_is_complete() -> None:
    for end in range(1, len(REPLY)):
        assert read_message(REPLY, 0, end) is None
    message, end = read_message(b"??" + REPLY + b"$", 2, len(REPLY) + 3) or pytest.fail("not read")
    assert end == len(REPLY) + 2
    assert (message.status, message.cseq, message.body) == (200, 7, b"abc")
    assert message.headers["x-y"] == ("a b", "c")


def test_requests_of_the_camera_are_answered() -> None:
    message, _ = read_message(b"OPTIONS * RTSP/1.0\nCSeq: 3\n\n", 0, 28) or pytest.fail("not read")
    assert message.method == "OPTIONS"
    assert answer(message) == b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n"
    message, _ = read_message(b"PLAY_NOTIFY * RTSP/2.0\r\n\r\n", 0, 26) or pytest.fail("not read")
    assert answer(message).startswith(b"RTSP/1.0 501")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x15\x03\x01\x00",
        b"hello",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 999999\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"RTSP/1.0 99999 OK\r\n\r\n",
        b"RTSP/1.0 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
        b"RTSP/1.0 200 OK\r\na: " + b"b" * LARGEST_HEAD_BYTES,
    ],
)
def test_what_is_no_rtsp_is_refused(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read_message(data, 0, len(data))


@given(st.binary(min_size=1, max_size=80), st.booleans())
def test_noise_never_escapes_as_something_else(data: bytes, reply: bool) -> None:
    data = (b"RTSP/1.0 200 OK\r\n" if reply else b"") + data + b"\r\n\r\n"
    try:
        read_message(data, 0, len(data))
    except Unreadable:
        return


def test_requests() -> None:
    assert request("PLAY", "rtsp://h/x", {"CSeq": "2"}) == b"PLAY rtsp://h/x RTSP/1.0\r\nCSeq: 2\r\n\r\n"


# RFC 2617, section 3.5.
_ASKED = (
    'Digest realm="testrealm@host.com", qop="auth,auth-int", algorithm={}, '
    'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)


def test_the_digest_of_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0a4f113b")
    login = Login("Mufasa", "Circle Of Life")
    assert login.header("GET", "/dir/index.html") is None
    # Of several the strongest is answered; what we do not know is left out.
    lines = ['Basic realm="x"', _ASKED.format("MD5-sess"), _ASKED.format("MD5")]
    challenge = best_challenge(lines)
    assert challenge is not None
    login.asked(challenge)
    header = login.header("GET", "/dir/index.html") or ""
    assert 'response="6629fae49393a05397450978507c4ef1"' in header
    assert "nc=00000001" in header
    assert 'opaque="5ccc' in header
    assert "nc=00000002" in (login.header("GET", "/") or "")


def test_which_challenge_is_answered() -> None:
    both = 'Digest realm="a, Basic b", nonce="n", Basic realm="c"'
    found = best_challenge([both])
    assert found is not None
    assert (found.scheme, found.fields["realm"], found.algorithm) == ("digest", "a, Basic b", "md5")
    sha = best_challenge([_ASKED.format("MD5"), _ASKED.format("SHA-256")])
    assert sha is not None
    assert sha.algorithm == "sha-256"
    assert best_challenge(['Negotiate, Digest realm="x"']) is None  # no nonce
    basic = best_challenge(['Basic realm="x"'])
    assert basic is not None
    login = Login("us\u00e9r", 'p:"ss')
    login.asked(basic)
    assert login.header("PLAY", "x") == "Basic " + base64.b64encode('us\u00e9r:p:"ss'.encode()).decode()


def test_an_old_digest_without_qop_and_quotes_in_names() -> None:
    login = Login('a"b', "pw")
    challenge = best_challenge(['Digest realm="r\\"s", nonce="n"'])
    assert challenge is not None
    login.asked(challenge)
    secret = hashlib.md5(b'a"b:r"s:pw').hexdigest()
    what = hashlib.md5(b"PLAY:rtsp://h/").hexdigest()
    header = login.header("PLAY", "rtsp://h/") or ""
    assert f'response="{hashlib.md5(f"{secret}:n:{what}".encode()).hexdigest()}"' in header
    assert 'username="a\\"b"' in header
    assert 'realm="r\\"s"' in header


SDP = """v=0
o=- 0 0 IN IP4 0.0.0.0
s=x
a=control:{session}
m=audio 0 RTP/AVP 0
a=control:audio
m=video 0 RTP/AVP 26 97
a=rtpmap:97 {name}/90000
a=fmtp:97 packetization-mode={mode};sprop-parameter-sets=Z0IAHg==,aM4=,???; profile-level-id=42
a=control:{track}
"""


def sdp(name: str = "H264", mode: str = "1", session: str = "*", track: str = "t=1") -> bytes:
    return SDP.format(name=name, mode=mode, session=session, track=track).encode()


@pytest.mark.parametrize(
    ("session", "track", "session_url", "url"),
    [
        ("*", "t=1", "rtsp://h/cam/", "rtsp://h/cam/t=1"),
        ("*", "rtsp://10.0.0.1/t", "rtsp://h/cam/", "rtsp://10.0.0.1/t"),
        ("rtsp://h/all", "*", "rtsp://h/all", "rtsp://h/all"),
        ("", "/other/t", "rtsp://h/cam/", "rtsp://h/other/t"),
    ],
)
def test_where_the_track_is(session: str, track: str, session_url: str, url: str) -> None:
    found = read_track(sdp(session=session, track=track), "rtsp://h/cam/")
    assert (found.session_url, found.url) == (session_url, url)
    assert (found.codec, found.payload_type, found.clock_hz) == ("h264", 97, 90_000)
    assert found.sets == (b"\x67\x42\0\x1e",)  # what is too short, or no base64, is left out


def test_what_relative_addresses_count_from() -> None:
    assert base_of("rtsp://h/cam/", "", "rtsp://h/cam") == "rtsp://h/cam/"
    assert base_of("", "rtsp://i/", "rtsp://h/cam") == "rtsp://i/"
    assert base_of("file:///etc/", "", "rtsp://h/cam") == "rtsp://h/cam"
    assert base_of("", "", "rtsp://h/cam") == "rtsp://h/cam"
    assert read_track(sdp(), "rtsp://h/cam?a=b").url == "rtsp://h/cam?a=b/t=1"


@pytest.mark.parametrize("body", [sdp(name="JPEG"), sdp(mode="2"), b"v=0\nm=audio 0 RTP/AVP 0\n"])
def test_what_somebody_else_has_to_read(body: bytes) -> None:
    with pytest.raises(Unsupported):
        read_track(body, "rtsp://h/")


def test_h265() -> None:
    body = sdp(name="h265").replace(
        b"sprop-parameter-sets=Z0IAHg==,aM4=,???", b"sprop-vps=QAEM;sprop-sps=QgEB;sprop-pps=RAHB"
    )
    found = read_track(body, "rtsp://h/")
    assert (found.codec, found.sets) == ("hevc", (b"@\x01\x0c", b"B\x01\x01", b"D\x01\xc1"))


@pytest.mark.parametrize("body", [b"<html></html>", b"v=0\n" * 5000])
def test_what_is_no_description(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read_track(body, "rtsp://h/")


@pytest.mark.parametrize("body", [b"", b"\r\n", b"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\n"])
def test_a_description_of_nothing(body: bytes) -> None:
    with pytest.raises(Undescribed):
        read_track(body, "rtsp://h/")


@given(st.text(max_size=200))
def test_noise_is_no_description(text: str) -> None:
    with pytest.raises((Undescribed, Unreadable, Unsupported)):
        read_track(b"v=0\n" + text.encode(errors="replace"), "rtsp://h/")


def test_places() -> None:
    place = parse_place("rtsp://us%40r:p%2F%20w@h:99/x?y=1#z")
    assert (place.url, place.host, place.port) == ("rtsp://h:99/x?y=1", "h", 99)
    assert (place.user, place.password) == ("us@r", "p/ w")
    assert "p/ w" not in repr(place)
    assert parse_place("rtsps://h/").port == 322
    there = place.elsewhere("/b") or pytest.fail("same host")
    assert (there.url, there.user) == ("rtsp://h:99/b", "us@r")
    other = place.elsewhere("rtsp://other/") or pytest.fail("rtsp")
    assert (other.host, other.user, other.password) == ("other", None, "")
    for wrong in ("http://h/", "file:///etc/passwd", "rtsp://h:0/", "rtsp://[", "rtsp://h:x/", "rtsp://h/ü"):
        assert place.elsewhere(wrong) is None
    assert parse_place("rtsps://h/").elsewhere("rtsp://h/") is None
