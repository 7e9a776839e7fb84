"""A camera's decoder in a process of its own: the same pictures, and nothing left behind when it dies."""

import contextlib
import dataclasses
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamer import Camera, Captured, Cause, ConfigError, LazyPicture, Pipeline, SourceError, Stale
from streamer.fakecam import FakeCam
from streamer.fakecam.film import film
from streamer.isolation import Isolated, child, deaths, starting
from streamer.isolation.channel import Channel
from streamer.isolation.messages import (
    ENTER,
    Ended,
    Failed,
    Form,
    Job,
    Noted,
    Opened,
    Room,
    Shot,
    encode,
    job,
    said,
)
from streamer.isolation.outbox import Outbox
from streamer.isolation.process import Process
from streamer.isolation.segment import reserve
from streamer.isolation.starting import start
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.sources.pattern import Pattern
from streamer.watermark import read
from tests.boxes import Keeper, Looker, picture, until
from tests.running import environment, started

pytestmark = pytest.mark.timeout(60)
CAMERA = "synthetic:?size=320x240&fps=100"


def isolated(text: str | Path = CAMERA, *, live: bool | None = None) -> Isolated:
    return Isolated(parse_address(str(text)), SourceOptions(live=live))


def gone(pid: int | None) -> bool:
    """Not even a zombie is left of it, or one that somebody else has to reap."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True
    return state[0] == "Z" and int(state[1]) != os.getpid()


def held() -> tuple[int, int, int, int]:
    """What could leak: descriptors, mapped segments, threads, children (zombies too)."""
    mapped = Path("/proc/self/maps").read_text().count("memfd:freshframe")
    threads = list(Path("/proc/self/task").iterdir())
    children = [pid for task in threads for pid in (task / "children").read_text().split()]
    return len(list(Path("/proc/self/fd").iterdir())), mapped, threading.active_count(), len(children)


def watch(source: Isolated, seen: list[int]) -> None:
    """Each picture of the synthetic camera is the one that it says it is, above and below."""
    for captured in source:
        options = read(captured.picture.bgr())
        assert options.mark is not None, options
        assert options.mark.frame == round((captured.pts_ns or 0) * 100 / 1e9)
        seen.append(options.mark.frame)


@pytest.fixture(scope="module", autouse=True)
def _the_thread_that_starts_processes() -> None:
    """It is there from the first one to the end."""
    starting._thread.submit(int).result()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty watermarked pictures, played in two thirds of a second."""
    path = tmp_path_factory.mktemp("isolation") / "clip.mp4"
    film(Pattern((320, 240), 60.0, 3, 40), path)
    return path


# The same as in a thread


def test_the_same_pictures_bit_for_bit_and_all_that_is_known_of_them(clip: Path) -> None:
    with open_source(parse_address(str(clip))) as source:
        expected = list(source)
    with isolated(clip, live=True) as source:
        assert source.ends
        count = 0
        for here, there in zip(expected, source, strict=True):
            bright, luma = there.picture.luma(), here.picture.luma()  # type: ignore[attr-defined]
            assert np.array_equal(bright, luma)
            assert np.array_equal(there.picture.bgr(), here.picture.bgr())
            assert (there.pts_ns, there.keyframe, there.skipped) == (here.pts_ns, here.keyframe, 0)
            assert 0 <= time.monotonic_ns() - there.captured_ns < 5e9
            count += 1
    assert count == 40


def test_times_are_this_machines_own() -> None:
    with isolated() as source:
        for number, captured in enumerate(source):
            mark = read(captured.picture.bgr()).mark
            assert mark is not None
            if number == 5:
                break
    assert 0 <= time.monotonic_ns() - captured.captured_ns < 5e9


def test_a_recording_of_which_every_frame_is_wanted_is_refused(clip: Path) -> None:
    with pytest.raises(ConfigError, match="live: true"):
        isolated(clip)


def test_errors_are_the_sources_own_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = parse_address(f"rtsp://me:secret-word@127.0.0.1:{port}/cam")
    errors = []
    for source in (open_source(address), Isolated(address)):
        with pytest.raises(SourceError) as caught, source:
            pass
        errors.append((caught.value.cause, str(caught.value)))
    assert errors[0] == errors[1]
    assert "secret-word" not in errors[1][1]


def test_a_camera_on_the_network_also_after_a_crash(clip: Path) -> None:
    with FakeCam([clip], user="me", password="secret-word") as fake:
        url = fake.urls[0].replace("rtsp://", "rtsp://me:secret-word@")
        for _ in range(2):
            with isolated(url) as source:
                pictures = iter(source)
                first = next(pictures)
                assert first.keyframe
                assert np.ptp(first.picture.bgr()) > 100
                assert next(pictures).captured_ns > first.captured_ns
                assert source.pid is not None
                os.kill(source.pid, signal.SIGABRT)
                with pytest.raises(SourceError, match="signal 6"):
                    list(pictures)
        with pytest.raises(SourceError) as caught, isolated(url.replace("secret-word", "other-word")):
            pass
    assert caught.value.cause is Cause.AUTH
    assert "other-word" not in str(caught.value)


def test_who_is_held_up_is_told_what_was_overwritten(clip: Path) -> None:
    with isolated(clip, live=True) as source:
        pictures = iter(source)
        first = next(pictures)
        assert isinstance(first.picture, LazyPicture)

        def overwritten() -> bool:
            try:
                first.picture.luma()  # type: ignore[attr-defined]
            except Stale:
                return True
            return False

        assert source._connection is not None
        slots = source._connection.slots
        assert slots is not None
        until(lambda: slots.holds(20))
        assert overwritten()
        rest = list(pictures)
        with pytest.raises(Stale):
            first.picture.bgr()
    assert rest[0].skipped > 0
    assert 1 + len(rest) + sum(captured.skipped for captured in rest) == 40


def test_pictures_outlive_the_process(clip: Path) -> None:
    with isolated(clip, live=True) as source:
        captured = next(iter(source))
    mark = read(captured.picture.bgr()).mark
    assert mark is not None
    assert (mark.camera, mark.frame) == (3, 0)


def test_what_nobody_could_be_told_in_time_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = (Channel(end) for end in socket.socketpair())
    outbox, offers = Outbox(theirs), iter([True, False, False])
    offer = Channel.offer
    monkeypatch.setattr(Channel, "offer", lambda self, message: next(offers) and offer(self, message))

    def hand_over() -> None:
        for number in range(3):
            outbox.hand_over(Captured(picture(), number, skipped=number))
        outbox.finish()

    thread = in_thread(hand_over)
    room = said(ours.receive() or b"")
    assert isinstance(room, Room)
    descriptor = reserve(room.picture_bytes)
    ours.send_descriptor(descriptor)
    os.close(descriptor)
    thread.join(5)
    told = [said(ours.receive() or b"") for _ in range(2)]
    for channel in (ours, theirs):
        channel.close()
    assert [(shot.number, shot.skipped) for shot in told if isinstance(shot, Shot)] == [(1, 0), (3, 4)]


def test_what_was_overwritten_at_the_very_end_is_counted(clip: Path) -> None:
    with isolated(clip, live=True) as source:
        pictures = iter(source)
        next(pictures)
        assert source._connection is not None
        slots = source._connection.slots
        assert slots is not None
        until(lambda: slots.holds(40))
        slots._numbers = np.zeros_like(slots._numbers)  # as if it had gone round once more
        (last,) = list(pictures)
    assert last.skipped == 38
    with pytest.raises(Stale):
        last.picture.bgr()


# Kept


def test_a_camera_that_is_away_costs_no_process_for_each_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source, before, pids = isolated(f"rtsp://127.0.0.1:{port}/cam"), held(), set()
    for _ in range(10):
        with pytest.raises(SourceError) as caught, source:
            pass
        assert caught.value.cause is Cause.NETWORK
        assert source.pid is not None
        pids.add(source.pid)
    assert len(pids) == 1
    source.stop()
    assert gone(pids.pop())
    until(lambda: held() == before)


def test_one_that_nobody_stops_ends_with_its_source() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = isolated(f"rtsp://127.0.0.1:{port}/cam")
    with contextlib.suppress(SourceError), source:
        pass
    pid = source.pid
    assert pid is not None
    assert not gone(pid)
    del source
    gc.collect()
    assert gone(pid)


def test_a_lost_connection_costs_no_process(clip: Path) -> None:
    with FakeCam([clip]) as fake:
        source, pids = isolated(fake.urls[0]), set()
        for _ in range(3):
            with contextlib.suppress(SourceError), source:
                for _ in source:
                    fake.fault(0, "drop")
            pids.add(source.pid)
    (pid,) = pids
    assert pid is not None
    assert not gone(pid)
    source.stop()
    assert gone(pid)


def test_a_process_that_died_while_nobody_read_it_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    source = isolated(f"rtsp://127.0.0.1:{port}/cam")
    pids = []
    for _ in range(2):
        with pytest.raises(SourceError) as caught, source:
            pass
        assert caught.value.cause is Cause.NETWORK
        pid = source.pid
        assert pid is not None
        pids.append(pid)
        os.kill(pid, signal.SIGKILL)
        process = source._process
        assert process is not None
        until(lambda process=process: not process.alive)  # type: ignore[misc]
    assert pids[0] != pids[1]
    source.stop()
    assert all(gone(pid) for pid in pids)


def test_one_that_dies_before_a_picture_is_started_ever_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_ns, started_ns = 0, []

    def begun(_: object) -> Played:
        started_ns.append(now_ns)
        return Played(lambda channel: channel.send(encode(Opened())))

    monkeypatch.setattr("streamer.isolation.source.start", begun)
    monkeypatch.setattr("streamer.isolation.deaths.time.monotonic_ns", lambda: now_ns)
    source, reasons = isolated(), set()
    while len(started_ns) < 10:
        with pytest.raises(SourceError) as caught, source:
            list(source)
        assert caught.value.cause is Cause.CRASH
        reasons.add(str(caught.value).partition(";")[0])
        now_ns += 10**8
    pauses_s = [round((later - sooner) / 1e9, 1) for sooner, later in pairwise(started_ns)]
    assert pauses_s == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert len(reasons) == 1
    assert "died (signal 9) before its first picture" in reasons.pop()


def test_stopped_while_it_starts_it_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    starting, on = threading.Event(), threading.Event()

    def slow(user: int) -> Process:
        starting.set()
        assert on.wait(10)
        return start(user)

    monkeypatch.setattr("streamer.isolation.source.start", slow)
    source, before, errors = isolated(), held(), []

    def use() -> None:
        try:
            with source:
                pass
        except SourceError as error:
            errors.append(str(error))

    thread = in_thread(use)
    assert starting.wait(10)
    source.stop()  # would hang here
    source.renew()
    on.set()
    thread.join(5)
    assert "was stopped" in errors[0]
    assert source.pid is None
    until(lambda: held() == before)


# Death


def test_a_crash_is_an_error_of_this_camera_and_entering_again_goes_on() -> None:
    source = isolated()
    for number in (signal.SIGSEGV, signal.SIGKILL):
        with source:
            pictures = iter(source)
            captured = next(pictures)
            assert source.pid is not None
            os.kill(source.pid, number)
            with pytest.raises(SourceError, match=rf"died \(signal {number:d}\)") as caught:
                list(pictures)
        assert caught.value.cause is Cause.CRASH
        assert read(captured.picture.bgr()).mark is not None
    with source:
        assert next(iter(source)).captured_ns > captured.captured_ns


def test_killed_at_random_instants_it_leaks_nothing_and_shows_nothing_torn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deaths, "FIRST_S", 0.0)
    luck = random.Random(7)
    seen: list[int] = []
    source = isolated()
    with source:
        next(iter(source))
    before = held()
    for _ in range(20):
        with source:
            pid = source.pid
            assert pid is not None
            killer = threading.Timer(luck.uniform(0, 0.05), os.kill, (pid, signal.SIGKILL))
            killer.start()
            with pytest.raises(SourceError, match="signal 9"):
                watch(source, seen)
        killer.join()
        assert gone(pid)
    source.stop()
    assert seen
    until(lambda: held() == before)


def test_killed_while_it_starts_it_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    luck, begin, before = random.Random(3), Isolated._begin, held()

    def killed(self: Isolated, process: Process) -> None:
        threading.Event().wait(luck.uniform(0, 0.1))
        process.kill()
        begin(self, process)

    monkeypatch.setattr(Isolated, "_begin", killed)
    monkeypatch.setattr(deaths, "FIRST_S", 0.0)
    source = isolated()
    for _ in range(5):
        with pytest.raises(SourceError, match=r"died \(signal 9\) before its first picture"), source:
            pass
    source.stop()
    until(lambda: held() == before)


def test_a_pipeline_loses_one_camera_for_a_moment_and_the_others_not_a_frame() -> None:
    struck = isolated()
    other = "synthetic:?size=320x240&fps=50&seed=2"
    pipeline, keeper, detector = Pipeline(), Keeper(), Looker()
    pipeline.add(Camera("struck", struck, seed=1), detector)
    pipeline.add(Camera("other", open_source(parse_address(other))), detector)
    pipeline.sink(keeper)
    with pipeline:
        for _ in range(3):
            had = len(keeper.of("struck"))
            until(lambda had=had: len(keeper.of("struck")) > had + 5)  # type: ignore[misc]
            assert struck.pid is not None
            os.kill(struck.pid, signal.SIGSEGV)
            epoch = keeper.of("struck")[-1].frame.epoch
            until(lambda epoch=epoch: keeper.of("struck")[-1].frame.epoch > epoch)  # type: ignore[misc]
        camera = next(camera for camera in pipeline.stats().cameras if camera.name == "struck")
        assert camera.reconnects[Cause.CRASH] == 3
    assert {result.frame.epoch for result in keeper.of("other")} == {0}
    assert struck.pid is None


PARENT = """
import sys, threading
from streamer.isolation import Isolated
from streamer.sources import parse_address
with Isolated(parse_address(sys.argv[1])) as source:
    for captured in source:
        print(source.pid, flush=True)
        threading.Event().wait()
"""


@pytest.mark.parametrize("stopped", [False, True])
def test_no_orphan_is_left_when_the_parent_is_killed(stopped: bool) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CAMERA], env=environment(), stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        if stopped:  # it cannot see that its parent is gone: the kernel ends it
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
    until(lambda: gone(pid), timeout_s=5)


RUN = """
model: {use: "tests.mine:Bright"}
cameras: {hostile: {source: "synthetic:?size=320x240", isolation: process}}
sinks: [{use: jsonl, path: seen.jsonl}]
"""


def test_a_configuration_asks_for_it_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "cameras.yaml").write_text(RUN)
    seen = tmp_path / "seen.jsonl"
    with started("run", tmp_path / "cameras.yaml") as process:
        until(lambda: seen.exists() and seen.read_text().count("\n") > 3, timeout_s=20)
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        children = [pid for task in tasks for pid in (task / "children").read_text().split()]
        assert len(children) == 2, "one, and a spare"
        assert all("isolation.child" in Path(f"/proc/{pid}/cmdline").read_text() for pid in children)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == 0, said
        assert "died" not in said
    assert all(gone(int(pid)) for pid in children)


# Stopping


@contextmanager
def silent_camera() -> Iterator[str]:
    """It accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"rtsp://127.0.0.1:{server.getsockname()[1]}/cam"


def in_thread(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target)
    thread.start()
    return thread


def test_stopping_ends_it_while_it_waits_for_the_camera() -> None:
    before, causes = held(), []
    with silent_camera() as url:
        source = isolated(url)

        def use() -> None:
            try:
                with source:
                    pass
            except SourceError as error:
                causes.append(error.cause)

        thread = in_thread(use)
        until(lambda: source.pid is not None)
        pid = source.pid
        source.stop()
        thread.join(3)
        assert not thread.is_alive()
        assert pid is not None
        assert gone(pid)
    assert causes == [Cause.ENDED]
    until(lambda: held() == before)
    with pytest.raises(SourceError, match="stopped"), source:
        pass


def test_stopping_ends_the_iteration() -> None:
    source = isolated()
    with source:
        for _ in source:
            source.stop()
    assert source.pid is None


def test_one_waits_to_take_the_place_of_one_that_dies() -> None:
    def children() -> set[int]:
        tasks = Path("/proc/self/task").iterdir()
        return {int(pid) for task in tasks for pid in (task / "children").read_text().split()}

    def spare() -> int:
        until(lambda: len(children() - before) == 2)
        (pid,) = children() - before - {source.pid or 0}
        return pid

    source, before, expected = isolated(), children(), 0
    for _ in range(3):
        with contextlib.suppress(SourceError), source:
            pictures = iter(source)
            next(pictures)
            assert source.pid is not None
            assert expected in (0, source.pid)
            expected = spare()
            os.kill(source.pid, signal.SIGKILL)
            list(pictures)
    os.kill(expected, signal.SIGKILL)
    until(lambda: Path(f"/proc/{expected}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    with source:
        assert next(iter(source)).picture.size == (320, 240)
        assert source.pid != expected
        spare()
    until(lambda: children() == before)


def test_one_that_does_not_listen_is_killed() -> None:
    source, before = isolated(), held()
    with source:
        next(iter(source))
        assert source.pid is not None
        pid = source.pid
        os.kill(pid, signal.SIGSTOP)
    assert gone(pid)
    until(lambda: held() == before)


def test_a_new_one_in_place_of_one_that_hangs() -> None:
    first = isolated()
    with first:
        for _ in first:
            assert first.pid is not None
            os.kill(first.pid, signal.SIGSTOP)
            with first.renew() as second:
                assert next(iter(second)).picture.size == (320, 240)
    with pytest.raises(SourceError, match="stopped"), first:
        pass


# What the process may


def test_the_password_is_neither_in_its_arguments_nor_in_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATE_PASSWORD", "other-word")
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = isolated(f"rtsp://me:secret-word@127.0.0.1:{server.getsockname()[1]}/cam")

        def use() -> None:
            with pytest.raises(SourceError), source:
                pass

        thread = in_thread(use)
        connection, _ = server.accept()  # it has the address by now
        with connection:
            told = [Path(f"/proc/{source.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
            source.stop()
            thread.join(5)
    assert b"streamer.isolation.child" in told[0]
    for secret in (b"secret-word", b"other-word"):
        assert all(secret not in text for text in told)


def test_it_keeps_what_connections_need_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "https_proxy", "HTTPS_PROXY", "NO_PROXY", "OTHER"):
        monkeypatch.setenv(name, f"/{name}")
    with isolated() as source:
        environ = Path(f"/proc/{source.pid}/environ").read_text().split("\0")
    assert "SSL_CERT_FILE=/SSL_CERT_FILE" in environ
    assert {"SSL_CERT_DIR=/SSL_CERT_DIR", "https_proxy=/https_proxy"} <= set(environ)
    assert {"HTTPS_PROXY=/HTTPS_PROXY", "NO_PROXY=/NO_PROXY"} <= set(environ)
    assert "OTHER=/OTHER" not in environ


def test_it_is_confined() -> None:
    with isolated() as source:
        next(iter(source))
        limits = Path(f"/proc/{source.pid}/limits").read_text().splitlines()
        most = {line[:26].strip(): line[26:].split()[:2] for line in limits}
        status = Path(f"/proc/{source.pid}/status").read_text()
        descriptors = {str(Path(f"/proc/{source.pid}/fd/{number}").readlink()) for number in (0, 1, 2)}
        assert source.pid is not None
        assert os.getsid(source.pid) == source.pid
    assert most["Max core file size"] == most["Max file size"] == ["0", "0"]
    assert most["Max data size"] == [str(1 << 30)] * 2
    assert "NoNewPrivs:\t1" in status
    assert descriptors == {"/dev/null"}


def test_its_memory_is_bounded() -> None:
    code = """
import numpy as np
from streamer.isolation.confinement import confine
confine()
held = []
try:
    while True:
        held.append(np.empty(64 << 20, np.uint8))
except MemoryError:
    print(len(held) * 64)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert 512 <= int(done.stdout) <= 1024


# The other side of the socket, played here


class Played:
    """A process that is none: `plays` has its end of the socket, in a thread of its own."""

    def __init__(self, plays: Callable[[Channel], None]) -> None:
        ours, theirs = socket.socketpair()
        self.channel, self.pid, self.alive, self.killed = Channel(ours), 0, True, False
        self._thread = in_thread(lambda: self._play(Channel(theirs), plays))

    def _play(self, channel: Channel, plays: Callable[[Channel], None]) -> None:
        job(channel.receive() or b"")
        assert channel.receive() == ENTER
        try:
            plays(channel)
        except OSError:
            pass
        finally:
            channel.close()

    def hang_up(self) -> None:
        self.channel.hang_up()

    def kill(self) -> None:
        self.killed = True
        self.hang_up()

    def end(self) -> int:
        self.hang_up()
        self._thread.join()
        self.channel.close()
        return -9


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> Iterator["Plays"]:
    sources = []

    def made(script: Callable[[Channel], None]) -> Isolated:
        monkeypatch.setattr("streamer.isolation.source.start", lambda _: Played(script))
        sources.append(isolated())
        return sources[-1]

    yield made
    for source in sources:
        source.stop()


Plays = Callable[[Callable[[Channel], None]], Isolated]


def handing_over(captured: Iterable[Captured]) -> Callable[[Channel], None]:
    def script(channel: Channel) -> None:
        channel.send(encode(Opened()))
        outbox = Outbox(channel)
        for one in captured:
            outbox.hand_over(one)
        outbox.finish()
        channel.send(encode(Ended()))

    return script


def test_every_field_of_captured_travels(plays: Plays) -> None:
    sent: list[Captured] = []

    def captured() -> Iterator[Captured]:
        now_ns = time.monotonic_ns()
        sent[:] = [
            Captured(picture(), now_ns, None, None, False, 0, False, False),
            Captured(picture(), now_ns - 1, -3, 2**62, True, 7, True, True),
            Captured(picture(), now_ns, 2**70, -(2**70)),  # a camera's nonsense
        ]
        yield from sent

    with plays(handing_over(captured())) as source:
        came = list(source)
    names = [field.name for field in dataclasses.fields(Captured) if field.name != "picture"]
    assert set(names) <= set(Shot.__struct_fields__)
    for before, after in zip(sent[:2], came, strict=False):
        assert {name: getattr(before, name) for name in names} == {
            name: getattr(after, name) for name in names
        }
    assert (came[2].pts_ns, came[2].source_ns) == (None, None)


def test_another_size_in_mid_stream(plays: Plays) -> None:
    sizes = [(16, 12), (640, 480), (16, 12), (1280, 720), (641, 479)]
    pictures = (Captured(picture(size, number), time.monotonic_ns()) for number, size in enumerate(sizes))
    with plays(handing_over(pictures)) as source:
        for number, captured in enumerate(source):
            assert captured.picture.size == sizes[number]
            pixels = captured.picture.bgr()
            assert pixels.shape == (*sizes[number][::-1], 3)
            assert (pixels == number).all()
    assert number == 4


SMALL = Form("yuv420p", 64, 48)


def shot(number: int = 1, form: Form = SMALL, *, later_ns: int = 0, skipped: int = 0) -> bytes:
    captured_ns = time.monotonic_ns() + later_ns
    return encode(Shot(number, form, captured_ns, None, None, False, skipped, False, False))


@pytest.mark.parametrize(
    "messages",
    [
        [b"\xc1"],
        [b""],
        [encode("hello")],
        [encode(["Shot", 1])],
        [encode(["Shot", -1, ["gray", 64, 48], 0, None, None, False, 0, False, False])],
        [shot()],
        [encode(Opened())],
        [encode(Room(64 * 48)), shot()],
        [encode(Room(64 * 48)), shot(form=Form("rgb24", 64, 48))],
        [encode(Room(64 * 48)), shot(form=Form("gray", 16_384, 16_384))],
        [encode(Room(2**40))],
        [encode(Failed(Cause.NETWORK, "x" * 2001))],
    ],
)
def test_nonsense_from_the_process_is_an_error_of_this_camera(plays: Plays, messages: list[bytes]) -> None:
    def script(channel: Channel) -> None:
        channel.send(encode(Opened()))
        for message in messages:
            channel.send(message)
            if message.startswith(encode(Room(1))[:5]):
                os.close(channel.receive_descriptor())

    before = held()
    source = plays(script)
    with pytest.raises(SourceError, match=r"makes no sense|no shared memory"), source:
        list(source)
    source.stop()
    until(lambda: held() == before)


def test_room_is_asked_for_in_each_connection(plays: Plays) -> None:
    def script(channel: Channel) -> None:
        for _ in range(40):
            for message in (Opened(), Room(4608)):
                channel.send(encode(message))
            os.close(channel.receive_descriptor())
            for made in (shot(), encode(Ended())):
                channel.send(made)
            channel.receive()

    source = plays(script)
    for _ in range(40):
        with source:
            assert len(list(source)) == 1


HOUR_NS = 3600 * 10**9


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        (lambda: [shot(later_ns=HOUR_NS)], "in the future"),
        (lambda: [shot(later_ns=-HOUR_NS)], "before it was asked for"),
        (lambda: [shot(2), shot(2)], "picture 2 after picture 2"),
        (lambda: [shot(2), shot(1)], "picture 1 after picture 2"),
        (lambda: [shot(skipped=2**32 - 1)], "4294967295 pictures skipped"),
        (lambda: [shot(number, skipped=4000) for number in (1, 2, 3, 4, 5)], "4000 pictures skipped"),
        (lambda: [encode(Room(5000)), encode(Room(5000))], "have room already"),
        (lambda: [encode(Room(4800 + number)) for number in range(20)], "yet another size"),
    ],
)
def test_times_and_counts_that_cannot_be_end_it(
    monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[bytes]], why: str
) -> None:
    def script(channel: Channel) -> None:
        channel.send(encode(Opened()))
        for message in [encode(Room(4608)), *messages()]:
            channel.send(message)
            if message.startswith(encode(Room(1))[:5]):
                os.close(channel.receive_descriptor())
        channel.receive()

    played: list[Played] = []

    def begun(_: object) -> Played:
        played.append(Played(script))
        return played[-1]

    monkeypatch.setattr("streamer.isolation.source.start", begun)
    with pytest.raises(SourceError, match=f"makes no sense.*{why}") as caught, isolated() as source:
        list(source)
    assert caught.value.cause is Cause.CRASH
    assert played[0].killed


def test_what_it_logs_is_logged_here_without_the_password_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def script(channel: Channel) -> None:
        channel.send(encode(Noted(30, "rtsp://me:secret-word@192.0.2.1/cam:\nread by FFmpeg")))
        for _ in range(1000):
            channel.send(encode(Noted(30, "and so on")))
        channel.send(encode(Failed(Cause.NETWORK, "away")))

    monkeypatch.setattr("streamer.isolation.source.start", lambda _: Played(script))
    source = Isolated(parse_address("rtsp://me:secret-word@192.0.2.1/cam"))
    with pytest.raises(SourceError, match="away"), source:
        pass
    source.stop()
    lines = [record.getMessage() for record in caplog.records if record.name == "freshframe"]
    assert lines[0] == "rtsp://***@192.0.2.1/cam: read by FFmpeg"
    assert 20 <= len(lines) < 30


def test_a_message_that_is_too_long_is_not_waited_for(plays: Plays) -> None:
    def script(channel: Channel) -> None:
        channel.send(encode(Opened()))
        channel.socket.sendall(b"\xff\xff\xff\x7f")
        channel.receive()

    with pytest.raises(SourceError, match="a message of"), plays(script) as source:
        list(source)


@pytest.mark.parametrize(
    ("error", "cause", "text"),
    [
        (MemoryError(), Cause.CODEC, "more memory than 1024 MiB"),
        (RuntimeError("rtsp://me:secret-word@host"), Cause.CRASH, r"RuntimeError in test_isolation.py:\d+"),
        (SourceError(Cause.SILENCE, "secret-word"), Cause.SILENCE, r"\*\*\*"),
        (ConfigError("me:secret-word"), Cause.CRASH, r"\*\*\*"),
    ],
)
def test_what_fails_in_the_process_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch, error: Exception, cause: Cause, text: str
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(child, "open_source", opened)
    ours, theirs = (Channel(end) for end in socket.socketpair())
    address = parse_address("rtsp://me:secret-word@192.0.2.1/cam")
    asked = Job(address.kind, address.text, address.redacted, address.name, True, "tcp")
    ours.send(ENTER)
    ours.send(ENTER)
    work = in_thread(lambda: child._work(asked, theirs))
    told = ours.receive()
    if not isinstance(error, MemoryError):
        assert ours.receive() == told, "it is there for the next connection"
    ours.hang_up()
    work.join(5)
    ours.close()
    theirs.close()
    failed = msgspec.msgpack.decode(told or b"", type=Failed)
    assert failed.cause is cause
    with pytest.raises(AssertionError, match=text):
        raise AssertionError(failed.text)
    assert "secret-word" not in failed.text
