"""A camera decoded in a process of its own: its pictures, its times, its errors, as in a thread."""

import os
import signal
import socket
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamer import Captured, Cause, ConfigError, LazyPicture, SourceError, Stale
from streamer.fakecam import FakeCam
from streamer.isolation import Isolated, child
from streamer.isolation.channel import Channel
from streamer.isolation.messages import ENTER, Failed, Job, Room, Shot, said
from streamer.isolation.outbox import Outbox
from streamer.isolation.segment import reserve
from streamer.sources import SourceOptions, open_source, parse_address
from streamer.watermark import read
from tests import decoder_processes
from tests.boxes import picture, until
from tests.decoder_processes import in_thread, isolated

pytestmark = pytest.mark.timeout(60)
nothing_held_by_others = decoder_processes.nothing_held_by_others
clip = decoder_processes.clip


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
            outbox.hand_over(Captured(picture(), number, skipped=number, undecoded=10 * number))
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
    shots = [shot for shot in told if isinstance(shot, Shot)]
    assert [(shot.number, shot.skipped, shot.undecoded) for shot in shots] == [(1, 0, 0), (3, 4, 30)]


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
    asked = Job(address.kind, address.text, address.redacted, address.name, True, SourceOptions())
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
