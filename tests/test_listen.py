"""`freshframe listen` shows what anybody may have sent."""

import msgspec
import pytest

from streamer.cli.listen import LONGEST, line
from streamer.wire import message
from tests.test_jsonl import result


def test_a_line_says_who_what_and_how_old() -> None:
    text = line(message(result(7), 0))
    assert "gate  frame 7" in text
    assert text.endswith("2 person")


@pytest.mark.parametrize("captured", [1e300, -1e18, 253402300800.0])
def test_times_that_no_calendar_has(captured: float) -> None:
    hostile = msgspec.structs.replace(message(result(7), 0), captured=captured)
    assert "frame 7" in line(hostile)


def test_labels_do_not_drive_the_terminal() -> None:
    item = message(result(7), 0)
    things = [msgspec.structs.replace(item.detections[0], label="\x1b]0;title\x07\x1b[2J")]
    assert line(msgspec.structs.replace(item, detections=things)).isprintable()


def test_a_line_stays_a_line() -> None:
    item = message(result(7), 0)
    things = [msgspec.structs.replace(item.detections[0], label=f"label {number}") for number in range(3000)]
    latency = msgspec.structs.replace(item.latency_ms, total=1e300)
    text = line(msgspec.structs.replace(item, detections=things, latency_ms=latency))
    assert len(text) == LONGEST
    assert text.endswith("…")
