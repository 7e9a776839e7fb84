"""RTSP cameras: real ones of our own, and one that only says no."""

import re
import threading
import time
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import numpy as np
import pytest
from source_clips import SIZE, failure, make_clip

from streamer.errors import Cause, SourceError
from streamer.fakecam import FakeCam
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.rtsp import RtspSource


class _Rtsp(StreamRequestHandler):
    """Answers every request with one status."""

    status = b""

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line.lower().startswith(b"cseq"):
                number = line
            if line == b"\r\n":
                self.wfile.write(b"RTSP/1.0 " + self.status + b"\r\n" + number + b"\r\n")


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (b"401 Unauthorized", Cause.AUTH),
        (b"404 Not Found", Cause.NOT_FOUND),
        (b"453 Not Enough Bandwidth", Cause.NETWORK),
        (b"500 Oh", Cause.NETWORK),
    ],
)
def test_what_a_camera_says(status: bytes, cause: Cause) -> None:
    handler = type("Handler", (_Rtsp,), {"status": status})
    with ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        error, _ = failure(f"rtsp://u:hunter2@127.0.0.1:{server.server_address[1]}/x")
        server.shutdown()
        thread.join()
    assert error.cause is cause
    assert "hunter2" not in str(error)


@pytest.fixture(scope="module")
def camera_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(
        tmp_path_factory.mktemp("camera") / "a.mp4", 30, bf="0", g="10", tune="zerolatency", sc_threshold="0"
    )


@pytest.mark.timeout(30)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_over_rtsp(camera_clip: Path, transport: str) -> None:
    with FakeCam([camera_clip]) as camera:
        source = open_source(parse_address(camera.urls[0]), SourceOptions(transport=transport))
        assert (source.live, source.ends) == (True, False)
        for _ in range(2):  # each entry is a new connection
            with source:
                captured = [one for one, _ in zip(source, range(15), strict=False)]
            assert captured[0].keyframe
            assert captured[0].picture.size == SIZE
            assert all(one.captured_ns <= time.monotonic_ns() for one in captured)
            times = [one.pts_ns for one in captured if one.pts_ns is not None]
            assert len(times) >= 14
            assert np.diff(times) == pytest.approx(1e9 / 30, rel=0.1)
            # The camera's own clock is this machine's: what it says is a moment ago.
            clocks = [one.source_ns for one in captured if one.source_ns is not None]
            assert clocks
            assert all(0 < (time.time_ns() - clock) / 1e9 < 10 for clock in clocks)
            assert np.diff(clocks) == pytest.approx(1e9 / 30, rel=0.1)


@pytest.mark.timeout(30)
def test_a_camera_that_falls_silent(camera_clip: Path) -> None:
    with FakeCam([camera_clip]) as camera:
        newest, error = 0.0, None
        try:
            with open_source(parse_address(camera.urls[0])) as source:
                for number, _ in enumerate(source):
                    newest = time.monotonic()
                    if number == 5:
                        camera.fault(0, "hang")
        except SourceError as caught:
            error = caught
        assert error is not None
        assert error.cause is Cause.SILENCE
        # Half a second is no alarm yet; then a new connection is tried, and the old one gets a last chance.
        assert re.search(r"nothing came for (0\.[89]|1)", str(error))
        assert 0.75 < time.monotonic() - newest < 2


@pytest.mark.timeout(30)
def test_a_camera_that_hangs_up_has_ended(camera_clip: Path) -> None:
    with FakeCam([camera_clip]) as camera, open_source(parse_address(camera.urls[0])) as source:
        for number, _ in enumerate(source):
            if number == 5:
                camera.fault(0, "drop")
        assert number >= 5


@pytest.mark.timeout(30)
def test_passwords_open_cameras_and_show_up_nowhere(camera_clip: Path) -> None:
    with FakeCam([camera_clip], user="gate", password="p/@ :ß7") as camera:
        place = camera.urls[0].removeprefix("rtsp://")
        with open_source(parse_address(f"rtsp://gate:p%2F%40%20%3A%C3%9F7@{place}")) as source:
            assert isinstance(source, RtspSource)
            assert next(iter(source)).picture.size == SIZE
        for login in ("", "gate:wr0ng@"):
            error, _ = failure(f"rtsp://{login}{place}")
            assert error.cause is Cause.AUTH
            assert "wr0ng" not in str(error)
