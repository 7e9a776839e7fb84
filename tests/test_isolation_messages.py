"""The other side of the socket, played here: what it may say, and what is an error."""

import dataclasses
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer import Captured, Cause, LazyPicture, SourceError
from streamer.isolation import Isolated
from streamer.isolation.channel import Channel
from streamer.isolation.messages import Ended, Failed, Form, Noted, Opened, Room, Shot, encode
from streamer.isolation.outbox import Outbox
from streamer.sources import parse_address
from tests import decoder_processes
from tests.boxes import picture, until
from tests.decoder_processes import Played, held, isolated

pytestmark = pytest.mark.timeout(60)
nothing_held_by_others = decoder_processes.nothing_held_by_others


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
            Captured(picture(), now_ns - 1, -3, 2**62, True, 7, True, True, 5),
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


def test_what_was_left_out_before_overwritten_pictures_keeps_its_reason(plays: Plays) -> None:
    over = threading.Event()

    def captured() -> Iterator[Captured]:
        for number in range(30):
            yield Captured(picture(value=number), time.monotonic_ns(), skipped=1, undecoded=2)
        over.set()

    with plays(handing_over(captured())) as source:
        pictures = iter(source)
        came = [next(pictures)]
        assert over.wait(10)
        came += pictures
    assert len(came) < 30, "held up, it missed some"
    assert sum(one.skipped for one in came) == 30 + (30 - len(came))
    assert sum(one.undecoded for one in came) == 60


def test_one_picture_that_cannot_be_decoded_is_left_out_and_two_in_a_row_are_an_error(plays: Plays) -> None:
    def broken() -> NDArray[np.uint8]:
        raise av.error.InvalidDataError(0, "broken")

    def captured() -> Iterator[Captured]:
        for odd in (False, True, False, True, True):
            shown = LazyPicture((16, 12), broken) if odd else picture()
            yield Captured(shown, time.monotonic_ns(), skipped=1, undecoded=2)

    errors: list[str] = []

    def script(channel: Channel) -> None:
        try:
            handing_over(captured())(channel)
        except av.error.InvalidDataError:
            errors.append("two in a row")
            channel.send(encode(Ended()))

    with plays(script) as source:
        assert [(one.skipped, one.undecoded) for one in source] == [(1, 2), (3, 4)]
    assert errors


SMALL = Form("yuv420p", 64, 48)


def shot(number: int = 1, form: Form = SMALL, *, later_ns: int = 0, skipped: int = 0) -> bytes:
    captured_ns = time.monotonic_ns() + later_ns
    return encode(Shot(number, form, captured_ns, None, None, False, skipped, False, False, 0))


@pytest.mark.parametrize(
    "messages",
    [
        [b"\xc1"],
        [b""],
        [encode("hello")],
        [encode(["Shot", 1])],
        [encode(["Shot", -1, ["gray", 64, 48], 0, None, None, False, 0, False, False, 0])],
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
