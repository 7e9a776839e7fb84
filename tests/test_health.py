"""How a camera is, told to sinks, to subscribers and to people."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from boxes import Keeper, Looker, Stream, until
from hypothesis import given, settings
from hypothesis import strategies as st
from wires import LOOPBACK, deadline, encoded, packet, result, spoken_to, stranger

from sinks.publisher import Publisher
from sinks.subscriber import Subscriber
from streamer import (
    Camera,
    Cause,
    Frame,
    Health,
    ManualClock,
    Pipeline,
    Quality,
    Result,
    State,
    Status,
    Writer,
    wire,
)
from streamer.announcer import MOST_SAID, Announcer
from streamer.checkup import Checkup
from streamer.cli.listen import Healths
from streamer.wire import HealthMessage, MessageError, decode, encode, health_message

pytestmark = pytest.mark.timeout(30)

assert encoded  # a fixture of theirs

SECOND_NS = 1_000_000_000


def health(camera: str = "gate", **more: Any) -> Health:
    given: dict[str, Any] = {"status": Status(State.LIVE, time.monotonic_ns()), "epoch": 0}
    return Health(camera, time.monotonic_ns(), **given | more)


SICK = health(
    status=Status(State.RETRYING, time.monotonic_ns(), "rtsp://***@gate/cam: refused", Cause.NETWORK),
    epoch=-1,
    quality=Quality.DARK | Quality.FROZEN,
    began=Quality.DARK,
    ended=Quality.MOVED,
    reconnects={Cause.NETWORK: 2, Cause.SILENCE: 1, Cause.LATE: 0},
    given_up=1,
)


class Ward:
    """A sink that keeps the health of cameras."""

    takes: Any = Health

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.hold = threading.Event()
        self.hold.set()

    def __enter__(self) -> "Ward":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, item: Any) -> None:
        assert self.hold.wait(20)
        self.got.append(item)

    @property
    def healths(self) -> list[Health]:
        return [item for item in self.got if isinstance(item, Health)]


class Patient(Camera):
    """A camera whose state a test sets."""

    def __init__(self, name: str) -> None:
        super().__init__(name, Stream())
        self._say: Callable[[], None] | None = None
        self._end = threading.Event()

    def run(self, writer: Writer[Frame], on_change: Callable[[Camera], None], viewers: object = ()) -> None:
        self._say = lambda: on_change(self)
        self._end.wait(20)
        writer.close()
        self.becomes(State.ENDED)

    def stop(self) -> None:
        self._end.set()

    def becomes(self, state: State, why: str = "", cause: Cause | None = None) -> None:
        self._standing.status = Status(state, time.monotonic_ns(), why, cause)
        self.again()

    def shows(self, quality: Quality) -> None:
        self._standing.quality = quality
        self.again()

    def again(self) -> None:
        until(lambda: self._say is not None)
        assert self._say is not None
        self._say()


# ---- to sinks


def test_what_changes_of_a_camera_reaches_the_sinks_that_want_it() -> None:
    camera, ward, both, results = Patient("gate"), Ward(), Ward(), Keeper()
    both.takes = (Result, Health)
    told: list[State] = []
    pipeline = Pipeline(on_status=lambda camera: told.append(camera.status.state))
    pipeline.add(camera, Looker())
    pipeline.add(Camera("other", Stream()), Looker())
    for sink in (ward, both, results):
        pipeline.sink(sink)
    with pipeline:
        camera.becomes(State.LIVE)
        camera.shows(Quality.DARK)
        camera.shows(Quality.DARK | Quality.FROZEN)
        camera.again()
        camera.reconnects[Cause.NETWORK] += 1
        camera.shows(Quality.FROZEN)
        camera.becomes(State.SILENT, "nothing came for 0.6 s", Cause.SILENCE)
        until(lambda: sum(health.camera == "gate" for health in ward.healths) == 6)
        until(lambda: len(results.got) > 20)
    got = [health for health in ward.healths if health.camera == "gate"]
    assert [health.began for health in got[:6]] == [
        *(Quality.FINE, Quality.DARK, Quality.FROZEN, Quality.FINE, Quality.FINE, Quality.FINE)
    ]
    assert [health.ended for health in got[:6]] == [
        *(Quality.FINE, Quality.FINE, Quality.FINE, Quality.FINE, Quality.DARK, Quality.FINE)
    ]
    assert got[4].reconnects == {Cause.NETWORK: 1}
    assert got[5].status.cause is Cause.SILENCE
    assert got[6].status.state is State.ENDED, "the last word gets through too"
    assert [state for state in told if state is not State.ENDED].count(State.SILENT) == 1
    assert len(ward.got) == len(ward.healths)
    assert len(both.healths) == len(ward.healths)
    assert all(isinstance(item, Result) for item in results.got)
    ward_stats, both_stats, result_stats = pipeline.stats().sinks
    assert (ward_stats.written, dict(ward_stats.dropped)) == (0, {}), "health is no result"
    assert both_stats.written == len(both.got) - len(both.healths)
    assert result_stats.written == len(results.got)


def test_people_hear_of_changes_of_status_only() -> None:
    camera, told = Patient("gate"), []
    pipeline = Pipeline(on_status=lambda camera: told.append(camera.status.state))
    pipeline.add(camera, Looker())
    with pipeline:
        camera.becomes(State.LIVE)
        for _ in range(5):
            camera.again()
        camera.shows(Quality.DARK)
        camera.becomes(State.RETRYING, "refused", Cause.NETWORK)
    assert told == [State.LIVE, State.RETRYING, State.ENDED]


def test_somebody_who_fails_to_listen_keeps_no_health_back() -> None:
    def fail(camera: Camera) -> None:
        raise ValueError("a bug of the listener's")

    ward = Ward()
    pipeline = Pipeline(on_status=fail)
    pipeline.add(Camera("gate", Stream(count=3)), Looker())
    pipeline.sink(ward)
    pipeline.run()
    assert [health.status.state for health in ward.healths][-1] is State.ENDED


def test_a_sink_that_is_slow_gets_the_newest_health_and_its_results_are_not_touched() -> None:
    camera, ward = Patient("gate"), Ward()
    ward.takes = (Result, Health)
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(camera, Looker())
    pipeline.sink(ward)
    with pipeline:
        ward.hold.clear()
        for number in range(40):
            camera.given_up = number
            camera.again()
        ward.hold.set()
        until(lambda: bool(ward.healths) and ward.healths[-1].given_up == 39)
        (leg,) = pipeline._legs
        assert leg.health_dropped >= 40 - 8 - 1
        assert not leg.dropped
    assert len(ward.healths) <= 8 + 1 + 1, "and how it ended"


def test_the_last_word_of_a_camera_that_takes_its_time_is_waited_for() -> None:
    class Slow(Patient):
        def stop(self) -> None:
            threading.Timer(0.2, self._end.set).start()

    camera, ward = Slow("gate"), Ward()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(camera, Looker())
    pipeline.sink(ward)
    with pipeline:
        camera.becomes(State.LIVE)
    assert [health.status.state for health in ward.healths] == [State.LIVE, State.ENDED]


def test_a_camera_that_hangs_keeps_no_sink_open(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Patient):
        def stop(self) -> None:
            pass

    camera, ward = Hanging("gate"), Ward()
    pipeline = Pipeline(on_status=lambda _: None)
    pipeline.add(camera, Looker())
    pipeline.sink(ward)
    with pipeline:
        camera.becomes(State.LIVE)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    assert pipeline._threads.given_up == ["camera gate"]
    got = len(ward.got)
    camera.becomes(State.RETRYING)  # it wakes, and nobody listens any more
    assert len(ward.got) == got
    camera._end.set()
    until(lambda: not any(thread.name == "camera gate" for thread in threading.enumerate()))


def test_how_long_a_camera_was_not_live() -> None:
    clock = ManualClock(SECOND_NS)
    camera, checkup = Patient("gate"), Checkup(clock)

    def becomes(state: State, at_s: float) -> None:
        clock.advance(at_s - clock.now_ns() / 1e9)
        camera._standing.status = Status(state, clock.now_ns())
        checkup.of(camera)

    becomes(State.CONNECTING, 2)
    becomes(State.LIVE, 5)
    assert checkup.away_s() == 0, "it was not there yet"
    becomes(State.SILENT, 10)
    becomes(State.RETRYING, 11)
    clock.advance(1)
    assert checkup.away_s() == pytest.approx(2)
    becomes(State.LIVE, 14)
    becomes(State.RETRYING, 20)
    becomes(State.ENDED, 21)
    clock.advance(100)
    assert checkup.away_s() == pytest.approx(5)


# ---- to people


def said(caplog: pytest.LogCaptureFixture, quality: list[tuple[float, Quality]]) -> list[str]:
    caplog.set_level(logging.INFO, "freshframe")
    caplog.clear()
    announcer = Announcer()
    for at_s, flags in quality:
        announcer.pictures(Health("gate", round(at_s * 1e9), Status(State.LIVE, 0), 0, flags))
    return [record.getMessage().removeprefix("gate: ") for record in caplog.records]


@pytest.fixture(autouse=True)
def hears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("freshframe"), "propagate", True)


def test_people_hear_what_is_wrong_with_the_pictures_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert said(caplog, [(0, Quality.DARK), (5, Quality.DARK), (9, Quality.FINE)]) == [
        "the picture is dark",
        "the picture is no longer dark",
    ]
    assert said(caplog, [(0, Quality.LATE), (1, Quality.FINE)]) == []


def test_what_comes_and_goes_is_not_said_each_time_and_what_stays_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flutter = [(n * 0.1, Quality.DAMAGED if n % 2 else Quality.FINE) for n in range(500)]
    assert said(caplog, flutter) == ["pictures are damaged", "pictures are whole again"]
    stays = [(1.0, Quality.DARK), (2.0, Quality.FINE), *((n, Quality.DARK) for n in range(3, 30, 5))]
    assert said(caplog, stays)[2:] == ["the picture is dark"], "what was said last is true"


class Heard:
    """What an announcer says of one camera whose state a test sets, and when."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.announcer, self.camera, self.caplog = Announcer(), Patient("gate"), caplog
        self.status: Status | None = None
        caplog.set_level(logging.INFO, "freshframe")
        caplog.clear()

    def at(self, at_s: float, state: State, why: str = "") -> None:
        status = Status(state, 0, why)
        news = status != self.status
        self.status = status
        health = Health("gate", round(at_s * 1e9), status, 0)
        self.announcer(self.camera, health, news=news)

    @property
    def lines(self) -> list[str]:
        return [record.getMessage().removeprefix("gate: ") for record in self.caplog.records]


def test_a_camera_that_flaps_is_said_to_once_in_ten_seconds(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard(caplog)
    for number in range(1000):
        heard.at(number / 50, State.LIVE)
        heard.at(
            number / 50 + 0.01, State.RETRYING, f"127.0.0.1:{40_000 + number}: gone after {number / 7:.1f} s"
        )
    assert heard.lines == [
        "live, 0×0",
        "127.0.0.1:40000: gone after 0.0 s; trying again",
        "live, 0×0 (499 times more meanwhile)",
        "127.0.0.1:40500: gone after 71.4 s; trying again (499 times more meanwhile)",
    ]


def test_what_was_held_back_and_stays_is_said(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard(caplog)
    for at_s in (0, 3):
        heard.at(at_s, State.LIVE)
        heard.at(at_s + 1, State.RETRYING, "gone")
    heard.at(5, State.LIVE)
    assert len(heard.lines) == 2
    for at_s in range(10, 100, 5):
        heard.at(at_s, State.LIVE)
    assert heard.lines[2:] == ["live, 0×0 (2 times more meanwhile)"]


def test_one_that_fails_in_ever_new_words_is_no_flood(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard(caplog)
    for number in range(1000):
        word = "".join(chr(97 + int(digit)) for digit in str(number))
        heard.at(number / 100, State.RETRYING, word)
    assert len(heard.lines) == MOST_SAID
    heard.at(30, State.RETRYING, "at last")
    assert heard.lines[-1] == "at last; trying again"


# ---- as messages


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


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(LOOPBACK) as opened:
        yield opened


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
