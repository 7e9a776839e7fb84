"""The drop-to-live rule over real links: they stall, and they are throttled."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, create_connection, create_server, socket
from typing import Any, Self

import pytest
from boxes import Keeper, Looker, until
from source_clips import make_clip
from test_backlog import S

from streamer import Camera, Cause, Pipeline, Quality
from streamer.fakecam import FakeCam
from streamer.impair import Impaired, Impairment
from streamer.sources import open_source, parse_address
from streamer.wire import WallClock

pytestmark = pytest.mark.timeout(60)


class Relay:
    """Passes one TCP connection on; what the camera sends waits here while `hold` is set."""

    def __init__(self, port: int) -> None:
        self._server = create_server(("127.0.0.1", 0))
        self._port = port
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket] = []
        self._threads: list[threading.Thread] = []
        self.port = self._server.getsockname()[1]
        self.held = 0

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self.release()
        for one in [self._server, *self._sockets]:
            with _gone():
                one.shutdown(SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def hold(self) -> None:
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with _gone():
            while True:
                client, _ = self._server.accept()
                camera = create_connection(("127.0.0.1", self._port))
                self._sockets += [client, camera]
                self._start(self._pass_on, client, camera)
                self._start(self._pass_held, camera, client)

    def _pass_on(self, source: socket, target: socket) -> None:
        with _gone():
            while data := source.recv(65536):
                target.sendall(data)

    def _pass_held(self, source: socket, target: socket) -> None:
        pile = bytearray()
        with _gone():
            source.settimeout(0.01)
            while True:
                try:
                    data = source.recv(65536)
                except TimeoutError:
                    data = b""
                else:
                    if not data:
                        return
                pile += data
                self.held = len(pile)
                if self._open.is_set():
                    target.sendall(pile)
                    pile.clear()


@contextmanager
def _gone() -> Iterator[None]:
    with suppress(OSError):
        yield


@contextmanager
def watched(url: str) -> Iterator[tuple[Pipeline, Keeper, Camera]]:
    """A camera in a running pipeline, whose pictures come already."""
    pipeline, keeper = Pipeline(), Keeper()
    camera = Camera("gate", open_source(parse_address(url)))
    pipeline.add(camera, Looker())
    pipeline.sink(keeper)
    with pipeline:
        until(lambda: len(keeper.got) > 20)
        yield pipeline, keeper, camera
        pipeline.stop()


def test_a_real_camera_over_a_link_that_stalls_is_live_again_within_a_second(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="0", g="30", tune="zerolatency", sc_threshold="0")
    with FakeCam([clip]) as cam, Relay(cam.port) as relay:
        clock = WallClock()
        with watched(f"rtsp://127.0.0.1:{relay.port}/cam0") as (pipeline, keeper, _):
            relay.hold()
            until(lambda: relay.held > 0)
            threading.Event().wait(2)
            before = len(keeper.got)
            relay.release()
            until(lambda: len(keeper.got) > before + 30)
        (stats,) = pipeline.stats().cameras
    frames = [result.frame for result in keeper.got]
    assert stats.dropped["backlog"] == pytest.approx(1.5 * 30, abs=20)
    assert stats.captured == stats.processed + sum(stats.dropped.values())
    assert not stats.reconnects
    # The camera's own clock is this machine's: it is a witness of how late each picture really came.
    late_s = [
        clock.unix_s(frame.captured_ns) - frame.source_ns / 1e9
        for frame in frames
        if frame.source_ns is not None
    ]
    assert len(late_s) > 40
    assert max(late_s) < 0.5 + 0.15
    first = keeper.got[before].frame
    assert first.captured_ns - frames[before - 1].captured_ns < (2 + 1) * S


def test_a_real_camera_that_was_throttled_is_live_again_within_a_second(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 60, bf="0", g="30", tune="zerolatency", sc_threshold="0")
    half_bps = clip.stat().st_size * 8 / 2 / 2  # of two seconds
    with FakeCam([clip]) as cam, Impaired(cam.urls[0]) as network:
        clock = WallClock()
        with watched(network.url(cam.urls[0])) as (pipeline, keeper, camera):
            network.be(Impairment(rate_bps=half_bps))
            until(lambda: camera.reconnects[Cause.LATE] > 0)
            network.be(Impairment())
            released_ns = time.monotonic_ns()
            until(lambda: keeper.got[-1].frame.captured_ns > released_ns + 2 * S)
        (stats,) = pipeline.stats().cameras
    frames = [result.frame for result in keeper.got]
    assert stats.captured == stats.processed + sum(stats.dropped.values())
    after = [frame for frame in frames if frame.captured_ns > released_ns + S]
    assert len(after) > 20
    assert {frame.quality for frame in after} == {Quality.FINE}
    assert max(frame.lag_ns for frame in after) < 0.3 * S
    late_s = [clock.unix_s(one.captured_ns) - one.source_ns / 1e9 for one in after if one.source_ns]
    assert max(late_s) < 0.5
