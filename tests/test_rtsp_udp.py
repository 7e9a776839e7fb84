"""RTP over UDP: what comes out of order, twice, from strangers, or not at all."""

import re
import socket
import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
import rtsp_reading
from rtsp_reading import same, source
from scripted_camera import Asked, Scripted, reply, rtp, usual

from streamer.fakecam.clip import Clip

pytestmark = pytest.mark.timeout(30)

clip, path, shown = rtsp_reading.clip, rtsp_reading.path, rtsp_reading.shown


def over_udp(
    clip: Clip, mixed: list[bytes]
) -> tuple[Callable[[Asked], bytes], Callable[[socket.socket], None]]:
    """Answers and packets of a camera that sends these datagrams, and a stranger who sends others."""
    ports: list[int] = []
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger.bind(("127.0.0.2", 0))

    def answers(asked: Asked) -> bytes:
        if asked.method != "SETUP":
            return usual(asked)
        match = re.search(r"client_port=(\d+)-(\d+)", asked.headers["transport"])
        assert match is not None
        ports[:] = [int(match[1]), int(match[2])]
        server = sender.getsockname()[1]
        agreed = f"{asked.headers['transport']};server_port={server}-{server + 1}"
        return reply(asked, Session="abc", Transport=agreed)

    def plays(sock: socket.socket) -> None:
        with sender, stranger:
            sender.settimeout(5)
            assert sender.recv(100)[0] == 0x80  # a way through firewalls was opened
            for number, packet in enumerate(mixed):
                stranger.sendto(rtp(clip.units[:1], number, ssrc=99)[0], ("127.0.0.1", ports[0]))
                sender.sendto(packet, ("127.0.0.1", ports[0]))
            bye = struct.pack("!BBHI", 0x81, 203, 1, 7)
            time.sleep(0.05)  # what is missing is waited for 30 ms, and the goodbye must not overtake that
            sender.sendto(bye, ("127.0.0.1", ports[1]))
            sock.settimeout(5)
            sock.recv(1000)

    return answers, plays


def test_datagrams_out_of_order_twice_and_from_strangers(clip: Clip, shown: list[np.ndarray]) -> None:
    packets = rtp(clip.units[:20], 65_500)
    mixed = packets[:]
    for at in range(3, len(mixed) - 1, 5):
        mixed[at], mixed[at + 1] = mixed[at + 1], mixed[at]
    mixed[8:8] = [mixed[2], mixed[7]]
    with Scripted(*over_udp(clip, mixed), stays=True) as camera, source(camera.url, "udp") as one:
        captured = list(one)
    assert same(captured, shown[:20])
    assert not any(one.damaged for one in captured)


def test_a_lost_datagram_is_not_waited_for_long(clip: Clip) -> None:
    packets = rtp(clip.units[:10])
    stamps = [struct.unpack_from("!I", packet, 4)[0] for packet in packets]
    del packets[stamps.index(clip.units[6].ticks)]
    with Scripted(*over_udp(clip, packets), stays=True) as camera, source(camera.url, "udp") as one:
        captured = list(one)
    numbers = {round((one.pts_ns or 0) * 30 / 1e9): one.damaged for one in captured}
    assert [number for number, damaged in numbers.items() if not damaged] == list(range(6))
    assert {7, 8, 9} <= set(numbers)
