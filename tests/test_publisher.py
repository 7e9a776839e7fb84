"""Publisher and Subscriber over real sockets, and in real processes where one has to die."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import wires
import zmq
from wires import LOOPBACK, PATIENCE_S, deadline, joined, left_alone, received, result, stranger

from benchmarks import subscribers
from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer.wire import SESSION, encode, message

pytestmark = pytest.mark.timeout(30)

encoded, publisher = wires.encoded, wires.publisher


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
