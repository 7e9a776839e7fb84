"""Cameras that say nothing: when it is noticed, and when it is over."""

import itertools
import threading

import pytest
from taps import Watched

from streamer import Cause, State

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(("fps", "limit_s"), [(25, 0.47), (10, 0.47), (5, 0.6), (1, 3.0)])
def test_silence_is_noticed_at_its_limit_and_over_with_the_next_picture(fps: float, limit_s: float) -> None:
    with Watched() as gate:
        gate.film(20 / fps, fps)
        gate.clock.pass_s(limit_s - 0.01)
        assert gate.states == [State.LIVE]
        gate.clock.pass_s(0.02)
        assert gate.stands(State.SILENT)
        assert gate.camera.status.cause is Cause.SILENCE
        assert gate.camera.status.why == f"nothing came for over {limit_s:.1f} s"
        gate.clock.pass_s(4)
        gate.show()
        assert gate.states == [State.LIVE, State.SILENT, State.LIVE]
        assert gate.camera.status.why == ""
        assert gate.camera.given_up == 0
        gate.film(1)
        assert gate.stands(State.LIVE)


def test_silence_is_noticed_again_right_after_it_was_over() -> None:
    with Watched() as gate:
        gate.film(2)
        for _ in range(5):
            gate.clock.pass_s(0.6)
            assert gate.stands(State.SILENT)
            gate.film(0.4)
            assert gate.stands(State.LIVE)


def test_before_the_first_picture_nobody_is_silent() -> None:
    with Watched() as gate:
        gate.clock.pass_s(35)
        assert set(gate.states) == {State.CONNECTING}


def test_segments_may_be_silent_for_longer() -> None:
    with Watched() as gate:
        gate.film(2, segmented=True)
        gate.clock.pass_s(19.9)
        assert gate.stands(State.LIVE)
        gate.clock.pass_s(0.2)
        assert gate.stands(State.SILENT)


def test_a_loop_that_was_starved_does_not_cry_wolf() -> None:
    with Watched() as gate:
        gate.film(2)
        for starved_s in (0.7, 3, 60):
            gate.clock.advance(starved_s)  # at one go: nobody ran meanwhile
            gate.clock.settle()
            gate.film(1)
        assert gate.states == [State.LIVE]


def test_it_is_told_every_five_seconds_and_looked_at_seldom() -> None:
    with Watched() as gate:
        gate.film(2)
        waits = 0
        wait = gate.clock.wait

        def counted(condition: threading.Condition, timeout_s: float | None) -> None:
            nonlocal waits
            waits += 1
            wait(condition, timeout_s)

        gate.clock.wait = counted  # type: ignore[method-assign]  # counted on the way
        began_ns = gate.clock.now_ns()
        gate.film(20, 10)
        assert waits <= 5 * 20
        heartbeats = [told_ns for told_ns in gate.told_ns if told_ns > began_ns]
        assert 4 <= len(heartbeats) <= 5
    gaps = [after - before for before, after in itertools.pairwise(gate.told_ns)]
    assert max(gaps) <= 5 * 10**9
