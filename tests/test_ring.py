"""The ring: against a model of plain lists, in time, and under threads."""

import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from streamer import Exhausted, ManualClock, Ring, Taken, Writer

pytestmark = pytest.mark.timeout(30)


@dataclass(frozen=True)
class Item:
    lane: int
    number: int
    account: Mapping[str, int] = field(default_factory=dict)  # what it brings along


# ---- against a model


@dataclass
class ModelLane:
    number: int
    depth: int
    live: bool
    group: str
    items: list[tuple[Item, Counter[str]]] = field(default_factory=list)
    busy: int = 0
    closed: bool = False
    lost: Counter[str] = field(default_factory=Counter)  # on the way to the oldest item
    since: Counter[str] = field(default_factory=Counter)  # after the newest item
    dropped: Counter[str] = field(default_factory=Counter)

    def lose_oldest(self, reason: str) -> None:
        item, before = self.items.pop(0)
        self.lost += before + Counter({reason: 1}) + Counter(item.account)
        self.dropped[reason] += 1


class Model:
    """What the ring promises, in the plainest words: lanes in the order in which they were served."""

    def __init__(self) -> None:
        self.order: list[ModelLane] = []
        self.left = False
        self.opened = False

    def open(self, lane: ModelLane) -> None:
        self.opened = True
        lane.closed = self.left
        if not self.left:
            self.order.insert(0, lane)

    def full(self, lane: ModelLane) -> bool:
        return len(lane.items) + lane.busy >= lane.depth

    def put(self, lane: ModelLane, item: Item) -> bool:
        if lane.closed:
            lane.dropped["closed"] += 1
            return False
        if self.full(lane):
            lane.lose_oldest("old")
        lane.items.append((item, lane.since))
        lane.since = Counter()
        return True

    def close(self, lane: ModelLane, *, discard: bool) -> None:
        while discard and lane.items:
            lane.lose_oldest("closed")
        lane.closed = True
        self.order = [other for other in self.order if other is not lane or other.items]

    @property
    def exhausted(self) -> bool:
        return self.left or (self.opened and not self.order)

    def take(self, limit: int) -> list[tuple[Item, dict[str, int]]]:
        first = next((lane for lane in self.order if lane.items), None)
        if first is None:
            return []
        lanes = [lane for lane in self.order if lane.group == first.group and lane.items][:limit]
        picked = list(lanes)
        for lane in lanes:
            spare = 0 if lane.live else min(len(lane.items) - 1, limit - len(picked))
            picked += [lane] * spare
        batch = []
        for lane in picked:
            item, before = lane.items.pop(0)
            batch.append((item, dict(before + lane.lost)))
            lane.lost = Counter()
            lane.busy += not lane.live
        rest = [lane for lane in self.order if lane not in lanes]
        self.order = rest + [lane for lane in lanes if lane.items or not lane.closed]
        return batch

    def leave(self) -> list[Item]:
        self.left = True
        gone = [item for lane in self.order for item, _ in lane.items]
        for lane in list(self.order):
            self.close(lane, discard=True)
        return gone


class Twins:
    """A ring and its model, told the same."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.ring: Ring[Item] = Ring(ManualClock(), reason="old", carried=lambda item: item.account)
        self.model = Model()
        self.lanes: list[tuple[ModelLane, Writer[Item]]] = []
        self.put = Counter[int]()
        self.taken: dict[int, list[int]] = {}
        self.held: list[tuple[ModelLane, Taken[Item]]] = []

    def open(self) -> None:
        lane = ModelLane(
            len(self.lanes), self.rng.randint(1, 4), self.rng.random() < 0.6, self.rng.choice("ab")
        )
        self.model.open(lane)
        writer = self.ring.writer(depth=lane.depth, live=lane.live, group=lane.group)
        self.lanes.append((lane, writer))
        self.taken[lane.number] = []

    def some(self) -> tuple[ModelLane, Writer[Item]]:
        return self.rng.choice(self.lanes)

    def do_put(self) -> None:
        lane, writer = self.some()
        if not lane.live and self.model.full(lane) and not lane.closed:
            return  # this one would wait
        account = {"before": self.rng.randint(1, 3)} if self.rng.random() < 0.3 else {}
        item = Item(lane.number, self.put[lane.number], account)
        self.put[lane.number] += 1
        assert writer.put(item) == self.model.put(lane, item)

    def do_drop(self) -> None:
        lane, writer = self.some()
        count = self.rng.randint(1, 3)
        writer.drop("max_fps", count)
        lane.since["max_fps"] += count
        lane.dropped["max_fps"] += count

    def do_take(self) -> None:
        limit = self.rng.randint(1, 5)
        window_s = 0.01 if limit == 1 else 0.0  # with one place a window is over at once
        assert self.ring.exhausted == self.model.exhausted
        if self.model.exhausted:
            with pytest.raises(Exhausted):
                self.ring.take_batch(lambda _: limit, timeout_s=0)
            return
        batch = self.ring.take_batch(lambda _: limit, window_s=window_s, timeout_s=0)
        assert [(taken.item, dict(taken.lost)) for taken in batch] == self.model.take(limit)
        for taken in batch:
            lane, _ = self.lanes[taken.item.lane]
            assert taken.group == lane.group
            self.taken[lane.number].append(taken.item.number)
            self.held.append((lane, taken))

    def do_done(self) -> None:
        if self.held:
            lane, taken = self.held.pop(self.rng.randrange(len(self.held)))
            for _ in range(self.rng.randint(1, 3)):
                taken.done()
            lane.busy -= not lane.live

    def do_end(self) -> None:
        lane, writer = self.some()
        if self.rng.random() < 0.5:
            writer.close()
            self.model.close(lane, discard=False)
        else:
            writer.revoke()
            self.model.close(lane, discard=True)

    def check(self) -> None:
        for lane, writer in self.lanes:
            assert writer.waiting == len(lane.items)
            assert dict(writer.dropped) == dict(lane.dropped)
            gone = lane.dropped["old"] + lane.dropped["closed"]
            assert self.put[lane.number] == len(self.taken[lane.number]) + gone + writer.waiting
            assert self.taken[lane.number] == sorted(self.taken[lane.number])


@pytest.mark.parametrize("seed", range(12))
def test_does_what_the_model_does(seed: int) -> None:
    twins = Twins(seed)
    for _ in range(3):
        twins.open()
    for _ in range(4000):
        do = twins.rng.choices(
            [twins.do_put, twins.do_take, twins.do_done, twins.do_drop, twins.do_end, twins.open],
            [50, 25, 18, 4, 1, 1],
        )[0]
        do()
        twins.check()
    assert twins.ring.leave() == twins.model.leave()
    for _ in range(50):
        twins.rng.choice([twins.do_put, twins.do_take, twins.do_done, twins.open])()
        twins.check()


@pytest.mark.parametrize("limit", [1, 3])
def test_overloaded_lanes_share_fairly_whatever_their_rates(limit: int) -> None:
    ring: Ring[Item] = Ring()
    rates = [1, 1, 2, 3, 5, 8, 30, 100]
    writers = [ring.writer(depth=1, live=True) for _ in rates]
    got = Counter[int]()
    for step in range(900):
        for lane, (writer, rate) in enumerate(zip(writers, rates, strict=True)):
            for number in range(rate):
                writer.put(Item(lane, step * 100 + number))
        if step % limit == 0:
            got.update(taken.item.lane for taken in ring.take_batch(lambda _: limit))
    shares = [got[lane] for lane in range(len(rates))]
    jain = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
    assert jain > 0.999
    assert max(shares) - min(shares) <= 1


def test_a_lane_that_has_waited_longest_comes_first() -> None:
    ring: Ring[str] = Ring()
    slow, fast = ring.writer(depth=1, live=True), ring.writer(depth=1, live=True)
    for number in range(3):
        fast.put(f"fast {number}")
        assert ring.take_batch(lambda _: 1)[0].item == f"fast {number}"
    fast.put("fast 3")
    slow.put("slow")
    assert [ring.take_batch(lambda _: 1)[0].item for _ in range(2)] == ["slow", "fast 3"]


def test_another_group_is_not_starved_by_many_lanes() -> None:
    ring: Ring[str] = Ring()
    many = [ring.writer(depth=1, live=True, group="many") for _ in range(5)]
    one = ring.writer(depth=1, live=True, group="one")
    served = []
    for _ in range(20):
        for writer in (*many, one):
            writer.put("x")
        served.append(ring.take_batch(lambda _: 8)[0].group)
    assert served.count("one") == 10


def test_what_is_taken_of_a_live_lane_is_the_newest() -> None:
    ring: Ring[int] = Ring()
    writer = ring.writer(depth=1, live=True)
    for number in range(10):
        writer.put(number)
    taken = ring.take()
    assert taken is not None
    assert (taken.item, taken.lost) == (9, {"stale": 9})


def test_a_lane_without_places_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one place, not 0"):
        Ring[int]().writer(depth=0, live=True)


def test_without_any_writer_yet_it_is_empty_and_not_at_its_end() -> None:
    ring: Ring[int] = Ring(ManualClock())
    assert not ring.exhausted
    assert ring.take(timeout_s=0) is None


# ---- under threads


class Load:
    """One writer's thread, and what became of its items."""

    def __init__(self, ring: Ring[Item], lane: int, *, live: bool, count: int) -> None:
        self.writer = ring.writer(depth=1 + lane % 3, live=live, group=lane % 2)
        self.live = live
        self.count = count
        self.accepted = 0
        self.lane = lane

    def run(self) -> None:
        for number in range(self.count):
            if not self.writer.put(Item(self.lane, number)):
                return
            self.accepted += 1
        self.writer.close()


@pytest.mark.parametrize("leave_early", [False, True])
def test_nothing_is_lost_under_load(leave_early: bool) -> None:
    rng = random.Random(7)
    ring: Ring[Item] = Ring()
    loads = [Load(ring, lane, live=lane % 3 != 0, count=500) for lane in range(6)]
    threads = [threading.Thread(target=load.run, daemon=True) for load in loads]
    for thread in threads:
        thread.start()
    got: dict[int, list[int]] = {load.lane: [] for load in loads}
    explained = Counter[int]()
    held: list[Taken[Item]] = []
    try:
        while not (leave_early and sum(map(len, got.values())) > 300):
            batch = ring.take_batch(lambda _: 4, window_s=0.0005, timeout_s=0.05)
            for taken in batch:
                lane = taken.item.lane
                explained[lane] += sum(taken.lost.values())
                assert taken.item.number == explained[lane] + len(got[lane])
                got[lane].append(taken.item.number)
                held.append(taken)
            while held and (not batch or rng.random() < 0.8):
                held.pop(rng.randrange(len(held))).done()
    except Exhausted:
        assert not leave_early
    ring.leave()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    for load in loads:
        refused = leave_early and load.accepted < load.count
        assert load.accepted + refused == len(got[load.lane]) + sum(load.writer.dropped.values())
        if not load.live and not leave_early:
            assert got[load.lane] == list(range(load.count))  # recordings lose nothing


def test_a_ring_is_live_while_any_of_its_lanes_is() -> None:
    ring: Ring[int] = Ring()
    assert not ring.live
    recording = ring.writer(depth=1, live=False)
    assert not ring.live
    camera = ring.writer(depth=1, live=True)
    assert ring.live
    camera.close()
    assert not ring.live
    recording.close()
    assert not ring.live
