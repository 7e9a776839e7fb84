"""What passes were like for one camera: rates, ages, losses, and what was passed off as something else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamer.chaos.passing import Pass
from streamer.chaos.steps import Happened
from streamer.chaos.witness import Seen
from streamer.frame import Quality
from streamer.stats import percentile_ms
from streamer.status import State
from streamer.watermark.sent import Sent, SentTimes

GRACE_NS = 500_000_000  # what is sent so shortly before the end may still be on its way
STALE_NS = 1_000_000_000
LIES = ("stale", "torn", "twice", "backwards", "swapped", "invented", "unreadable")

# Faults in which the camera itself shows pictures that cannot be read, or shows one again: they are
# true. What the network damages is not excused.
_UNREADABLE = frozenset({"black", "dark", "cover", "defocus", "move", "size", "codec"})
_REPEATED = frozenset({"repeat"})
_TOLD = Quality.DAMAGED | Quality.FROZEN


@dataclass(frozen=True, slots=True)
class CameraAccount:
    """One camera, over one or more passes. Ages are from sent to in hand."""

    name: str
    seconds: float
    sent: int
    looked_at: int  # of those sent
    captured: int
    results: int
    age_p50_ms: float | None
    age_p99_ms: float | None
    start_age_p99_ms: float | None  # captured until the start of inference
    lies: Mapping[str, int]
    flags: Mapping[str, int]  # frames with each of them
    lost: Mapping[str, int]
    reconnects: Mapping[str, int]
    state: State  # at the end

    @property
    def share(self) -> float | None:
        """Of what was sent, what was looked at; None where nothing was sent."""
        return self.looked_at / self.sent if self.sent else None

    @property
    def captured_fps(self) -> float:
        return self.captured / self.seconds

    @property
    def looked_fps(self) -> float:
        return self.results / self.seconds


@dataclass(slots=True)
class Told:
    """What one camera's results say, held against what it sent."""

    lies: Counter[str] = field(default_factory=Counter)
    fresh: list[tuple[Seen, Sent]] = field(default_factory=list)  # each with when it was sent


def account(passes: Sequence[Pass], sent: SentTimes, camera: int) -> CameraAccount:
    """Everything about one camera over these passes."""
    name = f"cam{camera}"
    seconds, sent_count, looked_at, captured = 0.0, 0, 0, 0
    ages_ns: list[int] = []
    starts_ns: list[int] = []
    lies: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    reconnects: Counter[str] = Counter()
    for one in passes:
        told = judged(one, sent, camera)
        due = {item.frame for item in sent.between(camera, one.begun_ns, one.ended_ns - GRACE_NS)}
        looked_at += len(due & {item.frame for _, item in told.fresh})
        sent_count += len(due)
        seconds += one.seconds
        within = [(seen, item) for seen, item in told.fresh if one.begun_ns <= seen.in_hand_ns < one.ended_ns]
        ages_ns += [seen.in_hand_ns - item.sent_ns for seen, item in within]
        results = [seen for seen in one.seen.get(name, ()) if one.begun_ns <= seen.in_hand_ns < one.ended_ns]
        starts_ns += [seen.age_ns for seen in results]
        flags.update(word for seen in results for word in seen.quality.words)
        lies.update(told.lies)
        before, after = one.before[name], one.after[name]
        captured += after.captured - before.captured
        lost.update({why: n - before.dropped.get(why, 0) for why, n in after.dropped.items()})
        reconnects.update(
            {cause.value: n - before.reconnects.get(cause, 0) for cause, n in after.reconnects.items()}
        )
    return CameraAccount(
        name=name,
        seconds=seconds,
        sent=sent_count,
        looked_at=looked_at,
        captured=captured,
        results=len(starts_ns),
        age_p50_ms=percentile_ms(ages_ns, 0.5),
        age_p99_ms=percentile_ms(ages_ns, 0.99),
        start_age_p99_ms=percentile_ms(starts_ns, 0.99),
        lies=dict(+lies),
        flags=dict(flags),
        lost=dict(+lost),
        reconnects=dict(+reconnects),
        state=passes[-1].after[name].status.state,
    )


def judged(one: Pass, sent: SentTimes, camera: int) -> Told:
    """Each result held against what was sent: true or a lie.

    A frame that says itself that it is damaged, frozen or late is none.
    """
    told = Told()
    newest = -1
    mine = [fault for fault in one.happened if fault.camera == camera]
    for seen in one.seen.get(f"cam{camera}", ()):
        mark = seen.reading.mark
        if seen.reading.torn:
            told.lies["torn"] += not seen.quality & _TOLD
            continue
        if mark is None:
            told.lies["unreadable"] += not (seen.quality & _TOLD or _excused(seen, mine, _UNREADABLE))
            continue
        if mark.camera != camera:
            told.lies["swapped"] += 1
            continue
        when = sent.latest(mark, seen.captured_ns)
        if when is None:
            told.lies["invented"] += 1
            continue
        honest = bool(seen.quality & _TOLD) or _excused(seen, mine, _REPEATED)
        if when.frame <= newest:
            told.lies["twice" if when.frame == newest else "backwards"] += not honest
            continue
        newest = when.frame
        late_ns = seen.captured_ns - seen.lag_ns - when.sent_ns
        if late_ns > STALE_NS:
            told.lies["stale"] += not (honest or Quality.LATE in seen.quality)
        elif not seen.quality & _TOLD:
            told.fresh.append((seen, when))
    return told


def _excused(seen: Seen, faults: Sequence[Happened], words: frozenset[str]) -> bool:
    """Whether the camera itself did this when the frame came, or just before."""
    return any(
        fault.begun_ns - GRACE_NS <= seen.captured_ns
        and (fault.ended_ns is None or seen.captured_ns <= fault.ended_ns + GRACE_NS)
        for fault in faults
        if not fault.fault.network and fault.fault.word in words
    )
