"""What people see while it runs and at its end, on terminals of all sizes."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from streamer import CameraStats, Cause, Pipeline, SinkStats, State, Stats
from streamer.cli.summary import summary
from streamer.cli.table import LiveTable
from streamer.cli.wording import clipped
from tests.test_stats import SINCE_NS, camera

ALIKE = ["192-168-100-100", "192-168-100-101", "front-yard-north-east", "front-yard-north-west"]
DROPS = {"stale": 123456, "backlog": 41234, "detect_fps": 12345, "closed": 2}


def drawn(
    cameras: list[CameraStats], width: int, height: int, sinks: list[SinkStats] | None = None
) -> list[str]:
    table = LiveTable(Pipeline())
    out = io.StringIO()
    table._console = Console(
        width=width, height=height, file=out, force_terminal=True, color_system=None, legacy_windows=False
    )
    table._console.print(table._table(Stats(cameras, [], ready=True), SINCE_NS / 1e9 + 59.5))
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()]


@pytest.mark.parametrize("width", [60, 80, 100, 130])
def test_names_that_differ_at_their_ends_are_told_apart(width: int) -> None:
    lines = drawn([camera(name, State.LIVE) for name in ALIKE], width, 24)
    names = [line.split()[0] for line in lines[1:]]
    assert len(set(names)) == len(ALIKE)
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [60, 80, 100, 130])
def test_titles_and_states_are_whole(width: int) -> None:
    title, line = drawn([camera("gate", State.CONNECTING)], width, 24)
    assert "…" not in title
    assert "connecting 59s" in line


@pytest.mark.parametrize("height", [5, 12, 24])
@pytest.mark.parametrize("count", [1, 4, 12, 64])
def test_a_low_terminal_shows_what_fails_and_says_what_it_leaves_out(count: int, height: int) -> None:
    why = "rtsp://***@10.0.0.5/cam: the connection was refused: does the camera serve this port?"
    cameras = [camera(f"cam{number}", State.LIVE) for number in range(count - 1)]
    cameras.append(camera("broken", State.RETRYING, why, Cause.NETWORK))
    lines = drawn(cameras, 80, height)
    assert len(lines) <= max(height - 1, 9), "the terminal keeps a line for the cursor"
    assert any(line.startswith("broken") and "retrying" in line for line in lines)
    shown = sum(line.startswith(("cam", "broken ")) for line in lines[1:])
    assert shown == count or f"… and {count - shown} cameras more" in lines


def test_many_notes_are_counted_where_there_is_no_room_for_them() -> None:
    why = "rtsp://cam: " + "no route to it " * 8
    lines = drawn([camera(f"cam{number}", State.RETRYING, why) for number in range(8)], 80, 24)
    assert len(lines) <= 23
    assert sum(line.startswith("cam") and "no route" in line for line in lines) == 4
    assert lines[-1] == "… and 4 more"


def test_a_camera_that_is_away_has_no_fresh_age() -> None:
    lines = drawn([camera("gate", State.LIVE), camera("yard", State.SILENT)], 130, 24)
    assert " 21 " in lines[1]
    assert " 21 " not in lines[2]


def test_the_age_is_the_one_at_which_it_was_inferred() -> None:
    narrow, wide = (drawn([camera("gate", State.LIVE)], width, 24) for width in (80, 130))
    assert narrow[0].split()[-5:] == ["at", "age", "dropped", "objects", "now"]
    assert " 21 ms " in narrow[1]
    assert "inferred  at age p50  p99 ms" in wide[0]
    text = summary(Stats([camera("gate", State.LIVE)], [], ready=True), 80)
    assert "processed  at age p50  p99 ms" in text


@pytest.mark.parametrize("width", [60, 80, 110])
def test_what_does_not_fit_is_left_out_in_whole_labels(width: int) -> None:
    objects = {"car": 7, "fire hydrant": 3, "traffic light": 2, "person": 1}
    line = drawn([replace(camera("192-168-100-101", State.LIVE), objects=objects)], width, 24)[1]
    assert len(line) <= width
    assert re.search(r" 7 car(, 3 fire hydrant)? \+[23]$", line)
    line = drawn([replace(camera("gate", State.LIVE), objects={"car": 7, "fire hydrant": 1})], 80, 24)[1]
    assert line.endswith(" 7 car, 1 fire hydrant")


@pytest.mark.parametrize("width", [60, 80, 130])
def test_every_reason_of_every_drop_is_in_the_summary(width: int) -> None:
    cameras = [replace(camera(name, State.LIVE), captured=10**7, dropped=DROPS) for name in ALIKE]
    text = summary(Stats(cameras, [], ready=True), width)
    assert max(map(len, text.splitlines())) <= width
    assert " ".join(text.split()).count("123456 stale, 41234 backlog, 12345 detect_fps, 2 closed") == 4
    assert text.count("10000000") == 4


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        (0, "1 result written, 1 not written any more at the end, 2 left out for newer ones\n"),
        (1, "1 not written any more at the end, 2 lost while it did not work or was busy, failed once"),
    ],
)
def test_what_a_sink_lost_is_said_in_words(failures: int, said: str) -> None:
    sinks = [SinkStats("zmq", 1, {"closed": 1, "sink": 2}, "", failures)]
    assert said in summary(Stats([], sinks, ready=True), 200)


def test_a_clipped_name_keeps_both_ends() -> None:
    assert clipped("gate", 4) == "gate"
    assert clipped("192-168-100-101", 12) == "192-…100-101"
    assert all(len(clipped("x" * length, 12)) == min(length, 12) for length in range(30))
