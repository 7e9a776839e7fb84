"""Where a publisher listens: ports, addresses, sockets, and what is refused."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import wires
from wires import LOOPBACK, joined

from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer import ConfigError, SinkError
from tests.conftest import missing

pytestmark = pytest.mark.timeout(30)

publisher = wires.publisher


def test_a_port_in_use_is_named(publisher: Publisher) -> None:
    with pytest.raises(SinkError, match="in use") as refused, Publisher(publisher.address):
        pass
    assert publisher.address in str(refused.value)
    with Subscriber(publisher.address) as subscriber:
        joined(publisher, subscriber)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(SinkError, match="no such address"), Publisher("tcp://192.0.2.1:0", insecure=True):
        pass


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://localhost:*"])
def test_a_port_is_picked(endpoint: str) -> None:
    with Publisher(endpoint) as publisher, Subscriber(publisher.address) as subscriber:
        assert int(publisher.address.rpartition(":")[2]) > 0
        joined(publisher, subscriber)


def test_ipv6() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        missing("no IPv6 on this machine")
    with Publisher("tcp://[::1]:*") as publisher, Subscriber(publisher.address) as subscriber:
        joined(publisher, subscriber)


MALFORMED = [
    *("", "tcp", "tcp://", "127.0.0.1:5555", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://:5555"),
    *("tcp://127.0.0.1:http", "tcp://127.0.0.1:-1", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:99999"),
    *("tcp://127.0.0.1:5555/path", " tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555\n", "tcp://::1:5555"),
    *("tcp://[::1:5555", "tcp://[nonsense]:5555", "tcp://127.0.0.1;10.0.0.1:5555", "tcp://a b:5555"),
    *("udp://127.0.0.1:5555", "inproc://name", "pgm://eth0;239.0.0.1:5555", "http://127.0.0.1:5555"),
    *("ipc://", "ipc://*", "ipc://a\0b", "ipc://\ud800", "ipc:///tmp/" + "x" * 103, "tcp://127.0.0.1:٥"),
    *("tcp://127.0.0.1\0:5555", "tcp://" + "a" * 300 + ":5555"),
]


@pytest.mark.parametrize("kind", [Publisher, Subscriber])
@pytest.mark.parametrize("endpoint", MALFORMED, ids=lambda text: repr(text[:30]))
def test_a_malformed_endpoint_is_refused(kind: Callable[[str], object], endpoint: str) -> None:
    with pytest.raises(ConfigError, match="ZeroMQ endpoint"):
        kind(endpoint)


def test_a_password_in_an_endpoint_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        Publisher("tcp://me:hunter2@127.0.0.1:5555")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "host", ["*", "0.0.0.0", "192.0.2.1", "lo", "example.org", "[::]", "127.1", "0x7f.1"]
)
def test_other_machines_need_keys_or_insecure(host: str) -> None:
    with pytest.raises(ConfigError, match=r"other machines.*curve.*insecure.*127\.0\.0\.1"):
        Publisher(f"tcp://{host}:5555")
    Publisher(f"tcp://{host}:5555", insecure=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "[::1]"])
def test_this_machine_needs_none(host: str) -> None:
    Publisher(f"tcp://{host}:5555")


def test_anybody_when_insecure() -> None:
    with Publisher("tcp://0.0.0.0:*", insecure=True) as publisher:
        port = publisher.address.rpartition(":")[2]
        with Subscriber(f"tcp://127.0.0.1:{port}") as subscriber:
            joined(publisher, subscriber)


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(ConfigError, match="json, msgpack"):
        Publisher(LOOPBACK, encoding="xml")  # type: ignore[arg-type]  # what a user may write


def test_a_dead_process_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(os.fspath(path))
    with Publisher(f"ipc://{path}") as publisher, Subscriber(publisher.address) as subscriber:
        joined(publisher, subscriber)
    assert not path.exists()


def test_a_socket_in_use_stays_whose_it_is(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with Publisher(endpoint) as publisher:
        with pytest.raises(SinkError, match="another program listens there"), Publisher(endpoint):
            pass
        with Subscriber(endpoint) as subscriber:
            joined(publisher, subscriber)


def test_a_document_is_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "thesis.txt"
    path.write_text("years of work")
    with pytest.raises(SinkError, match="no socket"), Publisher(f"ipc://{path}"):
        pass
    assert path.read_text() == "years of work"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="folder is not there"), Publisher(f"ipc://{tmp_path}/no/s"):
        pass
