"""The only place where threads meet: a bounded hand-over with one lane per camera.

A ring has many writers and one reader. Each writer has a *lane* of its own, so that no camera ever
evicts another's items. What happens when a lane is full is the only drop policy there is:

- a **live** lane drops its oldest item: what is taken is the newest there is;
- a **waiting** lane (recordings) makes its writer wait. A place becomes free when the reader says
  `done()` to what it took, not when it takes it: the lane's depth therefore bounds everything of
  that camera that is in flight downstream, and nobody downstream ever has to wait.

End of stream, stop and failure are one mechanism, closing. A writer closes its lane; when all
writers have closed and the lanes are empty, the ring is *exhausted*. The reader may leave first:
then every `put` answers False, and that is how a close runs upstream.
"""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from streamer.clock import Clock, MonotonicClock

T = TypeVar("T")

CLOSED = "closed"  # the reason of items that nobody took before the ring was left


class Exhausted(Exception):
    """Every writer has closed and everything has been taken, or the reader has left."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken(Generic[T]):
    """An item with the account of what was dropped in its lane since the one taken before it."""

    item: T
    group: object  # the lane's
    lost: Mapping[str, int]
    done: Callable[[], None]  # say once, when nobody downstream holds the item any more; idempotent


class _Lane(Generic[T]):
    """One writer's places. Touched only under the ring's lock."""

    __slots__ = ("busy", "closed", "depth", "dropped", "group", "items", "live", "lost")

    def __init__(self, depth: int, live: bool, group: object) -> None:
        self.depth = depth
        self.live = live
        self.group = group
        self.items: deque[T] = deque()
        self.busy = 0  # taken, not yet done (waiting lanes only)
        self.closed = False
        self.lost: Counter[str] = Counter()  # since the last take
        self.dropped: Counter[str] = Counter()  # ever

    @property
    def full(self) -> bool:
        return len(self.items) + self.busy >= self.depth


class Writer(Generic[T]):
    """The right to put items into one lane. It can be revoked: a stuck thread can't speak when it wakes."""

    def __init__(self, ring: "Ring[T]", lane: _Lane[T]) -> None:
        self._ring = ring
        self._lane = lane

    def put(self, item: T) -> bool:
        """Hand an item over. Waits in a waiting lane. False: nobody will ever take it; stop producing."""
        return self._ring._put(self._lane, item)

    def drop(self, reason: str, count: int = 1) -> None:
        """Account for items that never came as far as the ring."""
        self._ring._drop(self._lane, reason, count)

    def close(self) -> None:
        """Nothing more will come; what is there can still be taken. Idempotent."""
        self._ring._close_lane(self._lane, discard=False)

    def revoke(self) -> None:
        """Close from outside: what waits is discarded and counted, a waiting `put` returns False."""
        self._ring._close_lane(self._lane, discard=True)

    @property
    def dropped(self) -> Mapping[str, int]:
        """What was dropped in this lane ever, by reason."""
        return self._ring._snapshot(self._lane.dropped)

    @property
    def waiting(self) -> int:
        """How many items lie in the lane and have not been taken."""
        return len(self._lane.items)


class Ring(Generic[T]):
    """A hand-over between threads with one lane per writer and one reader. Thread-safe.

    `reason` is what a dropped item is counted under. `carried` tells the account that an item brings
    along: when it is dropped, the next one taken in its lane answers for that too.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        reason: str = "stale",
        carried: Callable[[T], Mapping[str, int]] | None = None,
    ) -> None:
        self._clock = clock or MonotonicClock()
        self._reason = reason
        self._carried = carried
        self._changed = threading.Condition()
        # In the order in which they were served: the first one has waited longest.
        self._lanes: OrderedDict[int, _Lane[T]] = OrderedDict()
        self._opened = False
        self._left = False

    def writer(self, *, depth: int, live: bool, group: object = None) -> Writer[T]:
        """Open a lane of `depth` places. Items of different groups are never taken together."""
        if depth < 1:
            raise ValueError(f"a lane needs at least one place, not {depth}")
        lane = _Lane[T](depth, live, group)
        with self._changed:
            self._opened = True
            if self._left:
                lane.closed = True
            else:
                self._lanes[id(lane)] = lane
                self._lanes.move_to_end(id(lane), last=False)
        return Writer(self, lane)

    def take(self, timeout_s: float | None = None) -> Taken[T] | None:
        """The oldest item of the lane that has waited longest; None when the time is over.

        Raises Exhausted at the end.
        """
        batch = self.take_batch(_one, timeout_s=timeout_s)
        return batch[0] if batch else None

    def take_batch(
        self,
        limit: Callable[[object], int],
        *,
        window_s: float = 0.0,
        timeout_s: float | None = None,
    ) -> list[Taken[T]]:
        """Items of one group, at most `limit(group)`: the lane that has waited longest first.

        Live lanes give one item each; places left over are filled by recordings, in order.

        Once something is there, waits up to `window_s` for more to join, at most until every open
        lane of the group has something or the batch is full. What is taken is what is newest at the
        end of the window. Empty when nothing came within `timeout_s`. Raises Exhausted at the end.
        """
        with self._changed:
            if not self._wait(self._ready, timeout_s):
                return []
            if window_s > 0:
                self._wait(lambda: self._complete(limit), window_s)
                if not self._ready():  # what was there has been revoked meanwhile
                    return []
            if self._left or self._exhausted():
                raise Exhausted
            return self._serve(limit)

    def leave(self) -> list[T]:
        """The reader goes: nothing can be put or taken any more. Returns what was discarded (and counted)."""
        with self._changed:
            self._left = True
            discarded = [item for lane in self._lanes.values() for item in lane.items]
            for lane in list(self._lanes.values()):
                self._discard(lane)
                lane.closed = True
            self._lanes.clear()
            self._changed.notify_all()
            return discarded

    @property
    def exhausted(self) -> bool:
        """True when nothing will ever be taken any more."""
        with self._changed:
            return self._left or self._exhausted()

    # ---- for the writers

    def _put(self, lane: _Lane[T], item: T) -> bool:
        with self._changed:
            if not lane.live:
                while lane.full and not lane.closed:
                    self._clock.wait(self._changed, None)
            if lane.closed:
                self._lose(lane, item, CLOSED)
                return False
            if lane.full:
                self._lose(lane, lane.items.popleft(), self._reason)
            lane.items.append(item)
            self._changed.notify_all()
            return True

    def _drop(self, lane: _Lane[T], reason: str, count: int) -> None:
        with self._changed:
            lane.lost[reason] += count
            lane.dropped[reason] += count

    def _lose(self, lane: _Lane[T], item: T, reason: str) -> None:
        lane.lost[reason] += 1
        lane.dropped[reason] += 1
        if self._carried is not None:
            lane.lost.update(self._carried(item))

    def _close_lane(self, lane: _Lane[T], *, discard: bool) -> None:
        with self._changed:
            if discard:
                self._discard(lane)
            lane.closed = True
            if not lane.items:
                self._lanes.pop(id(lane), None)
            self._changed.notify_all()

    def _snapshot(self, counts: Counter[str]) -> Mapping[str, int]:
        with self._changed:
            return dict(counts)

    # ---- for the reader; the lock is held

    def _wait(self, condition: Callable[[], bool], timeout_s: float | None) -> bool:
        deadline_ns = None if timeout_s is None else self._clock.now_ns() + round(timeout_s * 1e9)
        while not condition():
            left_s = None if deadline_ns is None else (deadline_ns - self._clock.now_ns()) / 1e9
            if left_s is not None and left_s <= 0:
                return False
            self._clock.wait(self._changed, left_s)
        return True

    def _exhausted(self) -> bool:
        return self._opened and not self._lanes

    def _ready(self) -> bool:
        return self._left or self._exhausted() or any(lane.items for lane in self._lanes.values())

    def _complete(self, limit: Callable[[object], int]) -> bool:
        first = next((lane for lane in self._lanes.values() if lane.items), None)
        if self._left or first is None:
            return True
        lanes = [lane for lane in self._lanes.values() if lane.group is first.group]
        there = sum(1 if lane.live else len(lane.items) for lane in lanes if lane.items)
        return there >= limit(first.group) or all(lane.items for lane in lanes)

    def _serve(self, limit: Callable[[object], int]) -> list[Taken[T]]:
        group = next(lane.group for lane in self._lanes.values() if lane.items)
        places = limit(group)
        lanes = [lane for lane in self._lanes.values() if lane.items and lane.group is group][:places]
        batch = [self._take_from(lane) for lane in lanes]
        for lane in lanes:  # places that no other camera wants are filled by recordings, in order
            while lane.items and not lane.live and len(batch) < places:
                batch.append(self._take_from(lane))
        for lane in lanes:
            if lane.closed and not lane.items:
                del self._lanes[id(lane)]
            else:
                self._lanes.move_to_end(id(lane))
        return batch

    def _take_from(self, lane: _Lane[T]) -> Taken[T]:
        item = lane.items.popleft()
        lost, lane.lost = lane.lost, Counter()
        if lane.live:
            return Taken(item, lane.group, dict(lost), _nothing_to_do)
        lane.busy += 1
        return Taken(item, lane.group, dict(lost), _Once(lambda: self._free(lane)))

    def _free(self, lane: _Lane[T]) -> None:
        with self._changed:
            lane.busy -= 1
            self._changed.notify_all()

    def _discard(self, lane: _Lane[T]) -> None:
        while lane.items:
            self._lose(lane, lane.items.popleft(), CLOSED)


class _Once:
    """Calls a function the first time only; thread-safe."""

    __slots__ = ("_call", "_lock")

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            call, self._call = self._call, None
        if call is not None:
            call()


def _one(group: object) -> int:  # noqa: ARG001 - the same for every group
    return 1


def _nothing_to_do() -> None:
    """A live lane's place is free as soon as its item is taken."""
