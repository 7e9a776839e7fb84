"""What the tests of publisher and subscriber share: results, packets, and strangers on the line."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
import zmq

import sinks.publisher
from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer import ArrayPicture, Detections, Frame, ModelInfo, Quality, Result, Timing
from streamer.wire import DetectionsMessage, encode, message, topic

LOOPBACK = "tcp://127.0.0.1:*"
PATIENCE_S = 10.0
PICTURE = ArrayPicture(np.zeros((90, 160, 3), np.uint8))


def result(camera: str = "cam1", things: int = 1, index: int = 0) -> Result:
    now_ns = time.monotonic_ns()
    seen = Detections(
        ("person",),
        np.full((things, 4), 12.34, np.float32),
        np.full(things, 0.5, np.float32),
        np.zeros(things, np.int32),
    )
    frame = Frame(camera, 1, index, now_ns, now_ns, None, None, False, Quality.FINE, PICTURE)
    return Result(frame, seen, ModelInfo("none"), Timing(*[now_ns] * 5), {})


def deadline() -> Iterator[None]:
    """Rounds to try something in, until patience ends."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        yield
    pytest.fail(f"nothing in {PATIENCE_S:.0f} s")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a message of each camera has been encoded."""
    count: Counter[str] = Counter()

    def counting(item: DetectionsMessage, *rest: Any) -> bytes:
        count[item.camera] += 1
        return encode(item, *rest)

    monkeypatch.setattr(sinks.publisher, "encode", counting)
    return count


@contextmanager
def stranger(
    kind: int, address: str, *, listens: bool = False, rcvhwm: int = 0
) -> "Iterator[zmq.Socket[bytes]]":
    """A bare ZeroMQ socket."""
    with zmq.Context() as context, context.socket(kind) as opened:
        opened.linger = 0
        opened.sndhwm = 0
        opened.rcvhwm = rcvhwm
        if listens:
            opened.bind(address)
        else:
            opened.connect(address)
        yield opened


def packet(camera: str, seq: int, session: str = "s1", **changes: Any) -> bytes:
    item = msgspec.structs.replace(message(result(camera), seq), session=session, **changes)
    return topic("det", camera) + encode(item)


@contextmanager
def spoken_to() -> "Iterator[tuple[zmq.Socket[bytes], Subscriber]]":
    """A subscriber, and a bare publisher whose words it gets."""
    with (
        stranger(zmq.XPUB, LOOPBACK, listens=True) as bare,
        Subscriber(bare.getsockopt_string(zmq.LAST_ENDPOINT)) as subscriber,
    ):
        assert bare.poll(round(PATIENCE_S * 1000))
        yield bare, subscriber


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


def left_alone(publisher: Publisher, encoded: Counter[str], camera: str) -> None:
    """Publish until nothing is encoded any more."""
    for _ in deadline():
        before = encoded[camera]
        publisher.write(result(camera))
        if encoded[camera] == before:
            return
