"""Publisher and Subscriber over real sockets, and in real processes where one has to die."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from wires import (
    LOOPBACK,
    PATIENCE_S,
    deadline,
    encoded,
    packet,
    result,
    spoken_to,
    stranger,
)

from benchmarks import subscribers
from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer import ConfigError, SinkError
from streamer.wire import SESSION, DetectionsMessage, encode, message
from tests.conftest import missing

pytestmark = pytest.mark.timeout(30)

assert encoded  # a fixture


def joined(publisher: Publisher, subscriber: Subscriber, camera: str = "cam1") -> DetectionsMessage:
    """Publish until the subscriber gets it."""
    for _ in deadline():
        publisher.write(result(camera))
        got = subscriber.receive(0.01)
        if got and got.camera == camera:
            return got
    raise AssertionError


def received(subscriber: Subscriber, wanted: Callable[[DetectionsMessage], bool]) -> DetectionsMessage:
    """Receive until there is a wanted one."""
    for _ in deadline():
        got = subscriber.receive(0.1)
        if got and wanted(got):
            return got
    raise AssertionError


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(LOOPBACK) as opened:
        yield opened


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process; it has said its first line, and is killed at the end."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_what_is_published_arrives(encoding: Any) -> None:
    with Publisher(LOOPBACK, encoding=encoding) as publisher, Subscriber(publisher.address) as subscriber:
        joined(publisher, subscriber)
        sent = result("gate", things=3, index=7)
        publisher.write(sent)
        got = received(subscriber, lambda item: item.camera == "gate")
        wanted = message(sent, 0)
        assert (got.session, got.seq, got.frame) == (SESSION, 0, 7)
        assert got.detections == wanted.detections
        assert got.captured == pytest.approx(wanted.captured, abs=0.1)


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_a_bare_socket_can_read_it(encoding: Any) -> None:
    with (
        Publisher(LOOPBACK, encoding=encoding) as publisher,
        stranger(zmq.SUB, publisher.address) as bare,
    ):
        bare.subscribe(b"det.cam1\0")
        for _ in deadline():
            publisher.write(result())
            if bare.poll(10):
                break
        head, _, payload = bare.recv().partition(b"\0")
        read: Any = msgspec.json.decode(payload) if encoding == "json" else msgspec.msgpack.decode(payload)
        assert (head, read["schema"]) == (b"det.cam1", "freshframe.detections/1")
        assert not bare.rcvmore


def test_cam1_is_not_cam10(publisher: Publisher, encoded: Counter[str]) -> None:
    with Subscriber(publisher.address, cameras=["cam1"]) as subscriber:
        for _ in range(20):
            joined(publisher, subscriber)
            publisher.write(result("cam10"))
        joined(publisher, subscriber)
        assert encoded["cam10"] == 0
        assert subscriber.malformed == 0


def test_nothing_is_encoded_for_nobody(publisher: Publisher, encoded: Counter[str]) -> None:
    for _ in range(50):
        publisher.write(result("cam1"))
        publisher.write(result("cam2"))
    assert not encoded
    with Subscriber(publisher.address, cameras=["cam1"]) as subscriber:
        got = joined(publisher, subscriber)
        publisher.write(result("cam2"))
        # Counted whether anybody listened or not.
        assert got.seq >= 50
    left_alone(publisher, encoded, "cam1")
    assert encoded["cam2"] == 0


def left_alone(publisher: Publisher, encoded: Counter[str], camera: str) -> None:
    """Publish until nothing is encoded any more."""
    for _ in deadline():
        before = encoded[camera]
        publisher.write(result(camera))
        if encoded[camera] == before:
            return


def test_two_subscribers_and_one_leaves(publisher: Publisher, encoded: Counter[str]) -> None:
    with ExitStack() as both:
        one = both.enter_context(Subscriber(publisher.address, cameras=["cam1", "cam2"]))
        with Subscriber(publisher.address, cameras=["cam2", "cam3"]) as two:
            for camera in ("cam1", "cam2"):
                joined(publisher, one, camera)
            for camera in ("cam2", "cam3"):
                joined(publisher, two, camera)
        left_alone(publisher, encoded, "cam3")
        for camera in ("cam1", "cam2"):
            seq = joined(publisher, one, camera).seq
            assert joined(publisher, one, camera).seq > seq
        assert not any(one.lost.values())


def test_a_late_joiner_has_lost_nothing(publisher: Publisher) -> None:
    for _ in range(100):
        publisher.write(result())
    with Subscriber(publisher.address) as subscriber:
        assert joined(publisher, subscriber).seq >= 100
        assert not subscriber.lost["cam1"]


def test_a_subscriber_waits_for_its_publisher(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/s"
    with Subscriber(endpoint) as subscriber:
        assert subscriber.receive(0.05) is None
        with Publisher(endpoint) as publisher:
            joined(publisher, subscriber)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_stalled_subscriber_harms_nobody_and_is_fresh_again(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as stalled, Subscriber(publisher.address) as other:
        first = joined(publisher, stalled)
        joined(publisher, other)
        before_mb = resident_mb()
        longest_s, seen = 0.0, 0
        crowd = result(things=150)
        for _ in range(3000):
            began = time.monotonic()
            publisher.write(crowd)
            longest_s = max(longest_s, time.monotonic() - began)
            seen += other.receive(0) is not None
        grown_mb = resident_mb() - before_mb
        volume_mb = 3000 * len(encode(message(crowd, 0))) / 1e6
        assert longest_s < 1
        assert seen > 10
        assert volume_mb > 50
        # 256 of them wait at the subscriber and as many at the publisher.
        assert grown_mb < volume_mb / 2

        yielded = 1  # the first one
        while stalled.receive(0.2):
            yielded += 1
        publisher.write(result(index=1))
        last = received(stalled, lambda item: item.frame == 1)
        yielded += 1
        assert stalled.lost["cam1"] > 1000
        assert yielded + stalled.skipped["cam1"] + stalled.lost["cam1"] == last.seq - first.seq + 1


def test_a_process_that_is_stopped_keeps_nothing_from_the_others() -> None:
    found = subscribers.run(stalled=True, seconds=0.5, healthy=8, fps=100, boxes=100)
    assert found["arrived"] == 1.0
    assert found["grown_mb"] < subscribers.GOAL_MB


def test_the_newest_of_each_camera_in_fair_turns(publisher: Publisher) -> None:
    with Subscriber(publisher.address) as subscriber:
        joined(publisher, subscriber, "hog")
        turns: Counter[str] = Counter()
        for _ in range(60):
            for camera in ("hog", "hog", "hog", "hog", "shy", "hog", "meek"):
                publisher.write(result(camera))
            got = subscriber.receive(PATIENCE_S)
            assert got is not None
            turns[got.camera] += 1
        assert min(turns["hog"], turns["shy"], turns["meek"]) >= 15
        for camera in ("hog", "shy", "meek"):
            publisher.write(result(camera, index=5))
        last = [received(subscriber, lambda item: item.frame == 5) for _ in range(3)]
        assert {item.camera for item in last} == {"hog", "shy", "meek"}
        assert subscriber.skipped["hog"] > 100
        assert not any(subscriber.lost.values())


def test_seq_goes_on_when_it_is_entered_again() -> None:
    publisher = Publisher(LOOPBACK)
    for wanted in (0, 2):
        with publisher, Subscriber(publisher.address) as subscriber:
            got = joined(publisher, subscriber)
            assert got.seq >= wanted
    assert publisher.address != LOOPBACK


PUBLISHING = """
import sys
sys.path.insert(0, "tests")
from wires import result
from sinks.publisher import Publisher
with Publisher(sys.argv[1]) as publisher:
    print(publisher.address, flush=True)
    while True:
        publisher.write(result())
        select.select([], [], [], 0.002)
""".replace("import sys\n", "import select, sys\n", 1)


@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_a_publisher_is_killed_and_comes_again(scheme: str, tmp_path: Path) -> None:
    with ExitStack() as running:
        endpoint = LOOPBACK if scheme == "tcp" else f"ipc://{tmp_path}/s"
        first = running.enter_context(process(PUBLISHING, endpoint))
        assert first.stdout is not None
        address = first.stdout.readline().strip()
        subscriber = running.enter_context(Subscriber(address))
        old = received(subscriber, lambda _: True)
        first.kill()
        first.wait()
        second = running.enter_context(process(PUBLISHING, address))
        assert second.stdout is not None
        assert second.stdout.readline().strip() == address, second.communicate()
        new = received(subscriber, lambda item: item.session != old.session)
        received(subscriber, lambda item: item.seq > new.seq)
        assert not subscriber.lost["cam1"]


def test_the_last_messages_get_out(tmp_path: Path) -> None:
    def read() -> int:
        count = 0
        while bare.poll(500):
            bare.recv()
            count += 1
        return count

    with (
        Publisher(f"ipc://{tmp_path}/s") as publisher,
        stranger(zmq.SUB, publisher.address, rcvhwm=1) as bare,
        ThreadPoolExecutor() as threads,
    ):
        bare.subscribe(b"det.cam1\0")
        for _ in deadline():
            publisher.write(result())
            if bare.poll(10):
                break
        before = read()
        for _ in range(12):  # far more than the system's buffer holds
            publisher.write(result(things=600))
        reader = threads.submit(read)
        publisher.__exit__(None, None, None)
        assert before >= 1
        assert reader.result() == 12


def test_leaving_does_not_wait_for_the_stalled() -> None:
    with ExitStack() as end:
        publisher = end.enter_context(Publisher(LOOPBACK))
        stalled = end.enter_context(Subscriber(publisher.address))
        joined(publisher, stalled)
        crowd = result(things=300)
        for _ in range(1000):
            publisher.write(crowd)
        began = time.monotonic()
        publisher.__exit__(None, None, None)
        assert time.monotonic() - began < 1


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


SERVER, MINE, YOURS, NOBODYS = ([key.decode() for key in zmq.curve_keypair()] for _ in range(4))
CURVE = {"secret_key": SERVER[1], "clients": [MINE[0], YOURS[0]]}


def test_only_listed_keys_get_in() -> None:
    with ExitStack() as all_of_them:
        enter = all_of_them.enter_context
        publisher = enter(Publisher(LOOPBACK, curve=CURVE))
        unwanted = [
            enter(Subscriber(publisher.address, server_key=SERVER[0], secret_key=NOBODYS[1])),
            enter(Subscriber(publisher.address, server_key=NOBODYS[0], secret_key=MINE[1])),
            enter(Subscriber(publisher.address)),
        ]
        enter(stranger(zmq.SUB, publisher.address)).subscribe(b"")
        wanted = [
            enter(Subscriber(publisher.address, server_key=SERVER[0], secret_key=keys[1]))
            for keys in (MINE, YOURS)
        ]
        end = time.monotonic() + 0.7  # several of the unwanted ones' attempts
        got = Counter[int]()
        while time.monotonic() < end or len(got) < 2:
            publisher.write(result())
            got.update(i for i, subscriber in enumerate(wanted) if subscriber.receive(0.005))
        assert [subscriber.receive(0.01) for subscriber in unwanted] == [None] * 3


def test_keys_without_their_keeper_let_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zmq.auth.base.Authenticator.start", lambda self: None)
    monkeypatch.setattr("zmq.auth.thread.ThreadAuthenticator.start", lambda self: None)
    with (
        Publisher(LOOPBACK, curve=CURVE) as publisher,
        Subscriber(publisher.address, server_key=SERVER[0], secret_key=MINE[1]) as subscriber,
    ):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            publisher.write(result())
            assert subscriber.receive(0.01) is None


def test_other_machines_may_with_keys() -> None:
    Publisher("tcp://*:5555", curve=CURVE)


@pytest.mark.parametrize(
    "curve",
    [
        *({}, {"secret_key": SERVER[1]}, {"clients": [MINE[0]]}, CURVE | {"server": True}, SERVER[1]),
        *(
            CURVE | {"secret_key": bad}
            for bad in ("", SERVER[1][:-1], SERVER[1] + "a", "~" * 40, "#" * 40, 7)
        ),
        *(CURVE | {"clients": bad} for bad in ([], MINE[0], ["short"], [MINE[0], None], None, 7)),
    ],
    ids=str,
)
def test_bad_keys_are_refused_and_not_shown(curve: Any) -> None:
    with pytest.raises(ConfigError, match="curve") as refused:
        Publisher(LOOPBACK, curve=curve)
    assert SERVER[1][:-1] not in str(refused.value)
    assert MINE[0] not in str(refused.value)


@pytest.mark.parametrize(
    "arguments",
    [
        *({"cameras": bad} for bad in ("gate", [], [""], ["a b"], ["a\0"], ["x" * 65])),
        {"server_key": SERVER[0]},
        {"secret_key": MINE[1]},
        {"server_key": "", "secret_key": ""},
        {"server_key": SERVER[0], "secret_key": "short"},
        *({"endpoint": bad} for bad in ("tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://*:5555")),
    ],
    ids=str,
)
def test_a_subscriber_refuses_what_cannot_work(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as refused:
        Subscriber(**{"endpoint": "tcp://127.0.0.1:5555"} | arguments)
    assert "short" not in str(refused.value)


def test_garbage_at_the_port_does_no_harm(publisher: Publisher) -> None:
    port = int(publisher.address.rpartition(":")[2])
    greeting = b"\xff" + b"\0" * 8 + b"\x7f\x03\0NULL".ljust(55, b"\0")
    garbage = [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        os.urandom(100_000),
        greeting,
        greeting + os.urandom(1000),
        greeting
        + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB"
        + b"\x02"
        + b"\x7f"
        + b"\xff" * 7
        + b"\1" * 999,
    ]
    with Subscriber(publisher.address) as subscriber, ExitStack() as connections:
        joined(publisher, subscriber)
        for bytes_ in garbage * 3:
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", port)))
            with suppress(ConnectionError):  # it may have been cut off already
                connection.sendall(bytes_)
            joined(publisher, subscriber)
        assert subscriber.malformed == 0
        assert not subscriber.lost["cam1"]


def test_hostile_peers_cannot_unsubscribe_others(publisher: Publisher, encoded: Counter[str]) -> None:
    with (
        Subscriber(publisher.address, cameras=["cam1"]) as subscriber,
        stranger(zmq.XSUB, publisher.address) as hostile,
    ):
        joined(publisher, subscriber)
        for note in (b"\0det.cam1\0", b"\0", b"", b"\2", b"\1" + b"x" * 900, b"\xff" * 100) * 10:
            hostile.send(note)
        for i in range(5000):
            hostile.send(b"\1det.cam1\0%d" % i)
        hostile.send(b"\1det.mark\0")
        for _ in deadline():  # until all of it has been heard
            publisher.write(result("mark"))
            if encoded["mark"]:
                break
        joined(publisher, subscriber)
        publisher.write(result("cam2"))
        assert encoded["cam2"] == 0


def test_garbage_packets_are_counted() -> None:
    with spoken_to() as (bare, subscriber):
        garbage = [
            b"det.cam1",
            b"det.cam1\0",
            b"det.cam1\0{}",
            b"det.cam1\0" + os.urandom(1000),
            b"det.\xff\0" + packet("cam1", 0),
            b"det.cam2\0" + packet("cam1", 0).partition(b"\0")[2],
            b"det.a b\0" + encode(msgspec.structs.replace(message(result(), 0), camera="a b")),
            b"det.cam1\0" + b"[" * 100_000,
        ]
        for words in garbage:
            bare.send(words)
        bare.send(packet("cam1", 5))
        assert received(subscriber, lambda _: True).seq == 5
        assert subscriber.malformed == len(garbage)
        assert subscriber.lost["cam1"] == 0


def test_messages_of_several_parts_are_counted() -> None:
    with spoken_to() as (bare, subscriber):
        bare.send_multipart([packet("cam1", 0), packet("cam1", 1)])
        bare.send(packet("cam1", 2))
        assert received(subscriber, lambda _: True).seq == 2
        assert subscriber.malformed == 1


def test_garbage_does_not_stretch_a_timeout() -> None:
    with spoken_to() as (bare, subscriber):
        for _ in range(100):
            bare.send(b"det.cam1\0garbage")
        began = time.monotonic()
        assert subscriber.receive(0.2) is None
        assert 0.19 < time.monotonic() - began < 5
        assert subscriber.receive(0) is None
        assert subscriber.receive(-1) is None


def test_a_publisher_that_invents_cameras_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.subscriber._MOST_CAMERAS", 3)
    with spoken_to() as (bare, subscriber):
        for i in range(10):
            bare.send(packet(f"cam{i}", 0))
        bare.send(packet("cam0", 1))
        received(subscriber, lambda item: (item.camera, item.seq) == ("cam0", 1))
        assert subscriber.malformed == 7


@pytest.mark.parametrize(
    ("said", "lost"),
    [
        ([("a", 5), ("a", 6), ("a", 7)], 0),
        ([("a", 5), ("a", 6), ("a", 9)], 2),
        ([("a", 0), ("a", 10), ("b", 500), ("b", 501)], 9),
        ([("a", 0), ("b", 100), ("b", 103), ("c", 0), ("c", 2)], 3),
        ([("a", 8), ("a", 0), ("a", 1)], 0),  # another publisher of the same process
    ],
)
def test_losses_are_gaps_within_a_session(said: list[tuple[str, int]], lost: int) -> None:
    with spoken_to() as (bare, subscriber):
        for session, seq in said:
            bare.send(packet("cam1", seq, session))
            bare.send(packet("other", seq, session="steady"))
        yielded = 0
        last = said[-1]
        for _ in deadline():
            got = subscriber.receive(0.1)
            if got and got.camera == "cam1":
                yielded += 1
                if (got.session, got.seq) == last:
                    break
        assert subscriber.lost["cam1"] == lost
        assert yielded + subscriber.skipped["cam1"] == len(said)


WAITING = """
import sys
from sinks.subscriber import Subscriber
with Subscriber(sys.argv[1]) as subscriber:
    print("waiting", flush=True)
    for message in subscriber:
        pass
"""


def test_control_c_ends_the_wait(tmp_path: Path) -> None:
    with process(WAITING, f"ipc://{tmp_path}/s") as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "waiting\n"
        waiting.send_signal(signal.SIGINT)
        _, trouble = waiting.communicate(timeout=20)
        assert trouble.rstrip().endswith("KeyboardInterrupt")
