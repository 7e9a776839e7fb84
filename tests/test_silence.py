"""When a camera is silent, and when its reader hangs: the limits, by a clock that is a number."""

import random
from collections.abc import Iterable, Iterator
from itertools import accumulate

import pytest

from streamer.camera.watching import (
    MOST_GRANTS,
    STARVED_NS,
    STUCK_JOINING_NS,
    STUCK_NS,
    STUCK_OPENING_NS,
    Phase,
    Sign,
    Watching,
)
from streamer.silence import EARLY_NS, LEAST_NS, SEGMENTED_NS, Silence

S = 1_000_000_000
MS = 1_000_000


def steady(fps: float, count: int) -> list[int]:
    return [round(number * S / fps) for number in range(count)]


def jittered(sent_ns: Iterable[int], rng: random.Random, most_ns: int = 200 * MS) -> Iterator[int]:
    """Arrivals of what was sent, each up to so much later, none before the one before it."""
    last_ns = 0
    for at_ns in sent_ns:
        last_ns = max(last_ns, at_ns + rng.randrange(most_ns))
        yield last_ns


def alarms(arrivals_ns: Iterable[int], wakes_late_ns: int = 0) -> list[int]:
    """When the loop says that the camera is silent, looking whenever it is due."""
    silence, watching, said, since_ns = Silence(), Watching(), [], 0
    silent = False
    for arrival_ns in arrivals_ns:
        while watching.due_ns is None or watching.due_ns + wakes_late_ns < arrival_ns:
            now_ns = since_ns if watching.due_ns is None else watching.due_ns + wakes_late_ns
            sign = watching.look(now_ns, since_ns, Phase.STREAMING, silence.limit_ns)
            if sign is Sign.SILENT and not silent:
                said.append(now_ns)
            silent = sign is not Sign.FINE
            if sign is Sign.STUCK:
                break
        silence.heard(arrival_ns)
        since_ns, silent = arrival_ns, False
    return said


def known(fps: float, count: int = 64) -> Silence:
    silence = Silence()
    for at_ns in steady(fps, count):
        silence.heard(at_ns)
    return silence


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("fps", "count"), [(30, 1_000_000), (15, 50_000), (5, 50_000), (1, 20_000)])
def test_no_false_alarm_with_200_ms_of_jitter(fps: int, count: int) -> None:
    """R1, with a driven clock."""
    assert alarms(jittered(steady(fps, count), random.Random(fps))) == []


@pytest.mark.parametrize("seed", range(20))
def test_a_rate_that_drops_costs_one_alarm_at_most(seed: int) -> None:
    rng, sent, drops = random.Random(seed), [0], 0
    for _ in range(20):
        for fps, count in ((30, rng.randint(100, 400)), (1, rng.randint(20, 60))):
            sent += [sent[-1] + round(number * S / fps) for number in range(1, count)]
        drops += 1
    said = alarms(jittered(sent, rng))
    assert drops / 2 < len(said) <= drops


@pytest.mark.parametrize("fps", [0.2, 1, 2, 5, 6, 10, 15, 25, 30, 60])
def test_it_is_noticed_after_three_intervals_or_half_a_second(fps: float) -> None:
    limit_ns = known(fps).limit_ns
    assert limit_ns is not None
    assert limit_ns == pytest.approx(max(3 * S / fps, LEAST_NS), rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_jitter_does_not_make_it_later(seed: int) -> None:
    rng = random.Random(seed)
    silence = Silence()
    for at_ns in jittered(steady(10, 200), rng):
        silence.heard(at_ns)
    assert silence.limit_ns is not None
    assert silence.limit_ns <= 1.05 * LEAST_NS


@pytest.mark.parametrize("stall_s", [4, 130])
def test_after_a_stall_it_is_noticed_as_soon_as_before(stall_s: int) -> None:
    silence = known(30)
    last_ns = steady(30, 64)[-1]
    for gap_ns in (stall_s * S, *[33 * MS] * 2):  # what was held up comes, and it goes on as it was
        last_ns += gap_ns
        silence.heard(last_ns)
    assert silence.limit_ns == LEAST_NS


def test_a_stall_is_no_drop_until_there_are_two() -> None:
    gaps_ns = [33 * MS] * 64 + [S, 33 * MS] * 8
    said = alarms(accumulate(gaps_ns))
    assert 1 <= len(said) <= 2


def test_nothing_is_usual_before_the_second_picture() -> None:
    silence = Silence()
    assert silence.limit_ns is None
    silence.heard(0)
    assert silence.limit_ns is None
    silence.heard(33 * MS)
    assert silence.limit_ns == EARLY_NS, "a connection may begin haltingly"


def test_a_new_connection_knows_the_rate_and_counts_no_gap() -> None:
    silence = known(2)
    before_ns = silence.limit_ns
    silence.connected()
    silence.heard(1000 * S)
    assert silence.limit_ns == before_ns
    silence.heard(1000 * S + S // 2)
    assert silence.limit_ns == before_ns


def test_segments_come_seldom() -> None:
    silence = known(30)
    silence.segmented = True
    assert silence.limit_ns == SEGMENTED_NS
    silence.connected()
    assert silence.limit_ns == LEAST_NS


class TestWatching:
    """One reader that waits since 0, of a camera whose limit is half a second."""

    def look(self, watching: Watching, now_ns: int, since_ns: int | None = 0) -> Sign:
        return watching.look(now_ns, since_ns, Phase.STREAMING, LEAST_NS)

    def test_silent_then_stuck_at_the_nanosecond(self) -> None:
        watching = Watching()
        assert self.look(watching, 0) is Sign.FINE
        assert watching.due_ns == LEAST_NS
        assert self.look(watching, LEAST_NS - 1) is Sign.FINE
        assert self.look(watching, LEAST_NS) is Sign.SILENT
        assert watching.due_ns == STUCK_NS
        assert self.look(watching, STUCK_NS - 1) is Sign.SILENT
        assert self.look(watching, STUCK_NS) is Sign.STUCK

    def test_it_is_looked_at_twice_a_second(self) -> None:
        watching, looks, now_ns = Watching(), 0, 0
        while now_ns < 100 * S:
            since_ns = now_ns // (33 * MS) * (33 * MS)
            assert self.look(watching, now_ns, since_ns) is Sign.FINE
            assert watching.due_ns is not None
            now_ns, looks = watching.due_ns, looks + 1
        assert looks < 220

    def test_who_is_busy_is_not_silent(self) -> None:
        watching = Watching()
        for now_ns in range(0, 60 * S, LEAST_NS):
            assert self.look(watching, now_ns, None) is Sign.FINE
        assert self.look(watching, 60 * S, 60 * S - 1) is Sign.FINE, "it counts from when it began to wait"

    @pytest.mark.parametrize("late_ns", [60 * MS, 300 * MS, S, 30 * S, 3600 * S])
    def test_a_loop_that_was_starved_grants_the_same_time_again(self, late_ns: int) -> None:
        watching = Watching()
        self.look(watching, 0)
        now_ns = LEAST_NS + late_ns
        assert self.look(watching, now_ns) is Sign.FINE
        assert watching.due_ns == now_ns + min(late_ns, LEAST_NS)
        assert self.look(watching, watching.due_ns) is Sign.SILENT, "it notices all the same"
        assert watching.due_ns > now_ns + STUCK_NS - 2 * S, "nor is it stuck by that"

    def test_a_loop_that_is_always_late_notices(self) -> None:
        watching, now_ns, looks = Watching(), 0, 0
        while self.look(watching, now_ns) is Sign.FINE:
            assert watching.due_ns is not None
            now_ns, looks = watching.due_ns + 2 * STARVED_NS, looks + 1
        assert looks == MOST_GRANTS + 1
        assert now_ns < 3 * LEAST_NS

    def test_each_wait_has_its_own_grants(self) -> None:
        watching = Watching()
        for since_ns in range(0, 100 * S, S):
            self.look(watching, since_ns, since_ns)
            assert self.look(watching, since_ns + LEAST_NS + 100 * MS, since_ns) is Sign.FINE

    @pytest.mark.parametrize(
        ("phase", "stuck_ns"), [(Phase.OPENING, STUCK_OPENING_NS), (Phase.JOINING, STUCK_JOINING_NS)]
    )
    def test_before_the_first_picture_nobody_is_silent(self, phase: Phase, stuck_ns: int) -> None:
        watching = Watching()
        assert watching.look(0, 0, phase, LEAST_NS) is Sign.FINE
        assert watching.look(stuck_ns - 1, 0, phase, LEAST_NS) is Sign.FINE
        assert watching.look(stuck_ns, 0, phase, LEAST_NS) is Sign.STUCK

    @pytest.mark.parametrize(
        ("limit_ns", "silent_ns", "stuck_ns"),
        [(LEAST_NS, 2 * S, 10 * S), (3 * S, 3 * S, 10 * S), (20 * S, 20 * S, 20 * S), (None, 5 * S, 10 * S)],
    )
    def test_who_looks_at_a_picture_for_ever_hangs_too(
        self, limit_ns: int | None, silent_ns: int, stuck_ns: int
    ) -> None:
        watching, now_ns, signs = Watching(), 0, dict[Sign, int]()
        while Sign.STUCK not in signs:
            signs.setdefault(watching.look(now_ns, 0, Phase.LOOKING, limit_ns), now_ns)
            now_ns = watching.due_ns or now_ns
        assert signs.get(Sign.SILENT, stuck_ns) == silent_ns
        assert signs[Sign.STUCK] == stuck_ns

    def test_connecting_may_take_longer_than_a_dead_name_server(self) -> None:
        watching = Watching()
        assert watching.look(25 * S, 0, Phase.OPENING, LEAST_NS) is Sign.FINE

    @pytest.mark.parametrize(("limit_ns", "stuck_ns"), [(3 * S, 10 * S), (20 * S, 60 * S), (None, 15 * S)])
    def test_slow_cameras_may_hang_longer(self, limit_ns: int | None, stuck_ns: int) -> None:
        watching, now_ns = Watching(), 0
        while watching.look(now_ns, 0, Phase.STREAMING, limit_ns) is not Sign.STUCK:
            assert watching.due_ns is not None
            now_ns = watching.due_ns
        assert now_ns == stuck_ns


def test_a_starved_machine_cries_no_wolf() -> None:
    """Pictures come all the while; the loop sees it late, each time by up to two seconds."""
    rng = random.Random(7)
    silence, watching, arrivals = known(30), Watching(), steady(30, 40_000)
    now_ns = 10 * S
    watching.look(now_ns, now_ns, Phase.STREAMING, silence.limit_ns)
    for _ in range(500):
        # The reader was starved as long: what it waits for has been there for some time.
        starved_ns = rng.randrange(2 * S)
        asked_ns = now_ns + starved_ns
        taken_ns = arrivals[now_ns * 30 // S]
        assert watching.look(asked_ns, taken_ns, Phase.STREAMING, silence.limit_ns) is Sign.FINE
        assert watching.due_ns is not None
        now_ns = watching.due_ns
