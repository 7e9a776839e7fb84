"""What a pipeline tells of itself."""

import io
import random
import re
from typing import Any

import pytest
from rich.console import Console

from streamer import CameraStats, Cause, Pipeline, Quality, SinkStats, State, Stats, Status
from streamer.cli.summary import summary
from streamer.cli.table import LiveTable
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


SINCE_NS = 10**12


def camera(name: str, state: State, why: str = "", cause: Cause | None = None, **more: Any) -> CameraStats:
    return CameraStats(
        name=name,
        status=Status(state, SINCE_NS, why, cause),
        epoch=0,
        captured=1000,
        processed=900,
        dropped={"stale": 100},
        age_p50_ms=21.0,
        age_p99_ms=48.0,
        objects={"person": 3, "car": 1},
        failed=False,
        live=True,
        **more,
    )


STATS = Stats(
    [
        camera("gate", State.LIVE),
        camera("dark", State.LIVE, quality=Quality.DARK, given_up=2),
        camera(
            *("yard", State.SILENT, "rtsp://***@yard/cam: nothing came for 0.6 s", Cause.SILENCE),
            reconnects={Cause.NETWORK: 2, Cause.SILENCE: 1},
            away_s=33.24,
        ),
        camera("roof", State.CONNECTING),
    ],
    [
        SinkStats("jsonl", 96, {"sink": 404}, "out.jsonl cannot be written: no space left on device", 2),
        SinkStats("pipe", 10, {"sink": 7}, "", 0, 12.4),
        SinkStats("zmq", 500, {}, ""),
    ],
    ready=True,
)


@pytest.mark.parametrize("width", [80, 130])
def test_the_table_says_what_is_wrong_and_can_be_read(width: int) -> None:
    table = LiveTable(Pipeline())
    table._console = Console(width=width, file=io.StringIO(), force_terminal=True, color_system=None)
    with table._console.capture() as capture:
        table._console.print(table._table(STATS, SINCE_NS / 1e9 + 59.5))
    text = re.sub(r"\x1b\[[0-9;]*m", "", capture.get())
    lines = [line.rstrip() for line in text.splitlines()]
    assert max(map(len, lines)) <= width
    for words in (
        *("live 59s", "silent 59s", "connecting 59s"),
        "yard: nothing came for 0.6 s; reconnects: 2 network, 1 silence",
        "dark: pictures dark; 2 hung threads were left behind",
        "sink pipe: stuck for 12 s; dropped 7",
        "out.jsonl cannot be written: no space left on device; dropped 404",
    ):
        assert words in text, text
    assert "rtsp" not in text
    assert len([line for line in lines if line.startswith("gate")]) == 1, "nothing to say of it"


@pytest.mark.parametrize("width", [80, 130])
def test_the_summary_says_what_was_lost(width: int) -> None:
    text = summary(STATS, width)
    assert max(map(len, text.splitlines())) <= width
    flowing = " ".join(text.split())
    for words in (
        "yard: not live for 33.2 s; reconnects: 2 network, 1 silence; at the end: rtsp://***@yard/cam:",
        "dark: 2 hung threads were left behind",
        "sink jsonl: 96 results written, 404 lost while it did not work or was busy, failed 2 times: out",
        "sink zmq: 500 results written",
    ):
        assert words in flowing, text
