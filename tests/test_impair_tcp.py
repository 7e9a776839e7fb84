"""TCP connections through a real impairment proxy."""

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from streamer.errors import ConfigError
from streamer.impair import Impaired, Impairment, connection, way
from streamer.impair.connection import Connection
from streamer.impair.link import Link
from streamer.impair.target import Target
from streamer.serving.complaints import Complaints
from tests import echo_server
from tests.echo_server import Server, call, exactly, receive_one, silent, somebody_was_faster

pytestmark = pytest.mark.timeout(20)
echo = echo_server.echo


class TestTcp:
    def test_a_perfect_link_and_a_clean_end(self, echo: Server) -> None:
        data = bytes(range(256)) * 4000
        with Impaired(echo.url) as proxy, call(proxy) as client:
            sender = threading.Thread(target=client.sendall, args=(data,))
            sender.start()
            assert exactly(client, len(data)) == data
            sender.join()
            client.sendall(b"last words")
            client.shutdown(socket.SHUT_WR)
            assert exactly(client, 10) == b"last words"
            assert client.recv(1) == b""
            assert echo.wait_for_ends(1) == ["closed"]

    def test_delay_is_added_on_the_downlink_and_on_both(self, echo: Server) -> None:
        with Impaired(echo.url, Impairment(delay_s=0.1)) as proxy, call(proxy) as client:
            for uplink, least_s in ((False, 0.1), (True, 0.2)):
                proxy.be(Impairment(delay_s=0.1, uplink=uplink))
                begun = time.monotonic()
                client.sendall(b"ping")
                assert exactly(client, 4) == b"ping"
                assert least_s <= time.monotonic() - begun < least_s + 2

    def test_in_order_and_whole_however_bad_it_is(self, echo: Server) -> None:
        bad = Impairment(0.01, 0.02, loss=0.02, reorder=0.5, duplicate=0.5, uplink=True, rate_bps=2e7)
        data = bytes(range(256)) * 400
        with Impaired(echo.url, bad) as proxy, call(proxy) as client:
            client.sendall(data)
            assert exactly(client, len(data)) == data

    def test_flips_repeat_with_the_seed(self, echo: Server) -> None:
        def echoed(seed: int) -> bytes:
            with Impaired(echo.url, Impairment(flip=0.2), seed=seed) as proxy, call(proxy) as client:
                client.sendall(bytes(100_000))
                return exactly(client, 100_000)

        first = echoed(1)
        assert first == echoed(1)
        assert first != echoed(2)
        assert 3 <= sum(byte != 0 for byte in first) <= 30

    def test_a_throttled_server_is_held_back_and_then_released(self) -> None:
        with (
            Server(flood=True) as server,
            Impaired(server.url, Impairment(rate_bps=1.6e6)) as proxy,
            call(proxy) as client,
        ):
            exactly(client, 10_000)
            begun, size_bytes = time.monotonic(), 0
            while time.monotonic() - begun < 0.6:
                size_bytes += len(client.recv(65536))
            rate_bps = size_bytes * 8 / (time.monotonic() - begun)
            assert 0.5e6 < rate_bps < 2.5e6  # without a limit hundreds of times as much
            # What was sent and did not arrive is in bounded buffers; the kernel's may be megabytes.
            assert server.sent_bytes < 10e6
            proxy.be(Impairment())
            begun = time.monotonic()
            exactly(client, 4_000_000)
            assert time.monotonic() - begun < 5  # 20 s as it was

    def test_a_byte_a_second(self, echo: Server) -> None:
        with Impaired(echo.url, Impairment(rate_bps=8)) as proxy, call(proxy) as client:
            client.sendall(b"0123456789")
            assert client.recv(100) == b"0"
            proxy.be(Impairment())
            assert exactly(client, 9) == b"123456789"

    def test_reset_reaches_both(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy.reset()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            assert echo.wait_for_ends(1) == ["ConnectionResetError"]
            with call(proxy) as again:
                again.sendall(b"b")
                assert again.recv(1) == b"b"

    def test_half_open_is_silence_for_good_and_new_ones_work(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy.half_open()
            client.sendall(b"b")
            assert silent(client)
            proxy.be(Impairment())
            with call(proxy) as again:
                again.sendall(b"c")
                assert again.recv(1) == b"c"
                assert silent(client)
                assert not echo.ends
                client.close()
                assert echo.wait_for_ends(1) == ["ConnectionResetError"]

    def test_a_black_hole_swallows_and_gives_back(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as before:
            before.sendall(b"a")
            assert before.recv(1) == b"a"
            proxy.be(Impairment(blackhole=True))
            before.sendall(b"b")
            with call(proxy) as during, call(proxy) as leaving:
                during.sendall(b"c")
                assert silent(during)
                assert silent(before)
                leaving.sendall(b"never")
                leaving.close()
                assert echo.callers == 1
                proxy.be(Impairment())
                assert before.recv(1) == b"b"
                assert during.recv(1) == b"c"

    @pytest.mark.parametrize("linger", [None, b"\1\0\0\0\0\0\0\0"], ids=["closed", "reset"])
    def test_no_end_comes_through_a_black_hole(self, linger: bytes | None) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Impaired(f"tcp://127.0.0.1:{listener.getsockname()[1]}") as proxy,
            call(proxy) as client,
        ):
            with listener.accept()[0] as server:
                server.sendall(b"a")
                assert client.recv(1) == b"a"
                proxy.be(Impairment(blackhole=True))
                if linger is not None:
                    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            assert silent(client)
            proxy.be(Impairment())
            if linger is None:
                assert client.recv(1) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    client.recv(1)

    def test_refusing(self, echo: Server) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy.be(Impairment(refuse=True))
            with pytest.raises(ConnectionResetError):
                client.recv(1)
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    call(proxy)
            proxy.be(Impairment(refuse=True, loss=0.1))
            with pytest.raises(ConnectionRefusedError):
                call(proxy)
            proxy.be(Impairment())
            with call(proxy) as again:
                again.sendall(b"b")
                assert again.recv(1) == b"b"

    def test_refusing_from_the_start(self, echo: Server) -> None:
        with Impaired(echo.url, Impairment(refuse=True)) as proxy:
            with pytest.raises(ConnectionRefusedError):
                call(proxy)
            proxy.be(Impairment())
            with call(proxy) as client:
                client.sendall(b"a")
                assert client.recv(1) == b"a"

    def test_a_server_that_is_not_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"tcp://127.0.0.1:{gone.getsockname()[1]}"
        with Impaired(url) as proxy, pytest.raises(ConnectionResetError):
            receive_one(proxy)

    def test_a_server_that_closes_and_one_that_resets(self) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            Impaired(f"tcp://127.0.0.1:{listener.getsockname()[1]}") as proxy,
        ):
            for linger, end in ((None, b""), (b"\1\0\0\0\0\0\0\0", None)):
                with call(proxy) as client:
                    server = listener.accept()[0]
                    with server:
                        if linger is not None:
                            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    if end is None:
                        with pytest.raises(ConnectionResetError):
                            client.recv(1)
                    else:
                        assert client.recv(1) == end

    def test_stopping_with_clients_in_every_state(self, echo: Server) -> None:
        with contextlib.ExitStack() as clients, Impaired(echo.url) as proxy:
            for impairment in (
                Impairment(),
                Impairment(rate_bps=800),
                Impairment(delay_s=60, blackhole=True),
            ):
                proxy.be(impairment)
                for _ in range(3):
                    clients.enter_context(call(proxy)).sendall(bytes(50_000))
                proxy.half_open()
            begun = time.monotonic()
        assert time.monotonic() - begun < 2

    def test_a_port_that_somebody_else_took(self, echo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            for _ in range(2):
                with monkeypatch.context() as patched:
                    patched.setattr(socket.socket, "bind", somebody_was_faster)
                    with pytest.raises(ConfigError, match=f"port {proxy.port} "):
                        proxy.be(Impairment(refuse=True, loss=0.5))
                assert proxy._proxy.link.impairment == Impairment()
            client.sendall(b"b")
            assert client.recv(1) == b"b"
            with pytest.raises(ConnectionRefusedError):
                call(proxy)
            proxy.be(Impairment())  # there again
            with call(proxy) as again:
                again.sendall(b"c")
                assert again.recv(1) == b"c"

            proxy.be(Impairment(refuse=True))
            with socket.create_server(("127.0.0.1", proxy.port)):
                with pytest.raises(ConfigError, match=f"port {proxy.port} "):
                    proxy.be(Impairment())
                assert proxy._proxy.link.impairment == Impairment(refuse=True)
            proxy.be(Impairment())
            with call(proxy) as again:
                again.sendall(b"d")
                assert again.recv(1) == b"d"

    def test_stopping_without_a_port(self, echo: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        with Impaired(echo.url) as proxy, monkeypatch.context() as patched:
            patched.setattr(socket.socket, "bind", somebody_was_faster)
            with pytest.raises(ConfigError):
                proxy.be(Impairment(refuse=True))

    def test_two_resets_wait_for_what_was_started(
        self, echo: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left: list[str] = []
        closed, close = threading.Event(), Connection.close

        def noted(connection: Connection) -> None:
            left.extend(repr(task.get_coro()) for task in asyncio.all_tasks())
            close(connection)
            closed.set()

        def twice() -> None:
            proxy._proxy.reset()
            proxy._loop.call_soon(proxy._proxy.reset)  # while the first one is waited for

        monkeypatch.setattr(Connection, "close", noted)
        with Impaired(echo.url) as proxy, call(proxy) as client:
            client.sendall(b"a")
            assert client.recv(1) == b"a"
            proxy._do(twice)
            assert closed.wait(5)
        assert not [one for one in left if "_relay" in one]

    def test_who_sends_on_and_on_leaves_others_their_turn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reads = 500
        for module in (way, connection):
            monkeypatch.setattr(module, "READ_BYTES", 100)

        async def turns_during(listener: socket.socket, silent: bool) -> int:
            link = Link(Impairment(), 0)
            target = Target(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
            with socket.create_connection(listener.getsockname()[:2]) as client:
                accepted = listener.accept()[0]
                client.sendall(bytes(reads * 100))
                client.shutdown(socket.SHUT_WR)
                relaying = Connection(accepted, target, link, "one", Complaints("test"))
                work = (
                    relaying._until_the_client_leaves()
                    if silent
                    else relaying._up.take_in(accepted, lambda data: b"")
                )
                task, turns = asyncio.create_task(work), 0
                while not task.done():
                    await asyncio.sleep(0)
                    turns += 1
                relaying.close()
            return turns

        with socket.create_server(("127.0.0.1", 0)) as listener:
            for silent in (False, True):
                assert asyncio.run(turns_during(listener, silent)) > reads // 2

    def test_a_connection_that_cannot_be_made_leaves_nothing(self) -> None:
        async def make(client: socket.socket) -> None:
            link = Link(Impairment(), 0)
            with pytest.raises(OSError):
                Connection(client, Target("tcp://127.0.0.1:9"), link, "one", Complaints("test"))
            assert not link.flows

        client, other = socket.socketpair()  # of no network, and without TCP's options
        with client, other:
            asyncio.run(make(client))

    def test_without_file_descriptors_it_says_so_once(self, echo: Server) -> None:
        program = (
            "import resource, sys; from streamer.impair import Impairment, Proxy, serve\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
            "serve(Proxy(sys.argv[1], Impairment(), control_port=0), ready=lambda url: None)"
        )
        with (
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", program, echo.url], stderr=subprocess.PIPE, text=True
            ) as process,
            contextlib.ExitStack() as clients,
        ):
            try:
                assert process.stderr
                port = int(process.stderr.readline().rpartition(":")[2])
                connected = [
                    clients.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(60)
                ]
                assert re.fullmatch(
                    r"impair: clients have to wait: too many open files.*\n", process.stderr.readline()
                )
                for client in connected[:-1]:
                    client.close()
                connected[-1].sendall(b"ok\n")
                assert connected[-1].recv(10) == b"ok\n"
                process.terminate()
                assert process.communicate(timeout=10)[1] == ""
            finally:
                process.kill()

    def test_ports_that_cannot_be_had(self, echo: Server) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(ConfigError, match=f"port {port} "), Impaired(echo.url, port=port):
                pass
        with pytest.raises(ConfigError, match="99999"), Impaired(echo.url, port=99999):
            pass
