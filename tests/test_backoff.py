"""The waits before a camera is tried again."""

import random

import pytest

from streamer.camera.backoff import STEADY_NS, Backoff
from streamer.errors import Cause

FAST = [Cause.NETWORK, Cause.SILENCE, Cause.ENDED, Cause.DAMAGED]
ABSENT = [Cause.NOT_FOUND, Cause.CODEC]


@pytest.mark.parametrize(
    ("causes", "nominal"),
    [
        (FAST, [0.1, 0.2, 0.4, 0.5, 0.5, 0.5]),
        (ABSENT, [5.0, 10.0, 15.0, 15.0, 15.0, 15.0]),
        ([Cause.AUTH], [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]),
    ],
)
@pytest.mark.parametrize("seed", range(20))
def test_doubles_to_its_cap_with_jitter(seed: int, causes: list[Cause], nominal: list[float]) -> None:
    rng = random.Random(seed)
    backoff = Backoff(rng)
    waits = [backoff.next_s(rng.choice(causes)) for _ in nominal]
    for wait_s, nominal_s in zip(waits, nominal, strict=True):
        assert 0.5 * nominal_s <= wait_s <= nominal_s


def test_cameras_that_fell_together_do_not_come_back_together() -> None:
    waits = [Backoff(random.Random(seed)).next_s(Cause.NETWORK) for seed in range(100)]
    assert len(set(waits)) == 100
    assert max(waits) - min(waits) > 0.04


def test_the_wait_does_not_depend_on_how_long_it_was_away() -> None:
    backoff = Backoff(random.Random(1))
    assert max(backoff.next_s(Cause.SILENCE) for _ in range(10_000)) <= 0.5


def test_sixty_four_cameras_that_return_together_do_not_stampede() -> None:
    """Their network was away for ten seconds; when it is there again each is tried within half a second."""
    for outage_s in (0.3, 1.0, 10.0, 600.0):
        tries_s = []
        for seed in range(64):
            backoff, now_s = Backoff(random.Random(seed)), 0.0
            while now_s < outage_s:
                now_s += backoff.next_s(Cause.NETWORK)
            tries_s.append(now_s - outage_s)
        assert max(tries_s) <= 0.5
        crowd = max(sum(at_s <= other_s < at_s + 0.05 for other_s in tries_s) for at_s in tries_s)
        assert crowd <= 24, f"{crowd} within 50 ms after {outage_s} s"


def test_one_picture_does_not_make_the_next_failure_a_new_one() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(5):
        backoff.next_s(Cause.NETWORK)
        backoff.lasted(STEADY_NS - 1)
    assert backoff.next_s(Cause.NETWORK) >= 0.25


def test_a_steady_connection_makes_the_next_failure_a_new_one() -> None:
    backoff = Backoff(random.Random(1))
    for cause in (*[Cause.NETWORK] * 5, *[Cause.AUTH] * 5):
        backoff.next_s(cause)
    backoff.lasted(STEADY_NS)
    assert backoff.next_s(Cause.NETWORK) <= 0.1
    assert backoff.next_s(Cause.AUTH) <= 5.0


def test_a_network_that_fails_in_between_does_not_make_a_password_worth_trying_sooner() -> None:
    backoff = Backoff(random.Random(1))
    for nominal_s in (5.0, 10.0, 20.0, 40.0, 60.0, 60.0):
        assert backoff.next_s(Cause.AUTH) >= nominal_s / 2
        assert backoff.next_s(Cause.NETWORK) <= 0.5
