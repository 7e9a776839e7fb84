"""What a sink did not get: counted, and answered for by the next result that it gets."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from streamer.health import Health
from streamer.result import Result


class Arrears:
    """Used in the sink's thread; `lost` and `health_lost` may be read by anybody."""

    def __init__(self) -> None:
        self.lost = 0  # results that were handed over in vain, or passed by while the sink did not work
        self.health_lost = 0
        self._owed: dict[str, Mapping[str, int]] = {}
        self._results: dict[str, Result] = {}
        self._health: dict[str, Health] = {}

    def whole(self, result: Result, lost: Mapping[str, int]) -> Result:
        """The result with an account of all that its camera lost on the way, `lost` with it."""
        if not lost and not self._owed:
            return result
        owed = self._owed.pop(result.frame.camera, {})
        return replace(result, dropped=dict(Counter(result.dropped) + Counter(lost) + Counter(owed)))

    def lose(self, result: Result) -> None:
        """It will not be written."""
        self.lost += 1
        camera = result.frame.camera
        account = Counter(result.dropped) + Counter(self._owed.get(camera, {}))
        account["sink"] += 1
        self._owed[camera] = account

    def hold(self, result: Result, lost: Mapping[str, int]) -> Result | None:
        """Keep it until the sink works. Returns the one of this camera that was kept before: it is lost."""
        before = self._results.pop(result.frame.camera, None)
        if before is not None:
            self.lose(before)
        self._results[result.frame.camera] = self.whole(result, lost)
        return before

    def hold_health(self, health: Health) -> None:
        """The same for health, which is whole each time."""
        self.health_lost += health.camera in self._health
        self._health[health.camera] = health

    def __bool__(self) -> bool:
        """Whether anything is kept."""
        return bool(self._results or self._health)

    def next_held(self) -> Result | Health | None:
        """What was kept, one after the other; None when that was all.

        Health comes last: it is kept again where it cannot be written, and must not keep results waiting.
        """
        for kept in (self._results, self._health):
            if kept:
                return kept.pop(next(iter(kept)))
        return None
