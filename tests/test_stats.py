"""What a pipeline tells of itself."""

import random

from streamer import CameraStats, State, Status
from streamer.stats import added, percentile_ms


def test_nothing_has_no_percentile() -> None:
    assert percentile_ms([], 0.5) is None


def test_percentiles_are_by_nearest_rank() -> None:
    values = [number * 1_000_000 for number in range(1, 101)]
    random.Random(1).shuffle(values)
    assert [percentile_ms(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile_ms([3_000_000], 0.99) == 3.0
    assert percentile_ms([1_000_000, 2_000_000], 0.5) == 1.0


def test_accounts_add_up() -> None:
    assert added({"stale": 1}, {}, {"stale": 2, "sink": 1}) == {"stale": 3, "sink": 1}


def test_in_flight_is_what_is_left() -> None:
    camera = CameraStats(
        name="gate",
        status=Status(State.LIVE, 0),
        epoch=0,
        captured=10,
        processed=4,
        dropped={"stale": 3, "detector": 1},
        age_p50_ms=None,
        age_p99_ms=None,
        objects={},
        failed=False,
        live=True,
    )
    assert camera.in_flight == 2
