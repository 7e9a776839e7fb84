"""Who watches a camera: how its packets reach all of them, and none waits for another."""

import asyncio
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

from streamer.fakecam.delivery import Delivery

BURST_PACKETS = 16  # datagrams sent at once; a receiver's usual buffer holds about 90
BURST_GAP_S = 0.001


class Audience:
    """One camera's clients. Lives in one event loop.

    Who joins gets the next keyframe first: never an old picture, never a burst of them. A client
    that takes less than is sent loses everything up to a keyframe that finds its way clear.
    """

    def __init__(self) -> None:
        self.clients: set[Delivery] = set()
        self._synced: set[Delivery] = set()

    def join(self, client: Delivery) -> None:
        self.clients.add(client)

    def leave(self, client: Delivery) -> None:
        self.clients.discard(client)
        self._synced.discard(client)

    def lose_track(self) -> None:
        """A picture was withheld: all need a keyframe now."""
        self._synced.clear()

    def report(self, packet: bytes) -> None:
        """Send a report to all who get pictures."""
        for client in self._synced:
            client.rtcp(packet)

    def takers(self, keyframe: bool, backlog_limit_bytes: int, report: Callable[[], bytes]) -> list[Delivery]:
        """Who gets the next picture; who begins with it has got a report first."""
        taking = []
        for client in self.clients:
            backlog_bytes = client.backlog_bytes()
            if client in self._synced:
                if backlog_bytes <= backlog_limit_bytes:
                    taking.append(client)
                else:
                    self._synced.discard(client)
            elif keyframe and not backlog_bytes:
                self._synced.add(client)
                client.rtcp(report())
                taking.append(client)
        return taking

    async def send(self, clients: Sequence[Delivery], packets: Sequence[bytes], interval: Fraction) -> int:
        """Send one picture's packets; datagrams within half of the interval between pictures.

        Returns when the first client was about to be handed the last of it, in monotonic ns: nobody can
        have seen the picture earlier.
        """
        complete_ns = time.monotonic_ns()
        paced = [client for client in clients if client.paced]
        for client in clients:
            if not client.paced:
                client.rtp(packets)
        if not paced:
            return complete_ns
        bursts = max(1, int(interval / 2 / BURST_GAP_S))
        step = max(BURST_PACKETS, -(-len(packets) // bursts))
        for start in range(0, len(packets), step):
            if start:
                await asyncio.sleep(BURST_GAP_S)
                if len(paced) == len(clients):
                    complete_ns = time.monotonic_ns()
            for client in paced:
                if client in self._synced:  # it may have left meanwhile
                    client.rtp(packets[start : start + step])
        return complete_ns
