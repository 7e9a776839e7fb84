"""Datagrams through a real impairment proxy, and how many senders it knows."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from streamer.impair import Impaired, Impairment
from streamer.impair.senders import MOST_SENDERS
from tests.echo_server import silent

pytestmark = pytest.mark.timeout(20)


class TestUdp:
    @pytest.fixture
    def server(self) -> Iterator[socket.socket]:
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(5)
            yield sock

    @staticmethod
    def client(proxy: Impaired) -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.settimeout(5)
        sock.connect(("127.0.0.1", proxy.port))
        return sock

    def test_there_and_back_and_what_befalls_it(self, server: socket.socket) -> None:
        url = f"udp://127.0.0.1:{server.getsockname()[1]}"
        with Impaired(url, seed=5) as proxy, self.client(proxy) as one, self.client(proxy) as other:
            one.send(b"from one")
            packet, to_one = server.recvfrom(100)
            other.send(b"")
            to_other = server.recvfrom(100)[1]
            assert (packet, to_one == to_other) == (b"from one", False)
            server.sendto(b"to one", to_one)
            server.sendto(b"to other", to_other)
            assert (one.recv(100), other.recv(100)) == (b"to one", b"to other")

            fates = []
            for _ in range(2):
                proxy.be(Impairment(loss=0.5))
                for number in range(40):
                    server.sendto(bytes([number]), to_one)
                arrived: list[int] = []
                one.settimeout(0.05)
                while arrived[-1:] != [number]:  # once the last one has come, none is on its way
                    number += 1
                    server.sendto(bytes([number]), to_one)
                    with contextlib.suppress(TimeoutError):
                        while arrived[-1:] != [number]:
                            arrived.append(one.recv(100)[0])
                fates.append([each for each in arrived if each < 40])
            assert fates[0] == fates[1]
            assert 5 < len(fates[0]) < 35
            proxy.be(Impairment())

            with socket.socket(type=socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"not the server", to_one)
                proxy.half_open()
                server.sendto(b"into silence", to_one)
                assert silent(one)
            proxy.reset()
            one.send(b"again")
            assert server.recvfrom(100)[0] == b"again"
            for closed in (Impairment(refuse=True), Impairment(blackhole=True)):
                proxy.be(closed)
                one.send(b"nobody hears it")
                assert silent(server)

    def test_many_senders(self, server: socket.socket) -> None:
        url = f"udp://127.0.0.1:{server.getsockname()[1]}"
        with Impaired(url) as proxy, contextlib.ExitStack() as open_sockets:
            for number in range(MOST_SENDERS + 10):
                client = open_sockets.enter_context(self.client(proxy))
                client.send(bytes([number]))
                assert server.recvfrom(100)[0] == bytes([number])
            assert len(proxy._proxy.link.flows) == 2 * MOST_SENDERS
