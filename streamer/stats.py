"""What a pipeline tells of itself while it runs and at its end."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamer.errors import Cause
from streamer.frame import Quality
from streamer.status import Status


@dataclass(frozen=True, slots=True)
class CameraStats:
    """One camera's account: `captured = processed + dropped + in_flight`, always."""

    name: str
    status: Status
    epoch: int  # -1 before the first try to connect
    captured: int
    processed: int
    dropped: Mapping[str, int]
    age_p50_ms: float | None  # of the frame at the start of inference, its lag included, over the last 1024
    age_p99_ms: float | None
    objects: Mapping[str, int]  # in the latest result, by label
    live: bool  # its old frames are dropped; False: every frame counts
    failed: bool  # a recording that could not be read to its end
    reconnects: Mapping[Cause, int] = field(default_factory=dict)  # connections that were lost or given up
    quality: Quality = Quality.FINE  # what is wrong with its pictures now
    given_up: int = 0  # threads that hung in native code and were left behind
    away_s: float = 0.0  # how long it was not live, since it first was

    @property
    def in_flight(self) -> int:
        """Frames captured and neither processed nor dropped yet."""
        return self.captured - self.processed - sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class SinkStats:
    """One sink's account; `why` says why it does not work now, or what it died of."""

    name: str
    written: int  # results
    dropped: Mapping[str, int]
    why: str
    failures: int = 0  # times that it stopped working
    stuck_s: float = 0.0  # how long it has been at one single thing


@dataclass(frozen=True, slots=True)
class Stats:
    """A whole pipeline's."""

    cameras: Sequence[CameraStats]
    sinks: Sequence[SinkStats]
    ready: bool  # the detectors are open and warm


def percentile_ms(values_ns: Sequence[int], share: float) -> float | None:
    """The nearest-rank percentile, in ms; None where there is nothing."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] / 1e6


def added(*accounts: Mapping[str, int]) -> Mapping[str, int]:
    """Accounts by reason, added up."""
    total: Counter[str] = Counter()
    for account in accounts:
        total.update(account)
    return dict(total)
