"""A clip in RTP, scripted cameras that send it, and what our reader makes of it."""

import socket
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from scripted_camera import Asked, Scripted, interleaved, reply, rtp, usual
from source_clips import make_clip

from streamer.contracts import Captured
from streamer.errors import SourceError
from streamer.fakecam.clip import Clip, Coded, assemble
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.rtsp import RtspSource


def source(url: str, transport: str = "tcp") -> RtspSource:
    made = open_source(parse_address(url), SourceOptions(transport=transport))
    assert isinstance(made, RtspSource)
    return made


def clip_of(path: Path) -> Clip:
    with av.open(str(path)) as container:
        coded = [
            Coded(Fraction(number, 30), packet.is_keyframe, bytes(packet))
            for number, packet in enumerate(container.demux(video=0))
            if packet.size
        ]
    return assemble("clip", Fraction(1, 30), coded)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"bf": "0", "g": "10", "tune": "zerolatency", "sc_threshold": "0"}
    return make_clip(tmp_path_factory.mktemp("clip") / "a.h264", 30, **options)


@pytest.fixture(scope="module")
def clip(path: Path) -> Clip:
    return clip_of(path)


@pytest.fixture(scope="module")
def shown(path: Path) -> list[np.ndarray]:
    """What FFmpeg makes of the clip by itself."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24", threads=1) for frame in container.decode(video=0)]


def sends(packets: list[bytes]) -> Callable[[socket.socket], None]:
    return lambda sock: sock.sendall(b"".join(map(interleaved, packets)))


def error_of(one: RtspSource) -> SourceError:
    with pytest.raises(SourceError) as caught, one:
        list(one)
    return caught.value


def same(captured: list[Captured], shown: list[np.ndarray]) -> bool:
    return len(captured) == len(shown) and all(
        np.array_equal(one.picture.bgr(), other) for one, other in zip(captured, shown, strict=True)
    )


def numbered(clip: Clip, start: int, count: int, first: int) -> list[bytes]:
    """RTP of so many pictures, in one sequence."""
    packets, number = [], first
    for picture in range(start, start + count):
        unit = clip.units[picture % len(clip.units)]
        made = rtp([unit], number, picture * 3000 - unit.ticks)
        packets.append(b"".join(map(interleaved, made)))
        number += len(made)
    return packets


def seen(sent: Sequence[bytes], answers: Callable[[Asked], bytes | None] = usual) -> tuple[int, int]:
    """How many pictures come of it, and how many of them are marked."""
    with Scripted(answers, sends(list(sent))) as camera, source(camera.url) as one:
        captured = list(one)
    return len(captured), sum(picture.damaged for picture in captured)


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
