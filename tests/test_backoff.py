"""The waits before a camera is tried again."""

import random

import pytest

from streamer.backoff import Backoff
from streamer.errors import Cause

FAST = [Cause.NETWORK, Cause.SILENCE, Cause.ENDED, Cause.DAMAGED]
SLOW = [Cause.AUTH, Cause.NOT_FOUND, Cause.CODEC]


@pytest.mark.parametrize(
    ("causes", "nominal"),
    [(FAST, [0.1, 0.2, 0.4, 0.5, 0.5, 0.5]), (SLOW, [5.0, 10.0, 20.0, 40.0, 60.0, 60.0])],
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


def test_a_frame_makes_the_next_failure_a_new_one() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(5):
        backoff.next_s(Cause.NETWORK)
    backoff.reset()
    assert backoff.next_s(Cause.NETWORK) <= 0.1


def test_a_change_between_fast_and_slow_starts_anew() -> None:
    backoff = Backoff(random.Random(1))
    for _ in range(5):
        backoff.next_s(Cause.NETWORK)
    assert 2.5 <= backoff.next_s(Cause.AUTH) <= 5.0
    assert 5.0 <= backoff.next_s(Cause.CODEC) <= 10.0
    assert backoff.next_s(Cause.NETWORK) <= 0.1
