"""What waits for one sink: a ring with lanes for each camera, one for each kind of item."""

from collections import Counter

from streamer.clock import Clock
from streamer.delivery import Delivery, Item, carried
from streamer.frame import Frame
from streamer.health import Health
from streamer.result import Result
from streamer.ring import Ring, Writer

HEALTHS = 8  # of one camera that may wait: changes come in ones and twos


class Inbox:
    """Lanes are opened before anything runs; then each kind of item is put in by threads of its own.

    Live cameras lose their oldest results where the sink is slow. Of frames only the newest waits: they
    are for those who show what is now, and no part of the account of results.
    """

    def __init__(self, takes: tuple[type, ...], clock: Clock) -> None:
        self.wants_results, self.wants_health, self.wants_frames = (
            kind in takes for kind in (Result, Health, Frame)
        )
        self.ring: Ring[Item] = Ring(clock, reason="sink", carried=carried)
        self._results: dict[str, Writer[Item]] = {}
        self._health: dict[str, Writer[Item]] = {}
        self._frames: dict[str, Writer[Item]] = {}

    def open_lane(self, camera: str, *, depth: int) -> None:
        """Make room for what a camera brings. A recording shows no frames: its lane only says the end."""
        if self.wants_results:
            self._results[camera] = self.ring.writer(depth=depth, live=True)
        if self.wants_health:
            self._health[camera] = self.ring.writer(depth=HEALTHS, live=True)
        if self.wants_frames:
            self._frames[camera] = self.ring.writer(depth=1, live=True)

    def put(self, delivery: Delivery) -> None:
        """Hand a result over; never waits. Analysis thread only."""
        if not self._results[delivery.result.frame.camera].put(delivery):
            delivery.done()

    def tell(self, health: Health) -> None:
        """Hand a camera's health over, where it is wanted; never waits. Any thread."""
        if self.wants_health:
            self._health[health.camera].put(health)

    def show(self, frame: Frame) -> None:
        """Hand a live camera's frame over, looked at or not; never waits. The camera's threads."""
        self._frames[frame.camera].put(frame)

    def close(self) -> None:
        """No more results; those that are there are still taken."""
        for lane in self._results.values():
            lane.close()

    def hush(self, camera: str) -> None:
        """No more health and frames of this camera."""
        for lanes in (self._health, self._frames):
            if camera in lanes:
                lanes[camera].close()

    def discard(self) -> None:
        """Nothing will be taken any more."""
        for item in self.ring.leave():
            if isinstance(item, Delivery):
                item.done()

    @property
    def dropped(self) -> Counter[str]:
        """Results that were not taken, by reason."""
        total: Counter[str] = Counter()
        for lane in self._results.values():
            total.update(lane.dropped)
        return total

    @property
    def health_dropped(self) -> int:
        """Healths that were not taken: newer ones came first."""
        return sum(sum(lane.dropped.values()) for lane in self._health.values())
