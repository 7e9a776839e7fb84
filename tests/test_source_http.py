"""Video from web servers, and what they may answer instead."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from source_clips import failure, make_clip

from streamer.contracts import Captured
from streamer.errors import Cause
from streamer.sources import SourceOptions, demuxing, mjpeg, network, open_source, parse_address

# What the header says of the boundary, how it stands before the parts, and whether they have lengths.
FORMS = {
    "mjpeg": ("boundary=frame", b"--frame", True),
    "mjpeg-no-length": ("boundary=frame", b"--frame", False),
    "mjpeg-quotes": (' boundary="my frame"', b"--my frame", True),
    "mjpeg-dashes": ("boundary=--frame", b"--frame", True),
    "mjpeg-more-dashes": ("boundary=--frame", b"----frame", False),
    "mjpeg-second": (" charset=utf-8; Boundary=frame", b"--frame", True),
    "mjpeg-another": ("boundary=one", b"--other", True),
    "mjpeg-none": ("", b"--frame", False),
    "mjpeg-no-dashes": ("boundary=frame", b"frame", True),
}


class Answers(BaseHTTPRequestHandler):
    """A web server with everything that a camera may answer."""

    protocol_version = "HTTP/1.1"
    files: Path
    asked: list[str]
    released: threading.Event

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        pass

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.asked.append(name)
        if name.isdigit():
            self._send(b"", int(name))
        elif name == "hang":
            self.released.wait(20)
        elif name.startswith("mjpeg"):
            self._parts(*FORMS[name])
        elif name == "live.m3u8":
            self._send(self._window())
        elif name.startswith("circle"):
            self._send(b"", 302, Location=f"/circle{len(self.asked)}")
        elif name == "redirect":
            self._send(b"", 302, Location=f"file://{self.files}/a.ts")
        else:
            self._send((self.files / name).read_bytes())

    def _parts(self, boundary: str, line: bytes, lengths: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace;{boundary}")
        self.end_headers()
        for number in range(20):
            part = cv2.imencode(".jpg", np.full((48, 64, 3), 10 * number, np.uint8))[1].tobytes()
            length = f"Content-Length: {len(part)}\r\nX-Timestamp: 1.5\r\n" if lengths else ""
            head = f"\r\nContent-Type: image/jpeg\r\n{length}\r\n"
            with contextlib.suppress(OSError):
                self.wfile.write(line + head.encode() + part + b"\r\n")
        self.close_connection = True

    def _window(self) -> bytes:
        """Three of the segments; it moves on by one each time it is asked for, from the third on."""
        head, *entries = (self.files / "all.m3u8").read_text().split("#EXTINF")
        first = min(max(self.asked.count("live.m3u8") - 2, 0), len(entries) - 3)
        head = head.replace("MEDIA-SEQUENCE:0", f"MEDIA-SEQUENCE:{first}")
        shown = [f"#EXTINF{entry}" for entry in entries[first : first + 3]]
        shown[-1] = shown[-1] if first == len(entries) - 3 else shown[-1].replace("#EXT-X-ENDLIST", "")
        return (head + "".join(shown)).encode()

    def _send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)


@pytest.fixture(scope="module")
def hls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six segments of half a second, sound before pictures."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "0.5", "hls_list_size": "0", "hls_segment_filename": str(folder / "part%d.ts")}
    with av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as container:
        sound = container.add_stream("aac", rate=48_000)
        film = container.add_stream("libx264", rate=30, options={"bf": "2", "g": "15", "sc_threshold": "0"})
        assert isinstance(film, VideoStream)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        for number in range(90):
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.float32), format="fltp", layout="mono")
            noise.sample_rate, noise.pts = 48_000, 1600 * number
            container.mux(sound.encode(noise))
            picture = np.full((48, 64, 3), 2 * number, np.uint8)
            container.mux(film.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux([*sound.encode(), *film.encode()])
    return folder


@pytest.fixture(scope="module")
def served(hls: Path) -> Path:
    """All that there is to be asked for."""
    make_clip(hls / "a.ts", 30)
    make_clip(hls / "front.mp4", 30, movflags="faststart")
    for name, interval in (("joined.ts", "10"), ("never.ts", "1000")):
        # Without what holds the first keyframe, as for somebody who comes in the middle.
        clip = make_clip(hls / name, 30, bf="0", g=interval, sc_threshold="0")
        with av.open(str(clip)) as container:
            second = [packet.pos for packet in container.demux(video=0)][1]
        assert second is not None
        data = clip.read_bytes()
        clip.write_bytes(data[: 3 * 188] + data[second:])
    (hls / "secret.txt").write_text("nobody may read this")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    (hls / "good.m3u8").write_text(playlist.format("a.ts"))
    (hls / "evil.m3u8").write_text(playlist.format(f"file://{hls}/a.ts"))
    (hls / "worse.m3u8").write_text(playlist.format(f"concat:{hls}/a.ts|{hls}/secret.txt"))
    (hls / "evil.ffconcat").write_text(f"ffconcat version 1.0\nfile {hls}/a.ts\n")
    (hls / "page.html").write_text("<html>welcome</html>" * 20)
    return hls


@pytest.fixture
def web(served: Path) -> Iterator[str]:
    class Here(Answers):
        files, asked, released = served, [], threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Here)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://user:hunter2@127.0.0.1:{server.server_port}"
    Here.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["a.ts", "front.mp4", "good.m3u8"])
def test_video_over_http(web: str, name: str) -> None:
    source = open_source(parse_address(f"{web}/{name}"))
    assert (source.live, source.ends) == (True, False)
    for _ in range(2):
        with source:
            captured = list(source)
        assert len(captured) == 30
        assert {one.segmented for one in captured} == {name == "good.m3u8"}
        assert [one.pts_ns for one in captured][:2] == [0, 33_333_333]


def test_it_can_be_stopped(web: str) -> None:
    source = open_source(parse_address(f"{web}/a.ts"))
    assert isinstance(source, network.NetworkSource)
    with source:
        pictures = iter(source)
        next(pictures)
        source.stop()
        assert len(list(pictures)) <= 1


def test_nothing_comes_before_the_first_keyframe(web: str) -> None:
    with open_source(parse_address(f"{web}/joined.ts")) as source:
        captured = list(source)
    assert [number for number, one in enumerate(captured) if one.keyframe] == [0, 10]
    assert len(captured) == 20
    assert captured[0].pts_ns == 0


def test_a_stream_without_keyframes_is_given_up(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "NO_PICTURE_LIMIT_S", 0.0)
    error, count = failure(f"{web}/never.ts")
    assert (error.cause, count) == (Cause.SILENCE, 0)
    assert "no keyframe came" in str(error)


@pytest.mark.parametrize("name", list(FORMS))
def test_motion_jpeg_as_cameras_send_it(web: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mjpeg, "MOST_TOGETHER", 100)
    shown = [one.picture.bgr().mean() for one in read_until_it_breaks(f"{web}/{name}")]
    assert shown == pytest.approx([10 * number for number in range(20)], abs=6)


def read_until_it_breaks(url: str) -> list[Captured]:
    captured = []
    with open_source(parse_address(url)) as source:
        for one in source:
            assert one.pts_ns is None
            assert one.picture.size == (64, 48)
            assert one.keyframe
            captured.append(one)
    return captured


@pytest.mark.timeout(30)
def test_a_playlist_that_moves_on(web: str) -> None:
    """Sound first, reordered pictures, and each segment stands in the list for a while only."""
    with open_source(parse_address(f"{web}/live.m3u8")) as source:
        captured = list(source)
    # FFmpeg begins three segments before the end of a live playlist.
    assert len(captured) == 90
    assert all(one.segmented for one in captured)
    times = [one.pts_ns or 0 for one in captured]
    assert np.diff(times) == pytest.approx(1e9 / 30, abs=20_000)
    bright = [one.picture.bgr().mean() for one in captured]
    assert bright == sorted(bright)


def test_a_redirect_in_a_circle_is_said(web: str) -> None:
    error, _ = failure(f"{web}/circle")
    assert error.cause is Cause.NETWORK
    assert "sends us elsewhere (302), again and again" in str(error)
    assert "hunter2" not in str(error)


def test_keyframes_of_a_stream_alone(web: str) -> None:
    with open_source(parse_address(f"{web}/joined.ts"), SourceOptions(decode="key")) as source:
        captured = list(source)
    assert [one.undecoded for one in captured] == [0, 9]
    assert all(one.keyframe for one in captured)
    assert captured[1].pts_ns == pytest.approx(1e9 / 3, abs=1e6)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("evil.m3u8", Cause.CODEC),
        ("worse.m3u8", Cause.CODEC),
        ("evil.ffconcat", Cause.CODEC),
        ("redirect", Cause.NOT_FOUND),
        ("page.html", Cause.CODEC),
    ],
)
def test_answers_that_lead_elsewhere_are_refused(web: str, name: str, cause: Cause) -> None:
    error, count = failure(f"{web}/{name}")
    assert (error.cause, count) == (cause, 0)
    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, Cause.AUTH),
        (403, Cause.AUTH),
        (404, Cause.NOT_FOUND),
        (400, Cause.NETWORK),
        (418, Cause.NETWORK),
        (429, Cause.NETWORK),
        (500, Cause.NETWORK),
        (503, Cause.NETWORK),
    ],
)
def test_what_a_web_server_says(web: str, status: int, cause: Cause) -> None:
    error, _ = failure(f"{web}/{status}")
    assert error.cause is cause
    assert "hunter2" not in repr(error)


@pytest.mark.timeout(30)
def test_a_server_that_never_answers(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demuxing, "OPEN_TIMEOUT_S", 0.5)
    error, _ = failure(f"{web}/hang")
    assert error.cause is Cause.SILENCE
    assert "nothing came for 0.5 s" in str(error)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("rtsp://u:hunter2@127.0.0.1:1/x", "refused"),
        ("http://127.0.0.1:1/x", "refused"),
        ("rtsp://u:hunter2@no-such-host.invalid/x", "unknown host no-such-host.invalid"),
        ("http://no-such-host.invalid/x", "unknown host no-such-host.invalid"),
    ],
)
def test_nobody_there(url: str, says: str, capfd: pytest.CaptureFixture[str]) -> None:
    error, _ = failure(url)
    assert error.cause is Cause.NETWORK
    assert says in str(error)
    assert "hunter2" not in str(error)
    assert capfd.readouterr() == ("", "")


def test_plain_text_behind_https_is_an_error_and_no_hang() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        error, _ = failure(f"https://127.0.0.1:{server.server_port}/x")
        server.shutdown()
        thread.join()
    assert error.cause is Cause.NETWORK
