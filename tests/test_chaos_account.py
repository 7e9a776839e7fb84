"""What is said of a pass: which results are true, which are lies, and what became of a fault."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.chaos import Fault
from streamer.chaos.account import account, judged
from streamer.chaos.outcome import outcome
from streamer.chaos.passing import Pass
from streamer.chaos.steps import Happened
from streamer.chaos.trial import CameraTrial
from streamer.chaos.witness import Change, Seen
from streamer.errors import Cause
from streamer.frame import Quality
from streamer.stats import CameraStats
from streamer.status import State, Status
from streamer.watermark import Mark, Reading
from streamer.watermark.sent import SentTimes, sent_times

MS = 1_000_000
S = 1_000 * MS
GAP_NS = 100 * MS  # 10 pictures a second
PICTURES = 200  # in the clip


@pytest.fixture
def sent(tmp_path: Path) -> SentTimes:
    """Camera 0 and 1 send picture n at n × 100 ms, 60 s long."""
    log = tmp_path / "sent.jsonl"
    with log.open("w") as out:
        for frame in range(600):
            for camera in (0, 1):
                line = {
                    "camera": camera,
                    "frame": frame,
                    "picture": frame % PICTURES,
                    "sent_mono_ns": frame * GAP_NS,
                }
                out.write(json.dumps(line) + "\n")
    return sent_times(log)


def seen(
    frame: int, *, camera: int = 0, late_ns: int = 0, lag_ns: int = 0, quality: Quality = Quality.FINE
) -> Seen:
    """Frame `frame`, captured 5 ms after it was sent and `late_ns`, in hand 40 ms after that."""
    mark = Mark(camera, frame % PICTURES)
    captured_ns = frame * GAP_NS + 5 * MS + late_ns
    return Seen(
        Reading(mark, mark), (320, 240), 0, False, quality, captured_ns, lag_ns, 7 * MS, captured_ns + 40 * MS
    )


def stats(captured: int = 0, state: State = State.LIVE) -> CameraStats:
    return CameraStats(
        name="cam0",
        status=Status(state, 0),
        epoch=0,
        captured=captured,
        processed=captured,
        dropped={},
        age_p50_ms=None,
        age_p99_ms=None,
        objects={},
        live=True,
        failed=False,
    )


def passed(
    results: Sequence[Seen], happened: Sequence[Happened] = (), changes: Sequence[Change] = ()
) -> Pass:
    """From 10 s to 20 s."""
    return Pass(
        10 * S,
        20 * S,
        {"cam0": results},
        {"cam0": changes},
        {"cam0": stats(100)},
        {"cam0": stats(200)},
        happened,
    )


def test_a_healthy_camera_told_no_lie_and_lost_nothing(sent: SentTimes) -> None:
    one = account([passed([seen(frame) for frame in range(90, 205)])], sent, 0)
    assert one.lies == {}
    assert one.sent == one.looked_at == 95  # what is sent in the last half second may be on its way
    assert one.share == 1
    assert one.age_p50_ms == one.age_p99_ms == pytest.approx(45)
    assert one.start_age_p99_ms == pytest.approx(7)
    assert one.captured_fps == pytest.approx(10)
    assert one.looked_fps == pytest.approx(10, abs=0.2)
    assert one.state is State.LIVE


def test_frames_that_were_not_looked_at_are_missing_from_the_share(sent: SentTimes) -> None:
    one = account([passed([seen(frame) for frame in range(90, 205) if frame % 2])], sent, 0)
    assert one.share == pytest.approx(0.5, abs=0.01)


def test_two_passes_are_one_account(sent: SentTimes) -> None:
    half = passed([seen(frame) for frame in range(90, 205)])
    other = replace(passed([seen(frame) for frame in range(290, 405)]), begun_ns=30 * S, ended_ns=40 * S)
    one = account([half, other], sent, 0)
    assert one.seconds == 20
    assert one.sent == one.looked_at == 190
    assert one.lies == {}


LIES = {
    "stale": [seen(100), seen(101, late_ns=1100 * MS)],
    "twice": [seen(100), seen(100, late_ns=50 * MS)],
    "backwards": [seen(100), seen(101), seen(100, late_ns=150 * MS)],
    "swapped": [seen(100), seen(101, camera=1)],
    "torn": [replace(seen(100), reading=Reading(Mark(0, 100), Mark(0, 99)))],
    "unreadable": [replace(seen(100), reading=Reading(None, None))],
    "invented": [replace(seen(100), reading=Reading(Mark(0, 777), Mark(0, 777)))],
}


@pytest.mark.parametrize("lie", LIES)
def test_each_kind_of_lie_is_found(lie: str, sent: SentTimes) -> None:
    assert judged(passed(LIES[lie]), sent, 0).lies == {lie: 1}


@pytest.mark.parametrize("lie", ["stale", "twice", "backwards", "torn", "unreadable"])
def test_a_frame_that_says_so_itself_is_no_lie_and_not_fresh(lie: str, sent: SentTimes) -> None:
    *before, last = LIES[lie]
    told = judged(passed([*before, replace(last, quality=Quality.DAMAGED)]), sent, 0)
    assert not told.lies.total()
    assert len(told.fresh) == len(before)


def test_a_late_frame_is_none_where_it_is_said_how_late_it_is(sent: SentTimes) -> None:
    late = seen(101, late_ns=3000 * MS)
    for honest in (replace(late, quality=Quality.LATE), replace(late, lag_ns=2950 * MS)):
        assert not judged(passed([seen(100), honest]), sent, 0).lies.total()


def happened(words: str, *, ended_ns: int | None = 15 * S, network: bool = False) -> Happened:
    """From 12 s on."""
    return Happened(Fault(2, (0,), words, network, 3), 0, 12 * S - MS, 12 * S, ended_ns)


def test_what_the_camera_itself_shows_is_true(sent: SentTimes) -> None:
    black = replace(seen(130), reading=Reading(None, None))
    assert not judged(passed([black], [happened("black")]), sent, 0).lies.total()
    assert judged(passed([black], [happened("loss 0.05")]), sent, 0).lies == {"unreadable": 1}
    later = replace(seen(160), reading=Reading(None, None))
    assert judged(passed([later], [happened("black")]), sent, 0).lies == {"unreadable": 1}
    twice = [seen(130), seen(130, late_ns=GAP_NS)]
    assert not judged(passed(twice, [happened("repeat")]), sent, 0).lies.total()


def test_what_became_of_an_outage(sent: SentTimes) -> None:
    results = [seen(frame) for frame in range(90, 120)] + [seen(frame) for frame in range(156, 200)]
    changes = [
        Change(11 * S, Status(State.LIVE, 11 * S)),
        Change(12_500 * MS, Status(State.SILENT, 12_500 * MS, "", Cause.SILENCE)),
        Change(13 * S, Status(State.RETRYING, 13 * S)),
        Change(15_600 * MS, Status(State.LIVE, 15_600 * MS)),
    ]
    fault = happened("hang")
    found = outcome(fault, passed(results, [fault], changes), sent)
    assert (found.camera, found.words, found.at_s, found.for_s) == ("cam0", "hang", 2, 3)
    assert found.noticed_s == pytest.approx(0.5)
    assert found.noticed_after_picture_s == pytest.approx(12.5 - 11.905)
    assert found.noticed_as == "silent"
    assert found.back_s == pytest.approx(0.645)
    assert found.gap_s == pytest.approx(15.645 - 11.945)
    assert found.must_return
    assert not found.lost


def test_a_camera_that_does_not_come_back_is_lost(sent: SentTimes) -> None:
    fault = happened("hang")
    found = outcome(fault, passed([seen(frame) for frame in range(90, 120)], [fault]), sent)
    assert found.back_s is None
    assert found.lost
    assert found.gap_s == pytest.approx(20 - 11.945)
    lasting = happened("hang", ended_ns=None)
    assert not outcome(lasting, passed([], [lasting]), sent).lost


def test_a_flag_is_noticed_when_the_first_frame_carries_it(sent: SentTimes) -> None:
    dark = [
        seen(frame, quality=Quality.DARK if 132 <= frame < 155 else Quality.FINE) for frame in range(90, 200)
    ]
    fault = happened("dark")
    found = outcome(fault, passed(dark, [fault]), sent)
    assert found.flagged_s == {"dark": pytest.approx(1.245)}
    assert found.noticed_s is None
    assert not found.unflagged
    assert account([passed(dark)], sent, 0).flags == {"dark": 23}


def test_pictures_that_are_wrong_for_long_must_be_flagged(sent: SentTimes) -> None:
    fine = [seen(frame) for frame in range(90, 200)]
    for words, ended_s, missed in (("black", 17, True), ("black", 13, False), ("hang", 17, False)):
        fault = happened(words, ended_ns=ended_s * S)
        assert outcome(fault, passed(fine, [fault]), sent).unflagged == missed


def test_the_others_are_held_against_the_control_run(sent: SentTimes) -> None:
    control = account([passed([seen(frame) for frame in range(90, 205)])], sent, 0)
    tried = account(
        [passed([seen(frame, late_ns=45 * MS) for frame in range(90, 205) if frame % 10])], sent, 0
    )
    one = CameraTrial(False, control, tried)
    assert one.fps_ratio == pytest.approx(0.9, abs=0.01)
    assert one.age_ratio == one.median_age_ratio == pytest.approx(2)
