"""How a camera is, told to sinks, to subscribers and to people."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from boxes import Keeper, Looker, Stream, until

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
)
from streamer.announcer import MOST_SAID, Announcer
from streamer.checkup import Checkup

pytestmark = pytest.mark.timeout(30)


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
