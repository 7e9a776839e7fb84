"""Readers that hang: what the loop gives up and replaces, and whatever else strangers do."""

import logging
import random
import threading
import time

import pytest
from boxes import Stuck, picture, until
from taps import Eyes, Line, RenewableTap, Tap, Watched

from streamer import Camera, Captured, Cause, Frame, Quality, Ring, SourceError, State
from streamer.camera import strangers
from streamer.camera.camera import MOST_HUNG
from streamer.errors import MOST_TEXT

pytestmark = pytest.mark.timeout(60)


class Slow:
    """A gate that hangs at its twenty-first frame, and counts."""

    reason = "slow"

    def __init__(self) -> None:
        self.busy = threading.Event()
        self.go_on = threading.Event()
        self.asked = 0
        self.threads: set[int] = set()

    def admits(self, frame: Frame) -> bool:
        assert not self.busy.is_set() or self.go_on.is_set(), "a gate is for one thread at a time"
        self.asked += 1
        if frame.index == 20:
            self.busy.set()
            assert self.go_on.wait(20)
        return True


def test_a_reader_that_is_busy_with_a_picture_has_two_seconds() -> None:
    slow = Slow()
    with Watched(Tap, gates=[slow]) as gate:
        gate.film(20 / 25)
        gate.site.line.items.put(gate.shot())
        assert slow.busy.wait(10)
        gate.clock.pass_s(1.9)
        assert gate.states == [State.LIVE]
        gate.clock.pass_s(0.2)
        assert gate.camera.status.why == "looking at a picture has taken over 2.0 s"
        assert gate.stands(State.SILENT)
        gate.clock.pass_s(20)
        assert "cannot be replaced" in gate.camera.status.why
        slow.go_on.set()
        until(lambda: gate.site.line.asked == 22)
        gate.heard()
        assert gate.stands(State.LIVE)
        gate.clock.pass_s(0.6)
        gate.clock.pass_s(0.6)
        assert gate.stands(State.SILENT), "and it is watched as before"
    gate.check(gate.frames())


def test_a_reader_that_hangs_in_a_gate_is_replaced_and_its_successor_keeps_out_of_there() -> None:
    slow, eyes = Slow(), Eyes()
    with Watched(gates=[slow], pictures=eyes) as gate:
        eyes.sees = Quality.DARK
        gate.film(20 / 25)
        hung = gate.site.line
        gate.clock.pass_s(0.04)
        hung.items.put(gate.shot())
        assert slow.busy.wait(10)
        gate.clock.pass_s(11)
        until(lambda: len(gate.site.lines) == 2)
        assert gate.camera.given_up == 1
        eyes.sees = Quality.FINE
        gate.film(1)
        assert gate.stands(State.LIVE)
        assert (slow.asked, eyes.looks, eyes.connections) == (21, 21, 1)
        assert gate.shows(Quality.DARK), "what held goes on: nobody can say that it is over"
        slow.go_on.set()
        until(lambda: hung.closed)
        gate.film(1)
        assert (slow.asked, eyes.looks, eyes.connections) == (46, 46, 2)
        assert gate.shows(Quality.FINE)
    gate.check(gate.frames())


def test_whoever_is_to_take_the_frames_may_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    taking, go_on = threading.Event(), threading.Event()
    with Watched() as gate:
        gate.film(1)
        put = gate.writer.put

        def slow(frame: Frame) -> bool:
            taking.set()
            assert go_on.wait(20)
            return put(frame)

        monkeypatch.setattr(gate.writer, "put", slow)
        gate.site.line.items.put(gate.shot())
        assert taking.wait(10)
        gate.clock.pass_s(60)
        assert gate.states == [State.LIVE]
        go_on.set()


def test_a_renewal_that_hangs_is_waited_for_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "RENEW_S", 0.05)
    go_on = threading.Event()

    class Locked(RenewableTap):
        def renew(self) -> Tap:
            go_on.wait(20)
            return RenewableTap(self.site)

    with Watched(Locked) as gate:
        gate.film(1)
        gate.clock.pass_s(12)
        assert "cannot be replaced" in gate.camera.status.why
        gate.film(1)
        assert gate.stands(State.LIVE)
        go_on.set()


def test_a_renewal_that_hangs_does_not_hold_up_the_end() -> None:
    asked, go_on = threading.Event(), threading.Event()

    class Locked(RenewableTap):
        def renew(self) -> Tap:
            asked.set()
            go_on.wait(20)
            return RenewableTap(self.site)

    strangers_ns = strangers.RENEW_S
    with Watched(Locked) as gate:
        strangers.RENEW_S = 20
        try:
            gate.film(1)
            gate.clock.pass_s(9.9)
            gate.clock.advance(0.1)
            assert asked.wait(10)
            begun = time.monotonic()
            gate.end()
            assert time.monotonic() - begun < 5
            assert gate.states[-1] is State.ENDED
        finally:
            strangers.RENEW_S = strangers_ns
            go_on.set()


def test_what_a_reader_has_in_hand_when_all_is_over_counts_no_more() -> None:
    eyes = Eyes()
    busy, go_on = threading.Event(), threading.Event()

    def hang() -> None:
        busy.set()
        go_on.wait(20)

    with Watched(pictures=eyes) as gate:
        gate.film(1)
        eyes.busy = hang
        gate.clock.pass_s(0.04)
        gate.site.line.items.put(gate.shot())
        assert busy.wait(10)
        gate.end()
        assert gate.camera.given_up == 1
        go_on.set()
        until(lambda: gate.site.line.closed)
        assert gate.camera.captured == 25
    gate.check(gate.frames())


def test_a_hung_thread_is_given_up_and_replaced(caplog: pytest.LogCaptureFixture) -> None:
    eyes = Eyes()
    with Watched(pictures=eyes) as gate, caplog.at_level(logging.WARNING, "freshframe"):
        gate.film(1)
        hung = gate.site.line
        gate.clock.pass_s(9.9)
        assert gate.stands(State.SILENT)
        assert gate.camera.given_up == 0
        gate.clock.pass_s(1.2)
        assert gate.camera.given_up == 1
        assert gate.stands(State.RETRYING)
        assert "hangs in native code and was replaced" in gate.camera.status.why
        assert gate.camera.reconnects == {Cause.SILENCE: 1}
        assert len(caplog.records) == 1
        until(lambda: len(gate.site.lines) == 2)
        gate.film(1)
        before = gate.frames()
        assert {frame.epoch for frame in before} == {0, 1}
        # When it wakes it counts nothing, says nothing and closes its source.
        said, captured = list(gate.changes), gate.camera.captured
        hung.items.put(gate.shot())
        until(lambda: hung.closed)
        gate.film(1)
        assert gate.changes == said
        assert gate.camera.captured == captured + 25
        assert not gate.site.line.closed
        assert gate.camera.given_up == 1
        assert eyes.looks == gate.camera.captured, "nor does it touch what is its successor's"
    gate.check(before + gate.frames())


def test_an_error_of_one_that_wakes_is_nobodys_any_more(caplog: pytest.LogCaptureFixture) -> None:
    with Watched() as gate:
        gate.film(1)
        hung = gate.site.line
        gate.clock.pass_s(12)
        until(lambda: len(gate.site.lines) == 2)
        gate.film(1)
        caplog.clear()
        said = list(gate.changes)
        hung.items.put(RuntimeError("late"))
        until(lambda: hung.closed)
        gate.film(1)
        assert gate.changes == said
        assert not caplog.records


def test_one_that_stops_when_it_is_told_to_did_not_hang() -> None:
    """Data comes, but no picture: the source is in its read, and alive."""
    with Watched() as gate:

        def obey(line: Line | None) -> None:
            if line is not None:
                line.items.put(None)

        gate.site.stopping = obey
        gate.film(1)
        gate.clock.pass_s(10.2)
        until(lambda: gate.site.lines[0].closed)
        gate.clock.pass_s(0.5)
        until(lambda: len(gate.site.lines) == 2)
        assert gate.camera.given_up == 0
        assert gate.camera.reconnects == {Cause.SILENCE: 1}
        assert gate.changes[-1].why == "nothing came for 10 s"
        gate.film(1)
        assert gate.stands(State.LIVE)


def test_a_stop_that_hangs_too_holds_nobody_up() -> None:
    wake = threading.Event()

    def hang(_: Line | None) -> None:
        wake.wait(20)

    with Watched() as gate:
        gate.site.stopping = hang
        gate.film(1)
        gate.clock.pass_s(12)
        assert gate.camera.given_up == 1
        until(lambda: len(gate.site.lines) == 2)
        gate.film(1)
        assert gate.stands(State.LIVE)
        started = time.monotonic()
        gate.end()
        assert time.monotonic() - started < 5
        wake.set()


def test_one_that_cannot_be_replaced_is_waited_for() -> None:
    with Watched(Tap) as gate:
        gate.film(1)
        gate.clock.pass_s(9.9)
        assert gate.camera.status.why == "nothing came for over 0.5 s"
        gate.clock.pass_s(120)
        assert gate.stands(State.SILENT)
        assert "hangs in native code, and a source of its kind cannot be replaced" in gate.camera.status.why
        gate.film(1)
        assert gate.states[-1] is State.LIVE
        assert gate.camera.given_up == 0
        assert len(gate.site.lines) == 1
        gate.clock.pass_s(0.6)
        assert gate.stands(State.SILENT), "it is watched as before"
    gate.check(gate.frames())


def test_a_renewal_that_fails_is_as_none_at_all() -> None:
    class Broken(RenewableTap):
        def renew(self) -> Tap:
            raise RuntimeError("no")

    with Watched(Broken) as gate:
        gate.film(1)
        gate.clock.pass_s(12)
        assert "cannot be replaced" in gate.camera.status.why


def test_three_may_hang_and_then_one_must_come_back() -> None:
    with Watched() as gate:
        gate.film(1)
        gate.clock.pass_s(300)
        assert len(gate.site.lines) == gate.camera.given_up == MOST_HUNG == 3
        assert gate.stands(State.SILENT)
        assert gate.camera.status.why.startswith("3 threads hang in native code")
        gate.site.lines[1].items.put(SourceError(Cause.NETWORK, "reset"))
        until(lambda: len(gate.site.lines) == 4)
        gate.film(1)
        assert gate.stands(State.LIVE)
        gate.clock.pass_s(60)
        assert gate.camera.given_up == 4
        assert len(gate.site.lines) == 4
    gate.check(gate.frames())


def test_hanging_while_it_connects_is_hanging() -> None:
    wake = threading.Event()

    def hang() -> None:
        wake.wait(20)

    with Watched() as gate:
        gate.site.opens = hang
        gate.site.line.items.put(None)
        until(lambda: len(gate.site.lines) == 1 and gate.stands(State.RETRYING))
        gate.clock.pass_s(1)
        until(lambda: len(gate.site.lines) == 2)
        gate.site.opens = lambda: None
        gate.clock.pass_s(29)
        assert gate.camera.given_up == 0
        gate.clock.pass_s(2)
        assert gate.camera.given_up == 1
        assert any("connecting has taken 30 s" in change.why for change in gate.changes)
        until(lambda: len(gate.site.lines) == 3)
        gate.film(1)
        assert gate.stands(State.LIVE)
        wake.set()
        until(lambda: gate.site.lines[1].asked > 0)
        gate.site.lines[1].items.put(gate.shot())
        until(lambda: gate.site.lines[1].closed)
    frames = gate.frames()
    gate.check(frames)
    assert {frame.epoch for frame in frames} == {2}


@pytest.mark.parametrize("hung", [0, 1, 2])
def test_stop_does_not_wait_for_those_that_hang(hung: int) -> None:
    with Watched() as gate:
        gate.film(1)
        for _ in range(hung):
            gate.clock.pass_s(12)
            gate.film(1)
        frames, asked_ns, given_up = gate.frames(), gate.clock.now_ns(), gate.camera.given_up
        gate.end()
        assert gate.clock.now_ns() - asked_ns <= 0.5 * 10**9
        assert gate.camera.given_up == given_up + 1 == hung + 1
        assert gate.states[-1] is State.ENDED
        assert gate.ring.exhausted or frames
        said = len(gate.changes)
        for line in gate.site.lines:
            line.items.put(gate.shot())
        until(lambda: all(line.closed for line in gate.site.lines))
        assert len(gate.changes) == said
    gate.check(frames + gate.frames())


@pytest.mark.parametrize("seed", range(8))
def test_whatever_its_readers_do_the_account_is_right(seed: int) -> None:
    """They show pictures, change their size, break, hang, and wake when they are long forgotten."""
    rng = random.Random(seed)
    sizes = [(16, 12), (32, 24)]
    with Watched() as gate:
        frames: list[Frame] = []
        for _ in range(30):
            line = gate.site.line
            what = rng.random()
            if what < 0.5:
                gate.film(rng.uniform(0.1, 1), skipped=rng.choice([0, 0, 3]), damaged=rng.random() < 0.2)
            elif what < 0.6:
                size = rng.choice(sizes)
                gate.ready(line)
                line.items.put(Captured(picture(size), gate.clock.now_ns(), gate.clock.now_ns()))
            elif what < 0.75:
                line.items.put(rng.choice([SourceError(Cause.NETWORK, "reset"), ValueError("?"), None]))
            elif what < 0.9:
                gate.clock.pass_s(rng.uniform(0.3, 14))
            for old in gate.site.lines[:-1]:
                if rng.random() < 0.2:
                    old.items.put(rng.choice([gate.shot(), None, SourceError(Cause.NETWORK, "late")]))
            gate.clock.pass_s(0.6)
            frames += gate.frames()
        gate.end()
        for line in gate.site.lines:
            line.items.put(gate.shot())
            line.items.put(None)
        until(lambda: all(line.closed for line in gate.site.lines))
        frames += gate.frames()
    gate.check(frames)
    sizes_of: dict[int, set[tuple[int, int]]] = {}
    for frame in frames:
        sizes_of.setdefault(frame.epoch, set()).add(frame.size)
    assert all(len(of_epoch) == 1 for of_epoch in sizes_of.values())
    assert gate.camera.epoch >= max(frame.epoch for frame in frames)


def test_by_the_real_clock_too() -> None:
    stuck = Stuck(before=12)
    camera, ring, silent = Camera("gate", stuck), Ring[Frame](), threading.Event()
    writer = ring.writer(depth=100, live=True)

    def changed(camera: Camera) -> None:
        if camera.status.state is State.SILENT:
            silent.set()

    thread = threading.Thread(target=camera.run, args=(writer, changed), name="the loop", daemon=True)
    thread.start()
    assert stuck.hanging.wait(10)
    assert silent.wait(10)
    assert "camera gate" in {other.name for other in threading.enumerate()}
    asked = time.monotonic()
    camera.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - asked < 3
    assert camera.given_up == 1
    captured = camera.captured
    stuck.wake.set()
    assert stuck.spoke.wait(10)
    assert camera.captured == captured == 12


class Odd(Exception):
    """One that has no text to give."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_whatever_a_stranger_raises_its_camera_is_tried_again() -> None:
    bare = SourceError(Cause.NETWORK, "gone")
    bare.args = ()
    unknown = SourceError("of another kind", "gone")  # type: ignore[arg-type]  # what a stranger may do
    spelt = SourceError("network", "gone")  # type: ignore[arg-type]
    for error, cause, why in (
        (bare, Cause.NETWORK, "SourceError"),
        (unknown, Cause.DAMAGED, "gone"),
        (spelt, Cause.NETWORK, "gone"),
        (Odd(), Cause.DAMAGED, "unexpected Odd in its source"),
        (SystemExit(3), Cause.DAMAGED, "unexpected SystemExit in its source"),
        (SourceError(Cause.NETWORK, "x" * 10**6), Cause.NETWORK, "x" * MOST_TEXT),
    ):
        with Watched() as gate:
            gate.film(1)
            gate.site.line.items.put(error)
            until(lambda gate=gate: gate.stands(State.RETRYING))  # type: ignore[misc]
            assert gate.camera.status.cause is cause
            assert gate.camera.status.why == why
            gate.clock.pass_s(1)
            until(lambda gate=gate: len(gate.site.lines) == 2)  # type: ignore[misc]
            gate.film(1)
            assert gate.stands(State.LIVE)
        gate.check(gate.frames())


def test_how_it_ended_keeps_the_cause_that_its_reason_has() -> None:
    with Watched() as gate:
        gate.film(1)
        gate.clock.pass_s(1)
        assert gate.stands(State.SILENT)
        why = gate.camera.status.why
        gate.end()
        assert gate.changes[-1].state is State.ENDED
        assert (gate.changes[-1].why, gate.changes[-1].cause) == (why, Cause.SILENCE)
