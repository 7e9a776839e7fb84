"""Streams for a doctor to look at, and what is found in a report."""

import functools
import http.server
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from streamer.doctor import Report, probe
from streamer.doctor.advice import sections
from streamer.doctor.finding import Finding
from streamer.fakecam.clip import START_CODE
from streamer.sources import SourceOptions, parse_address
from tests.scripted_camera import Scripted, interleaved
from tests.source_clips import SIZE
from tests.test_rtsp_units import fragments

NO_B_FRAMES: dict[str, Any] = {"bf": "0", "g": "15", "keyint_min": "15", "sc_threshold": "0"}


def finding(report: Report, name: str) -> Finding:
    """The line of this name, of which there is one."""
    (found,) = (one for section in sections(report) for one in section.findings if one.name == name)
    return found


def look(text: str | Path, seconds: float = 0.5, transport: str = "tcp") -> Report:
    """Watch it."""
    return probe(parse_address(str(text)), SourceOptions(transport=transport), seconds)


def report_of(text: str, **found: Any) -> Report:
    """A report of a usual camera, but for this."""
    usual: dict[str, Any] = {"connect_s": 0.1, "first_picture_s": 0.5, "watched_s": 5.0}
    usual |= {"pictures": 50, "packets": 50, "measured_fps": 25.0}
    usual |= {"transport": "tcp", "codec": "h264", "size": (1280, 720)}
    return Report(parse_address(text), **{**usual, **found})


def coded(path: Path, codec: str = "h264") -> list[list[bytes]]:
    """RTP packets of each picture in a film, in the order in which they are decoded."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        first = None
        made: list[list[bytes]] = []
        number = 0
        for packet in container.demux(stream):
            if not packet.size:
                continue
            assert packet.pts is not None
            assert packet.time_base is not None
            first = packet.pts if first is None else first
            ticks = round((packet.pts - first) * packet.time_base * 90_000) & 0xFFFFFFFF
            bodies = [
                part for nal in START_CODE.split(bytes(packet)) if nal for part in fragments(codec, nal)
            ]
            picture = []
            for place, body in enumerate(bodies, 1):
                marker = (place == len(bodies)) << 7
                picture.append(struct.pack("!BBHII", 0x80, marker | 96, number & 0xFFFF, ticks, 7) + body)
                number += 1
            made.append(picture)
        return made


def sending(pictures: list[list[bytes]], before: bytes = b"") -> Scripted:
    """A camera that sends these packets at once, and ends."""
    data = b"".join(interleaved(packet) for picture in pictures for packet in picture)
    return Scripted(
        plays=lambda sock: sock.sendall(before + data),
    )


@contextmanager
def web(folder: Path) -> Iterator[str]:
    """A web server with the folder's files; yields its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def film_with_sound(path: Path) -> Path:
    """Three seconds with B-frames and a keyframe each second, and silence beside it."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "2", "g": "25", "b_strategy": "0"})
        sound = container.add_stream("aac", rate=16_000)
        assert isinstance(video, VideoStream)
        assert isinstance(sound, AudioStream)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound.layout = "mono"
        for number in range(75):
            pixels = np.full((SIZE[1], SIZE[0], 3), 3 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
        for number in range(40):
            wave = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            wave.sample_rate, wave.pts = 16_000, 1024 * number
            container.mux(sound.encode(wave))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    return path
