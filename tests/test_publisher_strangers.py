"""Who may subscribe, and strangers on the line: wrong keys, garbage, hostile peers."""

import os
import socket
import time
from collections import Counter
from contextlib import ExitStack, suppress
from typing import Any

import msgspec
import pytest
import wires
import zmq
from wires import LOOPBACK, deadline, joined, packet, received, result, spoken_to, stranger

from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer import ConfigError
from streamer.wire import encode, message

pytestmark = pytest.mark.timeout(30)

encoded, publisher = wires.encoded, wires.publisher

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
