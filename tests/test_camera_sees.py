"""What a camera's loop says of its pictures: when it begins, holds and ends."""

import pytest
from taps import Eyes, Watched

from streamer import Quality, State
from streamer.camera.pictures import HOLD_NS, MOST_FAILURES, Pictures

pytestmark = pytest.mark.timeout(60)


def test_damage_begins_with_its_first_picture_and_ends_two_seconds_after_the_last() -> None:
    with Watched() as gate:
        gate.film(1)
        for _ in range(3):
            gate.film(0.4)
            gate.film(0.2, damaged=True)
        assert gate.camera.quality is Quality.DAMAGED
        last_ns = gate.clock.now_ns()
        gate.film(3)
    assert [quality for _, quality in gate.qualities] == [Quality.FINE, Quality.DAMAGED, Quality.FINE]
    assert gate.qualities[-1][0] == last_ns + 2 * 10**9
    frames = gate.frames()
    assert [frame.quality for frame in frames].count(Quality.DAMAGED) == 3 * 5


def test_what_is_seen_is_in_the_frames_and_holds_as_long_as_it_is_seen() -> None:
    eyes = Eyes()
    with Watched(pictures=eyes) as gate:
        gate.film(0.4)
        eyes.sees = Quality.DARK | Quality.FROZEN
        gate.film(0.4)
        gate.clock.pass_s(2)
        assert gate.shows(Quality.DARK | Quality.FROZEN)
        gate.film(0.2, damaged=True)
        eyes.sees = Quality.DARK
        gate.film(0.2)
        assert gate.shows(Quality.DARK | Quality.DAMAGED)
        gate.film(2)
        assert gate.shows(Quality.DARK)
        eyes.sees = Quality.FINE
        gate.film(0.2)
        assert gate.shows(Quality.FINE)
        assert eyes.looks == gate.camera.captured
        assert eyes.connections == 1
    words = [frame.quality.words for frame in gate.frames()]
    assert words == (
        [[]] * 10
        + [["frozen", "dark"]] * 10
        + [["damaged", "frozen", "dark"]] * 5
        + [["dark"]] * 55
        + [[]] * 5
    )


def test_damage_that_comes_again_while_the_loop_says_that_it_is_over_is_said() -> None:
    """The reader took its time before it looked at the picture, and reports after the loop has looked."""
    pictures, fine = Pictures("gate", None), Quality.FINE
    assert pictures.came(fine, True, False, 0)
    assert pictures.holds(1) is Quality.DAMAGED
    assert pictures.holds(HOLD_NS) is fine
    assert pictures.came(fine, True, False, HOLD_NS - 10_000_000)
    assert pictures.holds(HOLD_NS + 1) is Quality.DAMAGED
    assert not pictures.came(fine, True, False, HOLD_NS + 2)


def test_damage_once_in_two_seconds_does_not_flutter() -> None:
    with Watched() as gate:
        for _ in range(6):
            gate.film(0.04, damaged=True)
            gate.film(1.8)
        assert [quality for _, quality in gate.qualities] == [Quality.FINE, Quality.DAMAGED]


@pytest.mark.parametrize("odd", [1, 6])
def test_an_odd_picture_ends_nothing_that_held(odd: int, caplog: pytest.LogCaptureFixture) -> None:
    eyes = Eyes()
    eyes.sees = Quality.DARK
    with Watched(pictures=eyes) as gate:
        for _ in range(2):
            gate.film(0.4)
            eyes.broken = True
            gate.film(odd / 25)
            eyes.broken = False
        gate.film(0.4)
        assert [quality for _, quality in gate.qualities] == [Quality.FINE, Quality.DARK]
        eyes.sees = Quality.FINE
        gate.film(0.4)
        assert gate.shows(Quality.FINE), "and it is looked after as before"
    assert sum("could not be looked after" in record.message for record in caplog.records) == 1


def test_eyes_that_fail_for_long_are_done_without(caplog: pytest.LogCaptureFixture) -> None:
    eyes = Eyes()
    eyes.sees = Quality.DARK
    with Watched(pictures=eyes) as gate:
        gate.film(0.4)
        eyes.broken = True
        gate.film(5)
        assert gate.stands(State.LIVE)
        assert gate.shows(Quality.DARK), "nobody has seen that it is over"
        assert gate.camera.captured == 135
    said = [record.message for record in caplog.records if "looked after" in record.message]
    assert len(said) == 2
    assert "nobody does any more" in said[1]
    assert eyes.looks == 10 + MOST_FAILURES
