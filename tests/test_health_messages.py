"""Health as messages: written, read again, and sent over ZeroMQ."""

import json
import time
from typing import Any

import msgspec
import pytest
import wires
from hypothesis import given, settings
from hypothesis import strategies as st
from test_health import SICK, health
from wires import deadline, packet, result, spoken_to, stranger

from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer import Cause, Quality, State, Status, wire
from streamer.cli.listen import Healths
from streamer.wire import HealthMessage, MessageError, decode, encode, health_message

pytestmark = pytest.mark.timeout(30)

encoded, publisher = wires.encoded, wires.publisher


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_health_comes_back_equal(encoding: wire.Encoding) -> None:
    for made in (health(), SICK):
        sent = health_message(made, 7)
        assert decode(encode(sent, encoding)) == sent


@given(
    state=st.sampled_from(State),
    cause=st.none() | st.sampled_from(Cause),
    flags=st.lists(st.sampled_from(Quality), min_size=3, max_size=3),
    reconnects=st.dictionaries(st.sampled_from(Cause), st.integers(0, 2**40)),
    why=st.text(max_size=100),
)
@settings(deadline=None, max_examples=60)
def test_any_health_comes_back_equal(
    state: State, cause: Cause | None, flags: list[Quality], reconnects: dict[Cause, int], why: str
) -> None:
    status = Status(state, time.monotonic_ns(), why, cause)
    sent = health_message(
        health(status=status, quality=flags[0], began=flags[1], ended=flags[2], reconnects=reconnects), 0
    )
    assert decode(encode(sent)) == decode(encode(sent, "msgpack")) == sent


def test_the_keys_are_those_of_the_schema() -> None:
    seen = json.loads(encode(health_message(SICK, 3)))
    assert set(seen) == {
        *("schema", "session", "camera", "epoch", "seq", "time", "state", "since", "cause", "why"),
        *("quality", "began", "ended", "reconnects", "given_up"),
    }
    assert seen["schema"] == "freshframe.health/1"
    assert (seen["state"], seen["cause"], seen["epoch"]) == ("retrying", "network", -1)
    assert seen["quality"] == ["frozen", "dark"]
    assert (seen["began"], seen["ended"]) == (["dark"], ["moved"])
    assert seen["reconnects"] == {"network": 2, "silence": 1}
    assert seen["since"] == pytest.approx(time.time(), abs=3600)
    assert seen["since"] <= seen["time"] + 1e-6


def test_no_password_leaves_with_it() -> None:
    status = Status(State.FAILED, 0, "rtsp://me:hunter2@gate/cam: password=hunter2 is wrong", Cause.AUTH)
    assert b"hunter2" not in encode(health_message(health(status=status), 0))


def test_an_unknown_schema_is_named() -> None:
    with pytest.raises(MessageError, match=r"not a .* message, but 'freshframe.health/9'"):
        decode(b'{"schema": "freshframe.health/9"}')
    with pytest.raises(MessageError, match=r"not a freshframe.health/1 message: .*missing"):
        decode(b'{"schema": "freshframe.health/1"}')
    with pytest.raises(MessageError) as refused:
        decode(json.dumps({"schema": "x" * 100_000}).encode())
    assert len(str(refused.value)) < 300


def test_health_is_no_line_of_detections(tmp_path: Any) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(health_message(SICK, 0)) + b"\n")
    with pytest.raises(MessageError, match=r"line 1: .*freshframe.health/1"):
        list(wire.read_jsonl(path))


# ---- over ZeroMQ


def heard(subscriber: Any, publisher: Publisher, *, wanted: int = 1) -> list[HealthMessage]:
    """Publish health until the subscriber has so many messages of it."""
    got: list[HealthMessage] = []
    for _ in deadline():
        publisher.write(SICK)
        item = subscriber.receive(0.01)
        if isinstance(item, HealthMessage):
            got.append(item)
        if len(got) >= wanted:
            return got
    raise AssertionError


def test_detections_and_health_arrive_and_neither_pushes_the_other_out(publisher: Publisher) -> None:
    with Subscriber(publisher.address, health=True) as subscriber:
        heard(subscriber, publisher)
        publisher.write(SICK)
        for index in range(50):
            publisher.write(result("gate", index=index))
        items: list[Any] = []
        while not (items and isinstance(items[-1], wire.DetectionsMessage) and items[-1].frame == 49):
            item = subscriber.receive(5)
            assert item is not None
            items.append(item)
        assert any(isinstance(item, HealthMessage) for item in items)
        assert subscriber.malformed == 0
        assert not subscriber.lost["gate"]


def test_who_does_not_ask_for_health_gets_none_and_none_is_encoded(
    publisher: Publisher,
    encoded: Any,
) -> None:
    with Subscriber(publisher.address) as subscriber:
        for _ in deadline():
            publisher.write(SICK)
            publisher.write(result("gate"))
            item = subscriber.receive(0.01)
            if item is not None:
                break
        assert item is not None
        assert item.detections
        before = encoded["gate"]
        publisher.write(SICK)
        assert encoded["gate"] == before


def test_only_one_cameras_health(publisher: Publisher, encoded: Any) -> None:
    with Subscriber(publisher.address, cameras=["gate"], health=True) as subscriber:
        heard(subscriber, publisher)
        publisher.write(health("gate2"))
        publisher.write(health("gat"))
        assert {item.camera for item in heard(subscriber, publisher, wanted=3)} == {"gate"}
        assert not encoded["gate2"] + encoded["gat"]


def test_a_bare_socket_can_read_it(publisher: Publisher) -> None:
    import zmq  # noqa: PLC0415 - for its constant

    with stranger(zmq.SUB, publisher.address) as bare:
        bare.subscribe(b"health.gate\0")
        for _ in deadline():
            publisher.write(SICK)
            if bare.poll(10):
                break
        head, _, payload = bare.recv().partition(b"\0")
    assert head == b"health.gate"
    assert msgspec.json.decode(payload)["schema"] == "freshframe.health/1"


def test_health_under_another_topic_is_refused() -> None:
    with spoken_to() as (bare, subscriber):
        words = encode(health_message(health("cam1"), 0))
        bare.send(b"det.cam1\0" + words)
        bare.send(packet("cam1", 5))
        item = subscriber.receive(5)
        assert item is not None
        assert item.seq == 5
        assert subscriber.malformed == 1


# ---- `listen`


def test_listen_says_a_change_once_and_in_one_line() -> None:
    healths = Healths()
    first = healths.news(health_message(SICK, 0))
    assert "gate  retrying since " in first
    assert "(network): refused; its pictures: frozen, dark" in first
    assert first.isprintable()
    assert healths.news(health_message(SICK, 1)) == ""
    well = health(epoch=1)
    assert "gate  live since " in healths.news(health_message(well, 2))


@pytest.mark.parametrize("word", ["\x1b]0;title\x07", "x" * 1_000_000, "a\nb"])
def test_listen_is_not_driven_by_what_is_sent(word: str) -> None:
    hostile = msgspec.structs.replace(
        health_message(SICK, 0), state=word, why=word, cause=word, quality=[word], since=1e300
    )
    line = Healths().news(hostile)
    assert line.isprintable()
    assert len(line) < 5000
