"""Asking an ONVIF camera: the login, the services, the profiles; and cameras that mean no good."""

import base64
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streamer.errors import Cause, SourceError
from streamer.onvif import Device, Login, Profile, device_url, profiles
from streamer.onvif.login import username_token
from streamer.onvif.markup import LARGEST_BYTES
from tests.certificates import make_certificate
from tests.onvif_camera import LOOPBACK, TDS, TR2, TRT, OnvifCamera, Stream, envelope, fault, http, response

pytestmark = pytest.mark.timeout(30)

RIGHT = Login("admin", "secret")
MAIN = Stream("main", "rtsp://127.0.0.1:554/main", "H265", (2560, 1440), 25, "Main <1>")
SUB = Stream("sub", "rtsp://127.0.0.1:554/sub?a=1&b=2", "H264", (704, 576), 12.5)
BOTH = [MAIN, SUB]
MAIN_SEEN = Profile("Main <1>", "VideoSource_1", "hevc", (2560, 1440), 25.0, "rtsp://127.0.0.1:554/main")
SUB_SEEN = Profile("sub", "VideoSource_1", "h264", (704, 576), 12.5, "rtsp://127.0.0.1:554/sub?a=1&b=2")


def ask(camera: OnvifCamera, login: Login | None = RIGHT, seconds: float = 20) -> list[Profile]:
    device = Device(device_url(LOOPBACK, camera.port), login, seconds)
    device.set_clock()
    return profiles(device)


def refusal(camera: OnvifCamera, login: Login | None = RIGHT, seconds: float = 20) -> SourceError:
    begun = time.monotonic()
    with pytest.raises(SourceError) as caught:
        ask(camera, login, seconds)
    assert time.monotonic() - begun < 10
    assert str(caught.value).startswith(f"{LOOPBACK}:{camera.port}: ")
    assert RIGHT.password not in str(caught.value)
    return caught.value


class TestLogin:
    def test_the_digest_is_that_of_the_standard(self) -> None:
        # The worked example of the ONVIF Application Programmer's Guide, section 6.1.1.
        nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
        at = datetime(2010, 9, 16, 7, 50, 45, tzinfo=UTC)
        made = username_token(Login("user", "userpassword"), at, nonce)
        assert ">tuOSpGlFlIXsozq4HFNeeGeFLEI=<" in made
        assert ">LKqI6G/AikKCQrN0zqZFlg==<" in made
        assert ">2010-09-16T07:50:45Z<" in made
        assert "userpassword" not in made

    def test_no_two_nonces_are_the_same(self) -> None:
        now = datetime.now(UTC)
        assert username_token(RIGHT, now) != username_token(RIGHT, now)

    @pytest.mark.parametrize("way", ["token", "http"])
    def test_the_right_one_is_let_in(self, way: str) -> None:
        with OnvifCamera(BOTH, way=way) as camera:
            assert ask(camera) == [MAIN_SEEN, SUB_SEEN]

    @pytest.mark.parametrize("way", ["token", "http"])
    @pytest.mark.parametrize("login", [Login("admin", "wrong"), Login("root", "secret"), Login("<&", '"')])
    def test_a_wrong_one_is_told_so_and_tried_once(self, way: str, login: Login) -> None:
        with OnvifCamera(BOTH, way=way) as camera:
            error = refusal(camera, login)
            assert error.cause is Cause.AUTH
            assert "refuses the user name or password" in str(error)
            # With digest over HTTP the first answer is only the question.
            assert camera.refused == (2 if way == "http" else 1)

    def test_without_one_it_is_asked_for(self) -> None:
        with OnvifCamera(BOTH) as camera:
            error = refusal(camera, None)
        assert error.cause is Cause.AUTH
        assert "asks for a user name and password" in str(error)

    def test_a_camera_that_wants_none_gets_none(self) -> None:
        with OnvifCamera(BOTH, user=None) as camera:
            assert ask(camera, None) == [MAIN_SEEN, SUB_SEEN]

    @pytest.mark.parametrize("ahead", [timedelta(days=-20_000), timedelta(hours=5), timedelta(minutes=-7)])
    def test_the_cameras_own_clock_counts(self, ahead: timedelta) -> None:
        with OnvifCamera(BOTH, ahead=ahead) as camera:
            assert len(ask(camera)) == 2

    def test_a_clock_that_is_none_is_passed_over(self) -> None:
        told = response("http://www.onvif.org/ver10/device/wsdl", "GetSystemDateAndTime", "<x/>")
        with OnvifCamera(BOTH, instead={"GetSystemDateAndTime": http(envelope(told))}) as camera:
            assert len(ask(camera)) == 2
        closed = http(envelope(fault("Sender", "NotAuthorized", "no")), "400 Bad Request")
        with OnvifCamera(BOTH, instead={"GetSystemDateAndTime": closed}) as camera:
            assert len(ask(camera)) == 2

    def test_a_clock_at_the_end_of_time_is_passed_over(self) -> None:
        told = (
            "<tds:SystemDateAndTime><tt:UTCDateTime><tt:Time><tt:Hour>23</tt:Hour><tt:Minute>59</tt:Minute>"
            "<tt:Second>59</tt:Second></tt:Time><tt:Date><tt:Year>9999</tt:Year><tt:Month>12</tt:Month>"
            "<tt:Day>31</tt:Day></tt:Date></tt:UTCDateTime></tds:SystemDateAndTime>"
        )
        last = http(envelope(response(TDS, "GetSystemDateAndTime", told)))
        with OnvifCamera(BOTH, instead={"GetSystemDateAndTime": last}) as camera:
            assert len(ask(camera)) == 2

    @pytest.mark.parametrize("way", ["token", "http"])
    def test_user_and_password_in_any_script(self, way: str) -> None:
        with OnvifCamera(BOTH, way=way, user="Jürgen мир", password="пароль") as camera:
            assert len(ask(camera, Login("Jürgen мир", "пароль"))) == 2

    def test_a_password_is_never_sent_as_it_is(self) -> None:
        basic = http(b"", "401 Unauthorized", 'WWW-Authenticate: Basic realm="x"\r\n')
        with OnvifCamera(BOTH, instead={"GetServices": basic}) as camera:
            assert refusal(camera).cause is Cause.AUTH
            assert camera.calls == ["GetSystemDateAndTime", "GetServices"]
            assert b"secret" not in b"".join(camera.heard)
            assert base64.b64encode(b"admin:secret") not in b"".join(camera.heard)


class TestProfiles:
    def test_an_old_camera_without_media2_and_get_services(self) -> None:
        with OnvifCamera(BOTH, media2=False, services=False) as camera:
            assert ask(camera) == [SUB_SEEN]
            assert "GetCapabilities" in camera.calls

    def test_a_new_camera_with_nothing_but_media2(self) -> None:
        with OnvifCamera(BOTH, media=False) as camera:
            assert ask(camera) == [MAIN_SEEN, SUB_SEEN]

    def test_media2_that_is_offered_and_not_served(self) -> None:
        broken = http(envelope(fault("Receiver", "ActionNotSupported", "later")), "500 Internal Server Error")
        answers: list[bytes] = [broken]

        def first(sock: socket.socket) -> None:
            sock.sendall(answers.pop())
            camera.instead.clear()

        with OnvifCamera(BOTH) as camera:
            camera.instead["GetProfiles"] = first
            assert ask(camera) == [SUB_SEEN]

    def test_a_recorder_has_a_view_for_each_channel(self) -> None:
        streams = [Stream(f"p{i}", f"rtsp://127.0.0.1/{i}", source=f"channel {i // 2}") for i in range(4)]
        with OnvifCamera(streams) as camera:
            assert [one.view for one in ask(camera)] == ["channel 0"] * 2 + ["channel 1"] * 2

    def test_what_is_behind_a_router_tells_its_address_there(self) -> None:
        there = Stream("a", "rtsp://10.0.0.7:8554/a")
        with OnvifCamera([there], says_host="10.0.0.7") as camera:
            assert [one.url for one in ask(camera)] == ["rtsp://127.0.0.1:8554/a"]

    @pytest.mark.parametrize(
        "uri",
        [
            "http://127.0.0.1/x",
            "file:///etc/passwd",
            "concat:a|b",
            "",
            "rtsp://",
            "rtsp://127.0.0.1/a b",
            "x" * 9000,
        ],
    )
    def test_a_stream_that_is_no_rtsp_is_none(self, uri: str) -> None:
        with OnvifCamera([Stream("a", uri), SUB]) as camera:
            assert ask(camera) == [SUB_SEEN]

    def test_what_is_told_may_be_odd(self) -> None:
        odd = Stream(
            "a", "rtsp://u:p@127.0.0.1:77/a", "AV1", (0, 70_000), 1e9, "\u202eevil\x9b2J " + "x" * 99
        )
        with OnvifCamera([odd]) as camera:
            (one,) = ask(camera)
        assert (one.codec, one.size, one.fps, one.url) == (None, None, None, "rtsp://127.0.0.1:77/a")
        assert one.name.startswith("evil2J xxx")
        assert len(one.name) == 40

    def test_a_camera_without_a_stream(self) -> None:
        with OnvifCamera([]) as camera:
            assert "has no stream that ONVIF tells of" in str(refusal(camera))
        with OnvifCamera(BOTH, media=False, media2=False) as camera:
            assert refusal(camera).cause is Cause.NOT_FOUND

    def test_no_more_profiles_than_a_recorder_has(self) -> None:
        with OnvifCamera([Stream(f"p{i}", f"rtsp://127.0.0.1/{i}") for i in range(70)]) as camera:
            assert len(ask(camera)) == 64

    def test_maker_and_model(self) -> None:
        with OnvifCamera(BOTH, maker="A\x07cme", model="Eye\u2028" + "3" * 99) as camera:
            # A control character is no XML at all; what is not printable is left out.
            with pytest.raises(SourceError):
                Device(device_url(LOOPBACK, camera.port), RIGHT).made()
            camera.maker = "Acme"
            made = Device(device_url(LOOPBACK, camera.port), RIGHT).made()
        assert made.startswith("Acme Eye 333")
        assert len(made) == 60


def drips(head: bytes, drop: bytes) -> Callable[[socket.socket], None]:
    """Sends a head, and then a drop now and then, for ever."""

    def send(sock: socket.socket) -> None:
        try:
            sock.sendall(head)
            sock.settimeout(0.1)
            while True:
                sock.sendall(drop)
                try:
                    if not sock.recv(1):
                        return
                except TimeoutError:
                    continue
        except OSError:
            return

    return send


def flood(head: bytes) -> Callable[[socket.socket], None]:
    def send(sock: socket.socket) -> None:
        try:
            sock.sendall(head)
            for _ in range(1000):
                sock.sendall(b"a" * 65_536)
        except OSError:
            return

    return send


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class TestHostile:
    @pytest.mark.parametrize(
        "slow",
        [
            drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
            drips(b"HTTP/1.1 200 OK\r\n", b"X-1: y\r\n"),
        ],
        ids=["body", "head"],
    )
    def test_a_slow_answer_takes_no_longer_than_allowed(self, slow: Callable[[socket.socket], None]) -> None:
        with OnvifCamera(BOTH, instead={"GetProfiles": slow}) as camera:
            begun = time.monotonic()
            assert refusal(camera, seconds=1.0).cause is Cause.SILENCE
            assert time.monotonic() - begun < 3

    def test_all_calls_together_have_one_limit(self) -> None:
        many = [Stream(f"p{i}", f"rtsp://127.0.0.1/{i}") for i in range(64)]

        def slowly(sock: socket.socket) -> None:
            time.sleep(0.1)  # the camera's own slowness
            sock.sendall(http(envelope(response(TR2, "GetStreamUri", "<tr2:Uri>rtsp://x/</tr2:Uri>"))))

        with OnvifCamera(many, instead={"GetStreamUri": slowly}) as camera:
            begun = time.monotonic()
            error = refusal(camera, seconds=0.5)
            assert time.monotonic() - begun < 3
        assert error.cause is Cause.SILENCE

    @pytest.mark.parametrize(
        "answer",
        [
            flood(b"HTTP/1.1 200 OK\r\n\r\n"),
            flood(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n"),
            flood(CHUNKED + b"ffffffffff\r\n"),
            flood(b"HTTP/1.1 200 OK\r\nX: "),
            flood(b""),
            http(b"<a>" * 1000 + b"</a>" * 1000),
            http(b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
            http(b"not xml"),
            http(b""),
            http(envelope("")),
            http(envelope(response(TRT, "GetVideoSources", ""))),
            http(envelope(fault("Sender", "InvalidArgVal", "\x1b[2J".replace("\x1b", "") + "x" * 9999))),
            b"HTTP/1.1 999999 x\r\n\r\n",
            b"\r\n\r\n",
            b"",
            CHUNKED + b"-5\r\nabc\r\n",
            CHUNKED + b"zz\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
            b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        ],
    )
    def test_any_answer_is_a_sentence(self, answer: bytes | Callable[[socket.socket], None]) -> None:
        with OnvifCamera(BOTH, instead={"GetProfiles": answer}) as camera:
            error = refusal(camera)
        assert error.cause in (Cause.NOT_FOUND, Cause.NETWORK)
        assert len(str(error)) < 400
        assert str(error).isprintable()

    def test_a_redirect_is_not_followed(self) -> None:
        with OnvifCamera(BOTH) as elsewhere:
            away = http(b"", "307 Temporary Redirect", f"Location: {elsewhere.url}\r\n")
            with OnvifCamera(BOTH, instead={"GetProfiles": away}) as camera:
                assert "sends us elsewhere, where we do not go" in str(refusal(camera))
            assert elsewhere.calls == []

    def test_services_on_another_host_are_asked_for_on_this_one(self) -> None:
        with OnvifCamera(BOTH, says_host="192.0.2.77") as camera:
            assert len(ask(camera)) == 2

    def test_a_long_answer_that_is_right_is_read(self) -> None:
        many = [Stream(f"p{i}", f"rtsp://127.0.0.1/{i}", name="n" * 2000) for i in range(40)]
        with OnvifCamera(many) as camera:
            assert len(ask(camera)) == 40
        assert LARGEST_BYTES > 40 * 2000


def test_nobody_there() -> None:
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        port = sock.getsockname()[1]
        with pytest.raises(SourceError, match="refuses the connection") as caught:
            Device(device_url(LOOPBACK, port)).set_clock()
    assert caught.value.cause is Cause.NETWORK
    with pytest.raises(SourceError, match="no such host"):
        Device(device_url("no-such-host.invalid")).set_clock()


def test_over_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path))
    with OnvifCamera(BOTH, secure=context) as camera:
        device = Device(camera.url, RIGHT)
        device.set_clock()
        assert len(profiles(device)) == 2
