"""One camera's calls made into health."""

import threading

from streamer.camera import Camera
from streamer.clock import Clock
from streamer.frame import Quality
from streamer.health import Health
from streamer.status import State, Status


class Checkup:
    """Compares a camera with what it was at the call before. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._status: Status | None = None
        self._quality = Quality.FINE
        self._away_ns = 0
        self._left_ns: int | None = None  # since when it is not live, where it was before

    def of(self, camera: Camera) -> tuple[Health, bool]:
        """Its health now, and whether its status is another than it was."""
        with self._lock:
            status, quality = camera.status, camera.quality
            health = Health(
                camera=camera.name,
                at_ns=self._clock.now_ns(),
                status=status,
                epoch=camera.epoch,
                quality=quality,
                began=quality & ~self._quality,
                ended=self._quality & ~quality,
                reconnects=dict(camera.reconnects),
                given_up=camera.given_up,
            )
            news = status != self._status
            self._count(status)
            self._status, self._quality = status, quality
            return health, news

    def away_s(self) -> float:
        """How long it has not been live since it first was, in seconds."""
        with self._lock:
            now_ns = 0 if self._left_ns is None else self._clock.now_ns() - self._left_ns
            return (self._away_ns + now_ns) / 1e9

    def _count(self, status: Status) -> None:
        if self._status is not None and self._status.state is State.LIVE and status.state is not State.LIVE:
            self._left_ns = status.since_ns
        if self._left_ns is not None and status.state in (State.LIVE, State.ENDED):
            self._away_ns += max(0, status.since_ns - self._left_ns)
            self._left_ns = None
