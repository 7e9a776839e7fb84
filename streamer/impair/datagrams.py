"""The way of datagrams in one direction: some vanish, some come late, twice, or after others."""

import heapq
import itertools
from dataclasses import dataclass
from typing import Generic, TypeVar

from streamer.impair.bucket import Bucket
from streamer.impair.impairment import Impairment
from streamer.impair.luck import Luck

QUEUE_BYTES = 256 * 1024  # before the bottleneck; what finds it full is lost, as at a router
MOST_HELD_BYTES = 8 * 1024 * 1024
OVERHEAD_BYTES = 256  # of keeping a packet, be it empty
MOST_OVERTAKEN = 16  # at a time; the next one keeps its place
PATIENCE_S = 0.1  # a packet that others were to overtake comes then even if there were none

To = TypeVar("To")


@dataclass(slots=True, eq=False)
class _Packet(Generic[To]):
    data: bytes
    to: To
    passed_s: float  # when its end is past the bottleneck


class DatagramLine(Generic[To]):
    """Packets on their way, each with where it is to go.

    Time is the caller's, in s, and never goes back. Lives in one thread.
    """

    def __init__(self, impairment: Impairment, bucket: Bucket, seed: str) -> None:
        self._seed = seed
        self._number = itertools.count()
        self._held: list[tuple[float, int, _Packet[To]]] = []  # a heap: when due, in which order
        self._overtaken: list[tuple[int, float, _Packet[To]]] = []  # by how many more, until when at most
        self._held_bytes = 0
        self._last_s = -1e18
        self._begin(impairment, bucket)

    def be(self, impairment: Impairment, bucket: Bucket, now_s: float) -> None:
        """Go on like this. What is on its way comes no later than it might if it were sent now.

        What waits before the bottleneck goes on waiting, and for another bucket queues anew.
        """
        if bucket is not self._bucket:
            packets = {packet for _, _, packet in [*self._held, *self._overtaken]}
            for packet in sorted(packets, key=lambda packet: packet.passed_s):
                if packet.passed_s > now_s:
                    packet.passed_s = min(packet.passed_s, bucket.take(now_s, len(packet.data)))

        def latest_s(packet: _Packet[To]) -> float:
            return max(packet.passed_s, now_s) + impairment.longest_delay_s

        patience_s = PATIENCE_S if impairment.reorder else 0.0
        self._overtaken = [
            (left, min(until_s, latest_s(packet) + patience_s), packet)
            for left, until_s, packet in self._overtaken
        ]
        self._held = [(min(due_s, latest_s(packet)), n, packet) for due_s, n, packet in self._held]
        heapq.heapify(self._held)
        self._last_s = max((due_s for due_s, _, _ in self._held), default=self._last_s)
        self._begin(impairment, bucket)

    def offer(self, packet: bytes, to: To, now_s: float) -> None:
        """Send a packet; perhaps it arrives."""
        fate = self._luck.next()
        size_bytes = len(packet) + OVERHEAD_BYTES
        full = self._held_bytes + 2 * size_bytes > MOST_HELD_BYTES
        if fate.lost or full or self._bucket.queued_bytes(now_s) > QUEUE_BYTES:
            return
        passed_s = self._bucket.take(now_s, len(packet))
        due_s = max(self._last_s, passed_s + fate.delay_s)
        held = _Packet(fate.done_to(packet), to, passed_s)
        overtaken = fate.overtaken_by and len(self._overtaken) < MOST_OVERTAKEN
        for _ in range(1 + fate.twice):
            self._held_bytes += size_bytes
            if overtaken:
                self._overtaken.append((fate.overtaken_by, due_s + PATIENCE_S, held))
            else:
                self._hold(due_s, held)
        if not overtaken:
            self._last_s = due_s
            self._let_go_overtaken(due_s)

    def take(self, now_s: float) -> list[tuple[bytes, To]]:
        """What has arrived by now, in order."""
        for waiting in [one for one in self._overtaken if one[1] <= now_s]:
            self._overtaken.remove(waiting)
            self._hold(*waiting[1:])
        arrived = []
        while self._held and self._held[0][0] <= now_s:
            packet = heapq.heappop(self._held)[2]
            self._held_bytes -= len(packet.data) + OVERHEAD_BYTES
            arrived.append((packet.data, packet.to))
        return arrived

    @property
    def next_s(self) -> float | None:
        """When more arrives if nothing else is sent, or None where nothing is on its way."""
        times = [self._held[0][0]] if self._held else []
        return min(times + [until_s for _, until_s, _ in self._overtaken], default=None)

    def _begin(self, impairment: Impairment, bucket: Bucket) -> None:
        self._luck = Luck(impairment, self._seed)
        self._bucket = bucket

    def _hold(self, due_s: float, packet: _Packet[To]) -> None:
        heapq.heappush(self._held, (due_s, next(self._number), packet))

    def _let_go_overtaken(self, due_s: float) -> None:
        """One packet more has overtaken those that wait for it; who had enough follows it."""
        waiting, self._overtaken = self._overtaken, []
        for left, until_s, packet in waiting:
            if left > 1:
                self._overtaken.append((left - 1, until_s, packet))
            else:
                self._hold(due_s, packet)
