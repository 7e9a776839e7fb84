"""Cameras and servers that nobody here wrote: GStreamer's, with what cameras in the field do."""

import functools
import itertools
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from boxes import until
from certificates import make_certificate
from conftest import missing
from gst_running import gst_camera

from streamer.errors import Cause, SourceError
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.rtsp import RtspSource

pytestmark = [pytest.mark.debian, pytest.mark.timeout(60)]


@pytest.mark.parametrize(("codec", "transport"), [("sound", "tcp"), ("reordered", "udp"), ("h265", "tcp")])
def test_sound_beside_it_reordered_pictures_and_h265(codec: str, transport: str) -> None:
    with gst_camera(codec) as url:
        source = open_source(parse_address(url), SourceOptions(transport=transport))
        assert isinstance(source, RtspSource)
        with source:
            captured = list(itertools.islice(source, 12))
        assert source._ffmpeg is None
    assert not any(one.damaged for one in captured)
    assert {one.picture.size for one in captured} == {(640, 360)}
    assert np.diff([one.pts_ns or 0 for one in captured]) == pytest.approx(1e9 / 15, rel=0.01)


def with_login(url: str, login: str) -> str:
    return url.replace("//", f"//{login}@")


def test_a_digest_over_tls(tmp_path: Path) -> None:
    with gst_camera("h264", "--digest", "joe:secret-word", "--tls", str(make_certificate(tmp_path))) as url:
        with open_source(parse_address(with_login(url, "joe:secret-word"))) as source:
            assert next(iter(source)).picture.size == (640, 360)
        with (
            pytest.raises(SourceError, match=r"\(401\)") as caught,
            open_source(parse_address(with_login(url, "joe:wrong-word"))),
        ):
            pass
    assert caught.value.cause is Cause.AUTH
    assert "word" not in str(caught.value).replace("password", "")


def test_a_digest_in_plain_text() -> None:
    with (
        gst_camera("h264", "--digest", "joe:secret-word") as url,
        open_source(parse_address(with_login(url, "joe:secret-word"))) as source,
    ):
        assert next(iter(source)).picture.size == (640, 360)


HLS = """
import gi
gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst
Gst.init(None)
Gst.parse_launch(
    "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=180,framerate=15/1 ! videoconvert"
    " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! h264parse"
    " ! hlssink2 name=h target-duration=1 playlist-length=3 max-files=5"
    " audiotestsrc is-live=true wave=silence ! audioconvert ! avenc_aac ! h.audio"
).set_state(Gst.State.PLAYING)
print("ready", flush=True)
GLib.MainLoop().run()
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        pass


def test_hls_as_it_is_recorded(tmp_path: Path) -> None:
    handler = functools.partial(Quiet, directory=str(tmp_path))
    playlist = tmp_path / "playlist.m3u8"
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
        subprocess.Popen(
            ["/usr/bin/python3", "-c", HLS], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as recorder,
    ):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            assert recorder.stdout is not None
            if not recorder.stdout.readline():
                recorder.kill()
                missing(f"GStreamer does not start: {recorder.communicate()[1][-300:]!r}")
            until(lambda: playlist.exists() and playlist.read_text().count("EXTINF") >= 1, 20)
            url = f"http://127.0.0.1:{server.server_port}/playlist.m3u8"
            with open_source(parse_address(url)) as source:
                captured = list(itertools.islice(source, 20))
        finally:
            recorder.kill()
            server.shutdown()
    assert all(one.segmented for one in captured)
    assert np.diff([one.pts_ns or 0 for one in captured]) == pytest.approx(1e9 / 15, rel=0.01)
