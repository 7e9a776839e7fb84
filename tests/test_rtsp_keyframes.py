"""A camera's keyframes alone: decoded at once, all else is counted, and silence is still noticed."""

import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from boxes import Keeper, Looker, until
from rtsp_reading import clip_of
from scripted_camera import Asked, Scripted, interleaved, rtp, usual
from source_clips import make_clip
from test_rtsp_units import fragments

from streamer import Camera, Pipeline, State
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.fakecam.clip import START_CODE
from streamer.isolation import Isolated
from streamer.rtsp import doubt
from streamer.silence import LEAST_NS, SEGMENTED_NS, Silence
from streamer.sources import SourceOptions, open_source, parse_address, rtsp

pytestmark = pytest.mark.timeout(30)
KEYS = SourceOptions(decode="key")
GROUP = 10


def packets_of(path: Path, name: str) -> list[list[bytes]]:
    """The RTP packets of each access unit, in decoding order."""
    with av.open(str(path)) as container:
        coded = [(packet.pts or 0, bytes(packet)) for packet in container.demux(video=0) if packet.size]
    units: list[list[bytes]] = []
    number = 0
    for pts, data in coded:
        bodies = [body for nal in START_CODE.split(data) if nal for body in fragments(name, nal)]
        units.append([])
        for place, body in enumerate(bodies, 1):
            marker = (place == len(bodies)) << 7
            units[-1].append(struct.pack("!BBHII", 0x80, marker | 96, number & 0xFFFF, pts, 7) + body)
            number += 1
    return units


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "3", "g": str(GROUP), "sc_threshold": "0"}),
        ("libx264", {"bf": "3", "g": str(GROUP), "sc_threshold": "0", "x264-params": "open-gop=1"}),
        (
            "libx265",
            {"x265-params": f"log-level=none:bframes=3:keyint={GROUP}:min-keyint={GROUP}:scenecut=0"},
        ),
    ],
    ids=["h264", "open groups", "h265"],
)
def test_a_keyframe_is_a_picture_at_once(tmp_path: Path, codec: str, options: dict[str, str]) -> None:
    path = make_clip(tmp_path / "a.ts", 40, codec, **options)
    with av.open(str(path)) as container:
        whole = [frame.to_ndarray(format="bgr24", threads=1) for frame in container.decode(video=0)]
    name = "hevc" if codec == "libx265" else "h264"
    units = packets_of(path, name)
    taken = threading.Semaphore(0)

    def plays(sock: socket.socket) -> None:
        for number, unit in enumerate(units):
            sock.sendall(b"".join(map(interleaved, unit)))
            # The next packet goes out once the picture of this keyframe has come out.
            if number % GROUP == 0:
                assert taken.acquire(timeout=5)

    def answers(asked: Asked) -> bytes:
        return usual(asked).replace(b"H264", b"H265") if name == "hevc" else usual(asked)

    captured: list[Captured] = []
    with Scripted(answers, plays) as camera, open_source(parse_address(camera.url), KEYS) as one:
        for picture in one:
            captured.append(picture)
            taken.release()
    assert len(captured) == 4
    assert [one.undecoded for one in captured] == [0, 9, 9, 9]
    assert all(one.keyframe and not one.damaged for one in captured)
    for picture in captured:
        number = round((picture.pts_ns or 0) * 30 / 1e9)
        assert np.array_equal(picture.picture.bgr(), whole[number])


def sends(packets: list[bytes]) -> Callable[[socket.socket], None]:
    return lambda sock: sock.sendall(b"".join(map(interleaved, packets)))


def test_what_is_left_out_is_counted_and_nobody_calls_it_silent(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.h264", 41, bf="0", g=str(GROUP), sc_threshold="0", tune="zerolatency")
    sent = rtp(clip_of(path).units)
    pipeline, keeper = Pipeline(), Keeper()
    with Scripted(plays=sends(sent), stays=True) as server:
        camera = Camera("gate", open_source(parse_address(server.url), KEYS))
        pipeline.add(camera, Looker())
        pipeline.sink(keeper)
        runner = threading.Thread(target=pipeline.run)
        runner.start()
        try:
            until(lambda: camera.captured == 41)
            assert camera.status.state is State.LIVE
        finally:
            pipeline.stop()
            runner.join()
    (account,) = pipeline.stats().cameras
    assert account.captured == 41
    assert account.dropped["decode"] == 36
    assert account.captured == account.processed + sum(account.dropped.values())
    assert {result.frame.index % GROUP for result in keeper.got} == {0}


def test_a_camera_without_keyframes_that_stand_alone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtsp, "NO_PICTURE_LIMIT_S", 0.0)
    params = "intra-refresh=1:keyint=10:bframes=0:scenecut=0"
    path = make_clip(tmp_path / "a.h264", 40, **{"x264-params": params})
    units = clip_of(path).units[1:]

    def plays(sock: socket.socket) -> None:
        number = 0
        while True:  # until nobody listens any more
            sent = rtp(units, number, 3000 * number)
            sock.sendall(b"".join(map(interleaved, sent)))
            number += len(sent)

    with (
        Scripted(plays=plays) as camera,
        open_source(parse_address(camera.url), KEYS) as one,
        pytest.raises(SourceError, match="no keyframe that can be decoded") as caught,
    ):
        list(one)
    assert caught.value.cause is Cause.SILENCE


def test_silence_is_still_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source listens to packets; whoever waits for pictures is patient."""
    monkeypatch.setattr(doubt, "ANSWERED_NS", 1_000_000_000)
    path = make_clip(tmp_path / "a.h264", 30, bf="0", g="30", sc_threshold="0", tune="zerolatency")
    sent = rtp(clip_of(path).units)
    with (
        Scripted(plays=sends(sent), stays=True) as camera,
        open_source(parse_address(camera.url), KEYS) as one,
        pytest.raises(SourceError, match="nothing came for") as caught,
    ):
        list(one)
    assert caught.value.cause is Cause.SILENCE


def test_sparse_pictures_are_waited_for() -> None:
    silence = Silence()
    silence.opened(sparse=True)
    assert silence.limit_ns == SEGMENTED_NS
    for number in range(20):
        silence.heard(number * 4_000_000_000)
    assert silence.limit_ns == SEGMENTED_NS
    for number in range(20, 100):
        silence.heard(76_000_000_000 + (number - 19) * 10_000_000_000)
    assert silence.limit_ns == 30_000_000_000
    silence.connected()
    for number in range(100):
        silence.heard(10**12 + number * 40_000_000)
    assert silence.limit_ns == LEAST_NS


def test_keyframes_alone_from_another_process(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", 31, bf="0", g=str(GROUP), sc_threshold="0")
    options = SourceOptions(live=True, decode="key")
    with Isolated(parse_address(str(clip)), options) as source:
        assert source.sparse
        assert [one.undecoded for one in source] == [0, 9, 9, 9]
