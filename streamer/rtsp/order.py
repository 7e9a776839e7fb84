"""Sequence numbers: packets in order, and how many are missing (RFC 3550, appendix A.1)."""

from typing import Generic, TypeVar

P = TypeVar("P")

# RFC 3550, appendix A.1: what lies further off is a sender that begins anew, if the next one agrees.
MOST_MISSING = 3000
MOST_LATE = 100
# A missing datagram that has not come by then is lost. Networks rarely reorder by more than a few ms.
WAIT_NS = 30_000_000
MOST_HELD = 256


class Order(Generic[P]):
    """Hands packets on in order, each with how many are missing before it. Used in one thread.

    `wait_ns` is how long a missing one is waited for; 0 where nothing can overtake (TCP). Late ones and
    duplicates are dropped. `received`, `expected` and `highest` are for receiver reports.
    """

    def __init__(self, wait_ns: int) -> None:
        self.received = 0
        self.highest = 0  # the highest number, with the wraps above it
        self._wait_ns = wait_ns
        self._next: int | None = None
        self._first = 0
        self._held: dict[int, tuple[P, int]] = {}
        self._restart: tuple[int, P] | None = None  # a packet far off, and the number that must follow
        self._missing = 0  # before the next packet, of those that were given up

    @property
    def next(self) -> int | None:
        """The number that is handed on at once; what has another one may be held."""
        return self._next

    @property
    def expected(self) -> int:
        return 0 if self._next is None else self.highest - self._first + 1

    @property
    def due_ns(self) -> int | None:
        """When the oldest of what is held is to be handed on; None where nothing is."""
        if not self._held:
            return None
        return next(iter(self._held.values()))[1] + self._wait_ns

    def add(self, number: int, packet: P, now_ns: int) -> list[tuple[int, P]]:
        """What can be handed on now: how many are lost before it, and the packet."""
        self.received += 1
        if self._next is None:
            self._first = self.highest = number
        elif number != self._next:
            return self._out_of_order(number, packet, now_ns)
        self._restart = None
        missing, self._missing = self._missing, 0
        self._advance(number)
        if not self._held:
            return [(missing, packet)]
        return [(missing, packet), *self._follow()]

    def overdue(self, now_ns: int) -> list[tuple[int, P]]:
        """The same, when time has passed: what was waited for is lost."""
        found: list[tuple[int, P]] = []
        while self._held and (self.due_ns or 0) <= now_ns:
            found += self._skip_to_held()
        return found

    def _out_of_order(self, number: int, packet: P, now_ns: int) -> list[tuple[int, P]]:
        assert self._next is not None
        ahead = number - self._next & 0xFFFF
        if ahead < MOST_MISSING:
            self._restart = None
            if not self._wait_ns:
                self._missing += ahead
                self._next = number
                self.received -= 1
                return self.add(number, packet, now_ns)
            self._held.setdefault(number, (packet, now_ns))
            return self._skip_to_held() if len(self._held) > MOST_HELD else []
        if 0x10000 - ahead <= MOST_LATE:
            return []
        if self._restart is None or self._restart[0] != number:
            self._restart = number + 1 & 0xFFFF, packet
            return []
        before, self._restart = self._restart[1], None
        self._held.clear()
        self._missing = 0
        self._first = self.highest = number
        self._next = number + 1 & 0xFFFF
        return [(1, before), (0, packet)]  # how many are missing nobody knows

    def _advance(self, number: int) -> None:
        self.highest += number - self.highest & 0xFFFF
        self._next = number + 1 & 0xFFFF

    def _skip_to_held(self) -> list[tuple[int, P]]:
        assert self._next is not None
        start = self._next
        nearest = min(self._held, key=lambda number: number - start & 0xFFFF)
        self._missing += nearest - start & 0xFFFF
        self._next = nearest
        return self._follow()

    def _follow(self) -> list[tuple[int, P]]:
        found = []
        while self._next is not None and (held := self._held.pop(self._next, None)):
            missing, self._missing = self._missing, 0
            found.append((missing, held[0]))
            self._advance(self._next)
        return found
