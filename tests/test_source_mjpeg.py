"""Motion JPEG over HTTP: each picture at once, bounded; passwords, redirects, TLS, and what goes wrong."""

import base64
import contextlib
import hashlib
import re
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from certificates import make_certificate
from hypothesis import given
from hypothesis import strategies as st
from source_clips import failure

from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.isolation import Isolated
from streamer.sources import (
    SourceOptions,
    demuxing,
    jpegs,
    mjpeg,
    network,
    open_source,
    parse_address,
    web,
)
from streamer.sources.jpegs import Jpegs
from streamer.sources.untold import Untold

pytestmark = pytest.mark.timeout(30)
Sends = Callable[[BaseHTTPRequestHandler], None]


def jpeg(value: int, *flags: int, size: tuple[int, int] = (64, 48)) -> bytes:
    noise = np.random.default_rng(value).integers(0, 20, (size[1], size[0], 3), np.uint8)
    data: bytes = cv2.imencode(".jpg", noise + np.uint8(value), list(flags))[1].tobytes()
    return data


@contextmanager
def server(sends: Sends, certificate: Path | None = None) -> Iterator[tuple[str, list[dict[str, str]]]]:
    asked: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            pass

        def do_GET(self) -> None:
            asked.append({"path": self.path, **dict(self.headers)})
            self.close_connection = True
            with contextlib.suppress(OSError):
                sends(self)

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as web:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            web.socket = context.wrap_socket(web.socket, server_side=True)
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{web.server_port}/video", asked
        finally:
            web.shutdown()
            thread.join()


def begin(handler: BaseHTTPRequestHandler, **headers: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    for key, value in headers.items():
        handler.send_header(key.replace("_", "-"), value)
    handler.end_headers()


def three(handler: BaseHTTPRequestHandler) -> None:
    begin(handler)
    for value in (10, 20, 30):
        handler.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg(value) + b"\r\n")


def read(url: str) -> list[Captured]:
    with open_source(parse_address(url)) as source:
        return list(source)


def test_a_picture_is_there_with_its_last_byte() -> None:
    """Whether its length is told or not, and though the next one has not begun."""
    taken = threading.Semaphore(0)

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        for value in range(0, 100, 10):
            length = f"Content-Length: {len(jpeg(value))}\r\n".encode() * (value % 20 == 0)
            part = b"--frame\r\nContent-Type: image/jpeg\r\n" + length + b"\r\n" + jpeg(value)
            for at in range(0, len(part), 301):
                handler.wfile.write(part[at : at + 301])
            assert taken.acquire(timeout=5)
            handler.wfile.write(b"\r\n")

    with server(sends) as (url, _), open_source(parse_address(url)) as source:
        shown = []
        for captured in source:
            assert captured.captured_ns <= time.monotonic_ns()
            shown.append(captured.picture.bgr().mean())
            taken.release()
    assert shown == pytest.approx([value + 10 for value in range(0, 100, 10)], abs=2)


def test_chunks_and_odd_jpegs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progressive ones, with restarts, with a smaller picture in them, with fill bytes."""
    monkeypatch.setattr(mjpeg, "MOST_TOGETHER", 100)
    inner = jpeg(200, size=(16, 16))
    embedded = b"\xff\xe1" + (len(inner) + 2).to_bytes(2, "big") + inner
    plain = jpeg(40)
    made = [
        jpeg(10, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        jpeg(20, cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
        jpeg(30, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
        plain[:2] + embedded + plain[2:],
        plain[:2] + b"\xff\xff" + plain[2:-2] + b"\xff\xff\xd9",
    ]

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, Transfer_Encoding="chunked")
        for data in made:
            part = b"--frame\r\nContent-Type: image/jpeg;a=b\r\n\r\n" + data + b"\0\0\0\r\n"
            for at in range(0, len(part), 777):
                piece = part[at : at + 777]
                handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")

    with server(sends) as (url, _):
        captured = read(url)
    assert [one.picture.size for one in captured] == [(64, 48)] * 5
    means = [one.picture.bgr().mean() for one in captured]
    assert means == pytest.approx([20, 30, 40, 50, 50], abs=3)


def test_of_a_pile_only_the_newest_is_looked_at() -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        handler.wfile.write(b"".join(b"--frame\r\n\r\n" + jpeg(value) + b"\r\n" for value in range(20)))

    with server(sends) as (url, _):
        captured = read(url)
    assert len(captured) + sum(one.skipped for one in captured) == 20
    assert captured[-1].picture.bgr().mean() == pytest.approx(29, abs=2)
    assert len(captured) < 10


def test_a_picture_that_was_cut_off_is_counted_and_the_next_one_is_whole() -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        handler.wfile.write(
            b"--frame\r\n\r\n" + jpeg(10)[:-100] + b"\r\n--frame\r\n\r\n" + jpeg(60) + b"\r\n"
        )

    with server(sends) as (url, _), open_source(parse_address(url)) as source:
        (captured,) = list(source)
        assert isinstance(source, network.NetworkSource)
        assert source.damaged == 1
    assert captured.picture.bgr().mean() == pytest.approx(70, abs=2)


@pytest.mark.parametrize("length", ["", "Content-Length: 2000000000\r\n"])
def test_a_picture_without_end_is_refused(length: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpegs, "LARGEST_BYTES", 1_000_000)

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        handler.wfile.write(f"--frame\r\n{length}\r\n".encode() + jpeg(10)[:-2])
        while True:  # until nobody listens any more
            handler.wfile.write(bytes(65_536))

    with server(sends) as (url, _):
        error, count = failure(url)
    assert (error.cause, count) == (Cause.NETWORK, 0)
    assert "a picture of more than 1000000 bytes" in str(error)


def test_bytes_without_a_picture_are_not_kept_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "NO_PICTURE_LIMIT_S", 0.1)

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        while True:
            handler.wfile.write(b"--frame\r\n" * 1000)

    with server(sends) as (url, _):
        error, _ = failure(url)
    assert error.cause is Cause.SILENCE
    assert "data comes, but no" in str(error)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "identity, X-GZIP"},
        {"Transfer-Encoding": "gzip, chunked"},
        {"Content-Encoding": "deflate"},
    ],
)
def test_compressed_pictures_are_an_error_that_says_so(headers: dict[str, str]) -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, **headers)
        handler.wfile.write(zlib.compress(b"--frame\r\n\r\n" + jpeg(10)))

    with server(sends) as (url, asked):
        error, _ = failure(url)
        assert error.cause is Cause.CODEC
        assert f"compresses its pictures ({re.findall('gzip|deflate', str(headers).lower())[0]})" in str(
            error
        )
        assert "proxy" in error.advice
        assert "gzip" not in asked[0].get("Accept-Encoding", "")


def test_a_coding_that_nobody_knows_is_not_believed() -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, Content_Encoding="utf-8")
        handler.wfile.write(b"--frame\r\n\r\n" + jpeg(10))

    with server(sends) as (url, _):
        assert len(read(url)) == 1


@pytest.mark.parametrize(
    ("kind", "body", "cause", "says"),
    [
        ("text/html", b"<html>log in</html>", Cause.NOT_FOUND, "answers with a web page (text/html)"),
        ("image/jpeg", jpeg(10), Cause.NOT_FOUND, "answers with a single picture (image/jpeg)"),
        ("image/\x1b[31mred", jpeg(10), Cause.CODEC, "answers, but not with video"),
    ],
)
def test_what_comes_instead_of_video_is_named(kind: str, body: bytes, cause: Cause, says: str) -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with server(sends) as (url, _):
        error, _ = failure(url)
    assert error.cause is cause
    assert says in str(error)
    assert str(error).isprintable()


def test_who_stops_it_sees_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures came, the connection was shut, and only then the rest is asked for."""
    monkeypatch.setattr(web.Answer, "waits", True)
    released = threading.Event()

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, Transfer_Encoding="chunked")
        data = b"--frame\r\n\r\n" + jpeg(10)
        handler.wfile.write(b"%x\r\n%b\r\n5" % (len(data), data))
        released.wait(10)

    with server(sends) as (url, _):
        source = open_source(parse_address(url))
        assert isinstance(source, network.NetworkSource)
        with source:
            pictures = iter(source)
            threading.Timer(0.2, source.stop).start()
            assert len(list(pictures)) == 1
        released.set()


@pytest.mark.parametrize("noise", [b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xc0\x00\x02\xff\xd9"])
def test_nothing_but_beginnings_is_given_up(noise: bytes) -> None:
    """Each would cost its time, and come to nothing."""
    finder = Jpegs()
    for _ in range(4):
        assert finder.add(noise * 1000) == []
    with pytest.raises(ValueError, match="no whole picture"):
        finder.add(noise * 3000)
    assert finder.broken <= jpegs.MOST_BROKEN


def test_a_byte_at_a_time_holds_up_neither_pictures_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk has one byte, and there is always another one to be read at once."""
    data = b"--frame\r\n\r\n" + jpeg(10)
    once = b"".join(b"1\r\n%c\r\n" % byte for byte in data)
    ended = threading.Event()

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, Transfer_Encoding="chunked")
        handler.wfile.write(once)
        rest = b"1\r\nx\r\n" * 10_000
        while not ended.is_set():
            handler.wfile.write(rest)

    monkeypatch.setattr(network, "NO_PICTURE_LIMIT_S", 0.5)
    with server(sends) as (url, _):
        started = time.monotonic()
        error, count = failure(url)
        ended.set()
        assert (error.cause, count) == (Cause.SILENCE, 1)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "endless", [b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: ", b"X"]
)
def test_a_head_without_an_end_is_not_read_on(endless: bytes) -> None:
    sent = 0

    def sends(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        while True:  # until nobody listens any more
            handler.wfile.write(endless * 100)
            sent += 100 * len(endless)

    with server(sends) as (url, _):
        error, _ = failure(url)
    assert error.cause is Cause.NETWORK
    assert "answers with a head that has no end" in str(error)
    assert sent < 50_000_000


def test_silence_and_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "READ_TIMEOUT_S", 0.3)
    released = threading.Event()

    def sends(handler: BaseHTTPRequestHandler) -> None:
        three(handler)
        handler.wfile.flush()
        released.wait(20)

    with server(sends) as (url, _):
        error, count = failure(url)
        assert (error.cause, count) == (Cause.SILENCE, 3)
        assert "nothing came for 0.3 s" in str(error)
        monkeypatch.setattr(demuxing, "READ_TIMEOUT_S", 20.0)
        source = open_source(parse_address(url))
        assert isinstance(source, network.NetworkSource)
        with source:
            pictures = iter(source)
            for _ in range(3):
                next(pictures)
            threading.Timer(0.1, source.stop).start()
            started = time.monotonic()
            assert list(pictures) == []
            assert time.monotonic() - started < 2
        with source:  # for good
            assert len(list(source)) <= 3
        released.set()


def basic(handler: BaseHTTPRequestHandler) -> bool:
    return handler.headers.get("Authorization") == "Basic " + base64.b64encode(b"joe:p@ss").decode()


def digest(handler: BaseHTTPRequestHandler) -> bool:
    told = dict(re.findall(r'(\w+)="?([^",]+)"?', handler.headers.get("Authorization", "")))
    if not told:
        return False

    def hashed(text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()

    middle = f"n1:{told['nc']}:{told['cnonce']}:auth"
    return str(told["response"]) == hashed(f"{hashed('joe:cam:p@ss')}:{middle}:{hashed('GET:/video')}")


@pytest.mark.parametrize(
    ("challenge", "right"),
    [
        ('Basic realm="cam"', basic),
        ('Digest realm="cam", nonce="n1", qop="auth", algorithm=SHA-256', digest),
    ],
)
def test_passwords(challenge: str, right: Callable[[BaseHTTPRequestHandler], bool]) -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        if right(handler):
            three(handler)
            return
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(sends) as (url, asked):
        assert len(read(url.replace("//", "//joe:p%40ss@"))) == 3
        asked.clear()
        error, _ = failure(url.replace("//", "//joe:wr0ng@"))
        assert error.cause is Cause.AUTH
        assert "wr0ng" not in str(error)
        # Once without and once with: more attempts lock accounts.
        assert ["Authorization" in one for one in asked] == [False, True]
        asked.clear()
        error, _ = failure(url)
        assert error.cause is Cause.AUTH
        assert "asks for a user name and a password (401)" in str(error)
        assert len(asked) == 1
        asked.clear()
        address = parse_address(url.replace("//", "//joe:p%40ss@"))
        if right is basic:
            with (
                pytest.raises(Untold, match="the password itself is not told"),
                open_source(address, SourceOptions(digest_only=True)),
            ):
                pass
            assert ["Authorization" in one for one in asked] == [False]
        else:
            with open_source(address, SourceOptions(digest_only=True)) as source:
                assert len(list(source)) == 3


def test_what_only_ffmpeg_reads_is_not_read_where_the_password_is_kept_back() -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(sends) as (url, asked):
        address = parse_address(url.replace("//", "//joe:p%40ss@"))
        with pytest.raises(Untold, match="FFmpeg"), open_source(address, SourceOptions(digest_only=True)):
            pass
        assert ["Authorization" in one for one in asked] == [False]


@pytest.mark.parametrize("isolated", [False, True])
def test_of_motion_jpeg_every_picture_is_a_keyframe(isolated: bool) -> None:
    made = Isolated if isolated else open_source
    with server(three) as (url, _), made(parse_address(url), SourceOptions(decode="key")) as source:
        assert not source.sparse  # type: ignore[attr-defined]
        assert len(list(source)) == 3


@pytest.mark.parametrize(
    "challenge",
    [
        'Digest realm="cam", nonce="n1", algorithm=MD5-sess',
        'Digest realm="cam", nonce="n1", qop="auth-int"',
        "NTLM",
        'Digest realm="\x1b[31m, Basic realm=',
    ],
)
def test_a_way_of_asking_for_a_password_that_is_not_known(challenge: str) -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", challenge)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(sends) as (url, asked):
        error, _ = failure(url.replace("//", "//joe:p%40ss@"))
        assert error.cause is Cause.AUTH
        assert "in a way that is not known here (401)" in str(error)
        assert str(error).isprintable()
        assert "p%40ss" not in str(error)
        assert len(asked) == 1


@pytest.mark.parametrize("there", ["file:///etc/hosts", "rtsp://127.0.0.1/x", "http://127.0.0.1:99999/", ""])
def test_a_redirect_to_where_we_may_not_go_is_not_tried_again(there: str) -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", there)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(sends) as (url, asked):
        error, _ = failure(url)
        assert error.cause is Cause.NOT_FOUND
        assert "sends us elsewhere (302), and not where we may go" in str(error)
        assert len(asked) == 1


def test_redirects_and_where_the_password_goes() -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/video":
            handler.send_response(302)
            handler.send_header("Location", "/there?a=b")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            three(handler)

    with server(sends) as (url, asked):
        assert len(read(url)) == 3
        assert [one["path"] for one in asked] == ["/video", "/there?a=b"]

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", there.replace("127.0.0.1", "localhost"))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def asks(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(401)
        handler.send_header("WWW-Authenticate", 'Basic realm="stranger"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(asks) as (there, asked), server(elsewhere) as (url, _):
        error, _ = failure(url.replace("//", "//joe:p%40ss@"))
        assert error.cause is Cause.AUTH
        assert "sends us to another host, which asks for a password (401)" in str(error)
        assert not any("Authorization" in one for one in asked)


def test_over_tls(tmp_path: Path) -> None:
    with server(three, make_certificate(tmp_path)) as (url, _):
        assert len(read(url)) == 3


def test_it_is_entered_again_and_leaves_nothing_open() -> None:
    with server(three) as (url, asked):
        source = open_source(parse_address(url))
        for _ in range(2):
            with source:
                assert len(list(source)) == 3
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            with source:
                list(source)
        assert len(list(Path("/proc/self/fd").iterdir())) - before <= 1
        assert len(asked) == 7
        with contextlib.suppress(SourceError), source.renew() as other:  # type: ignore[attr-defined]
            assert len(list(other)) == 3


@given(
    st.lists(st.integers(1, 400), max_size=40),
    st.binary(max_size=50).filter(lambda noise: b"\xff" not in noise),
)
def test_pictures_come_out_whole_however_they_come_in(cuts: list[int], noise: bytes) -> None:
    made = [jpeg(10), jpeg(90, cv2.IMWRITE_JPEG_PROGRESSIVE, 1), jpeg(30)]
    stream = noise + noise.join(made) + noise
    finder, found, at = Jpegs(), [], 0
    for cut in [*cuts, len(stream)]:
        found += finder.add(stream[at : at + cut])
        at += cut
    assert found == made
    assert finder.broken == 0


@given(
    st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xda"])))
)
def test_noise_is_read_to_its_end(parts: list[bytes]) -> None:
    finder = Jpegs()
    for part in parts:
        for picture in finder.add(part):
            assert picture.startswith(b"\xff\xd8")
            assert picture.endswith(b"\xff\xd9")


def test_through_a_proxy_it_is_left_to_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(three) as (url, asked):
        monkeypatch.setenv("http_proxy", url.removesuffix("/video"))
        source = open_source(parse_address("http://camera.invalid/video"))
        captured = []
        with contextlib.suppress(SourceError), source:
            for one in source:
                captured.append(one)
        assert len(captured) >= 2
        assert [one["path"] for one in asked] == ["http://camera.invalid:80/video"]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert len(read(url)) == 3


def test_a_header_that_comes_letter_by_letter_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "OPEN_TIMEOUT_S", 0.5)
    pause = threading.Event()

    def sends(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.flush_headers()
        for _ in range(200):
            handler.wfile.write(b"X")
            if pause.wait(0.05):
                return

    with server(sends) as (url, _):
        started = time.monotonic()
        error, _ = failure(url)
        assert time.monotonic() - started < 3
        pause.set()
    assert error.cause is Cause.SILENCE


def test_a_server_that_begins_to_send_something_else_is_looked_at_again() -> None:
    film: list[bytes] = []

    def sends(handler: BaseHTTPRequestHandler) -> None:
        if not film:
            three(handler)
            return
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(film[0])))
        handler.end_headers()
        handler.wfile.write(film[0])

    with server(sends) as (url, _):
        source = open_source(parse_address(url))
        for content, count in ((b"", 3), (b"no film", None), (b"", 3)):
            film[:] = [content] * bool(content)
            if count is None:
                with pytest.raises(SourceError, match="not with video"), source:
                    pass
            else:
                with source:
                    assert len(list(source)) == count


@pytest.mark.parametrize("end", [b"ffff\r\nabc", b"zzz\r\nabc", b"1" * 100_000])
def test_chunks_that_break_off_or_are_none(end: bytes) -> None:
    """What came before is shown, and the error is the source's."""

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, Transfer_Encoding="chunked")
        data = b"--frame\r\n\r\n" + jpeg(10) + b"\r\n"
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n" + end)

    with server(sends) as (url, _):
        error, count = failure(url)
    assert (error.cause, count) == (Cause.NETWORK, 1)
    assert "broke off" in str(error)


def test_a_picture_is_as_old_as_its_last_byte_though_more_was_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The beginning of a chunk's length is there, and the rest never comes, or letter by letter."""
    monkeypatch.setattr(demuxing, "READ_TIMEOUT_S", 0.5)
    pause, sent_ns = threading.Event(), [0]

    def sends(handler: BaseHTTPRequestHandler) -> None:
        begin(handler, Transfer_Encoding="chunked")
        data = jpeg(10)
        handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n1;")
        sent_ns[0] = time.monotonic_ns()
        for _ in range(30):
            if not pause.wait(0.1):
                handler.wfile.write(b"x")

    with server(sends) as (url, _):
        captured, raised = [], None
        try:
            with open_source(parse_address(url)) as source:
                for one in source:
                    captured.append(one)
        except SourceError as error:
            raised = error
        pause.set()
    assert raised is not None
    assert raised.cause is Cause.SILENCE
    assert len(captured) == 1
    assert captured[0].captured_ns - sent_ns[0] < 0.3e9


@pytest.mark.parametrize(
    ("path", "asked_for"),
    [("?x=1", "/?x=1"), ("/a;b?c=d&e=%20", "/a;b?c=d&e=%20"), ("/vidéo", "/vid%C3%A9o")],
)
def test_what_is_asked_for(path: str, asked_for: str) -> None:
    with server(three) as (url, asked):
        assert len(read(url.removesuffix("/video") + path)) == 3
    assert [one["path"] for one in asked] == [asked_for]


def test_a_user_name_and_a_realm_in_any_letters() -> None:
    def sends(handler: BaseHTTPRequestHandler) -> None:
        if "Authorization" in handler.headers:
            three(handler)
            return
        handler.send_response(401)
        realm = "Einfahrt Süd".encode().decode("latin-1")  # so it goes out as UTF-8
        handler.send_header("WWW-Authenticate", f'Digest realm="{realm}", nonce="n", qop="auth"')
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with server(sends) as (url, asked):
        assert len(read(url.replace("//", "//j%E2%82%ACe:p@"))) == 3
    answered = asked[1]["Authorization"].encode("latin-1").decode()
    assert 'username="j€e"' in answered
    assert 'realm="Einfahrt Süd"' in answered


def test_what_is_called_a_playlist_or_a_film_is_asked_for_once() -> None:
    """A link may be good for one request, and a server may begin to record with it."""

    def sends(handler: BaseHTTPRequestHandler) -> None:
        handler.send_error(404)

    for name in ("live.m3u8", "live.TS", "video.mp4?token=1"):
        with server(sends) as (url, asked):
            error, _ = failure(url.replace("video", name))
            assert error.cause is Cause.NOT_FOUND
            assert len(asked) == 1


def test_who_is_told_to_stop_while_it_asks_does_not_go_on_to_connect() -> None:
    came, released = threading.Event(), threading.Event()

    def sends(handler: BaseHTTPRequestHandler) -> None:
        came.set()
        released.wait(10)
        handler.send_error(404)

    with server(sends) as (url, asked):
        source = open_source(parse_address(url))
        assert isinstance(source, network.NetworkSource)

        def stop() -> None:
            came.wait(10)
            source.stop()
            released.set()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(SourceError, match="stopped while connecting"):
            source.__enter__()
        stopper.join()
        assert len(asked) == 1
