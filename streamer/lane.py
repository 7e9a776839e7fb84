"""One writer's places in a ring, and the account of what was dropped there."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

CLOSED = "closed"  # the reason of items that nobody took before the ring was left


@dataclass(frozen=True, slots=True, eq=False)
class Taken(Generic[T]):
    """An item with the account of what was dropped in its lane since the one taken before it."""

    item: T
    group: object  # the lane's
    lost: Mapping[str, int]
    done: Callable[[], None]  # say once, when nobody downstream holds the item any more; idempotent


class Lane(Generic[T]):
    """Touched only under its ring's lock.

    An item answers for everything that was dropped between the one taken before it and itself, and
    for nothing that was dropped after it. So each carries its own account while it waits.
    """

    __slots__ = ("awaited", "busy", "closed", "depth", "dropped", "group", "items", "live", "lost", "since")

    def __init__(self, depth: int, live: bool, group: object) -> None:
        self.depth = depth
        self.live = live
        self.group = group
        self.items: deque[tuple[T, Counter[str]]] = deque()  # each with what was dropped on the way to it
        self.busy = 0  # taken, not yet done (waiting lanes only)
        self.closed = False
        self.awaited = False  # something has come since a window was last waited out in vain
        self.lost: Counter[str] = Counter()  # between the last one taken and the oldest that is there
        self.since: Counter[str] = Counter()  # since the newest that is there
        self.dropped: Counter[str] = Counter()  # ever

    @property
    def full(self) -> bool:
        """No place is free."""
        return len(self.items) + self.busy >= self.depth

    def append(self, item: T) -> None:
        """One more item."""
        self.items.append((item, self.since))
        self.since = Counter()
        self.awaited = True

    def drop(self, reason: str, count: int) -> None:
        """Items that never came as far as here."""
        self.since[reason] += count
        self.dropped[reason] += count

    def lose_oldest(self, reason: str, carried: Callable[[T], Mapping[str, int]] | None) -> None:
        """Drop the oldest item; the next one answers for it, and for the account that it `carried`."""
        item, since = self.items.popleft()
        self.lost.update(since)
        self.lost[reason] += 1
        self.dropped[reason] += 1
        if carried is not None:
            self.lost.update(carried(item))

    def pop(self) -> tuple[T, Mapping[str, int]]:
        """The oldest item, and what it answers for."""
        item, lost = self.items.popleft()
        lost.update(self.lost)
        self.lost.clear()
        return item, dict(lost)


class Once:
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
