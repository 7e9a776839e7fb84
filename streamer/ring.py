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
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from streamer.clock import Clock, MonotonicClock
from streamer.lane import CLOSED, Lane, Once, Taken

T = TypeVar("T")


class Exhausted(Exception):
    """Every writer has closed and everything has been taken, or the reader has left."""


class Writer(Generic[T]):
    """The right to put items into one lane. It can be revoked: a stuck thread can't speak when it wakes."""

    def __init__(self, ring: "Ring[T]", lane: Lane[T]) -> None:
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
        return self._ring._dropped(self._lane)

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
        self._lanes: OrderedDict[int, Lane[T]] = OrderedDict()
        self._opened = False
        self._left = False

    def writer(self, *, depth: int, live: bool, group: object = None) -> Writer[T]:
        """Open a lane of `depth` places. Items of different groups are never taken together."""
        if depth < 1:
            raise ValueError(f"a lane needs at least one place, not {depth}")
        lane = Lane[T](depth, live, group)
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

        Once something is there, waits up to `window_s` for more to join, at most until every awaited
        lane of the group has something or the batch is full. A lane that let a whole window pass is
        not awaited until something comes: a dead camera must not make the others' frames grow old.
        What is taken is what is newest at the end of the window.

        Empty when nothing came within `timeout_s`. Raises Exhausted at the end.
        """
        with self._changed:
            if not self._wait(self._ready, timeout_s):
                return []
            if window_s > 0:
                if not self._wait(lambda: self._complete(limit), window_s):
                    self._stop_awaiting()
                if not self._ready():  # what was there has been revoked meanwhile
                    return []
            if self._left or self._exhausted():
                raise Exhausted
            return self._serve(limit)

    def leave(self) -> list[T]:
        """The reader goes: nothing can be put or taken any more. Returns what was discarded (and counted)."""
        with self._changed:
            self._left = True
            discarded = [item for lane in self._lanes.values() for item, _ in lane.items]
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

    @property
    def live(self) -> bool:
        """True while any lane is live: then what is taken early grows old."""
        with self._changed:
            return any(lane.live for lane in self._lanes.values())

    # ---- for the writers

    def _put(self, lane: Lane[T], item: T) -> bool:
        with self._changed:
            if not lane.live:
                while lane.full and not lane.closed:
                    self._clock.wait(self._changed, None)
            if lane.closed:
                lane.dropped[CLOSED] += 1
                return False
            if lane.full:
                lane.lose_oldest(self._reason, self._carried)
            lane.append(item)
            self._changed.notify_all()
            return True

    def _drop(self, lane: Lane[T], reason: str, count: int) -> None:
        with self._changed:
            lane.drop(reason, count)

    def _close_lane(self, lane: Lane[T], *, discard: bool) -> None:
        with self._changed:
            if discard:
                self._discard(lane)
            lane.closed = True
            if not lane.items:
                self._lanes.pop(id(lane), None)
            self._changed.notify_all()

    def _dropped(self, lane: Lane[T]) -> Mapping[str, int]:
        with self._changed:
            return dict(lane.dropped)

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
        return there >= limit(first.group) or all(lane.items or not lane.awaited for lane in lanes)

    def _stop_awaiting(self) -> None:
        group = next(lane.group for lane in self._lanes.values() if lane.items)
        for lane in self._lanes.values():
            if lane.group is group and not lane.items:
                lane.awaited = False

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

    def _take_from(self, lane: Lane[T]) -> Taken[T]:
        item, lost = lane.pop()
        if lane.live:
            return Taken(item, lane.group, lost, _nothing_to_do)
        lane.busy += 1
        return Taken(item, lane.group, lost, Once(lambda: self._free(lane)))

    def _free(self, lane: Lane[T]) -> None:
        with self._changed:
            lane.busy -= 1
            self._changed.notify_all()

    def _discard(self, lane: Lane[T]) -> None:
        while lane.items:
            lane.lose_oldest(CLOSED, self._carried)


def _one(group: object) -> int:  # noqa: ARG001 - the same for every group
    return 1


def _nothing_to_do() -> None:
    """A live lane's place is free as soon as its item is taken."""
