"""What became of one fault at one camera: when it was noticed, as what, and when the camera was back."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from streamer.chaos.account import judged
from streamer.chaos.passing import Pass
from streamer.chaos.steps import Happened
from streamer.status import State, Status
from streamer.watermark.sent import SentTimes

# What a picture fault has to be flagged as, one of them; and how long it must last to be judged: two
# seconds to be noticed, a keyframe's and a picture's time, and a margin.
FLAGS: Mapping[str, frozenset[str]] = {
    "repeat": frozenset({"frozen"}),
    "black": frozenset({"dark", "covered"}),
    "dark": frozenset({"dark"}),
    "cover": frozenset({"covered", "dark"}),
    "defocus": frozenset({"defocused"}),
    "move": frozenset({"moved"}),
}
JUDGED_S = 4.0

_GONE = (State.SILENT, State.RETRYING, State.FAILED, State.ENDED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds; None where there was nothing of the kind."""

    camera: str
    words: str
    network: bool
    at_s: float
    for_s: float | None  # as it really was; None: to the end, or at once
    noticed_s: float | None  # from its beginning until the camera's state said so
    noticed_after_picture_s: float | None  # the same from the last picture that came before
    noticed_as: str  # the state, and the cause
    flagged_s: Mapping[str, float]  # by quality flag: until the first frame that carries it
    gap_s: float  # the longest time without a fresh frame from its beginning on
    back_s: float | None  # from its end to the first fresh frame sent after it, in hand
    must_return: bool

    @property
    def lost(self) -> bool:
        """The camera should have come back, and didn't."""
        return self.must_return and self.back_s is None

    @property
    def unflagged(self) -> bool:
        """Something is wrong with the pictures for long enough, and no frame said so."""
        wanted = frozenset() if self.network else FLAGS.get(self.words.split()[0], frozenset())
        lasted = self.for_s is None or self.for_s >= JUDGED_S
        return bool(wanted) and lasted and not wanted & self.flagged_s.keys()


def outcome(happened: Happened, one: Pass, sent: SentTimes) -> Outcome:
    """What became of a fault, up to the next one of the same camera."""
    name = f"cam{happened.camera}"
    begun_ns, ended_ns = happened.begun_ns, happened.ended_ns
    later = [
        other.begun_ns
        for other in one.happened
        if other.camera == happened.camera and other.begun_ns > begun_ns
    ]
    until_ns = min([one.ended_ns, *later])
    change = next(
        (
            change
            for change in one.changes[name]
            # A reset is known before we know that it was obeyed.
            if happened.told_ns <= change.at_ns < until_ns and change.status.state in _GONE
        ),
        None,
    )
    fresh = [(seen, item) for seen, item in judged(one, sent, happened.camera).fresh]
    times_ns = [seen.in_hand_ns for seen, _ in fresh if seen.in_hand_ns < until_ns]
    before_ns = [time_ns for time_ns in times_ns if time_ns < begun_ns][-1:] or [begun_ns]
    after_ns = [time_ns for time_ns in times_ns if time_ns >= begun_ns]
    flagged: dict[str, float] = {}
    for seen in one.seen.get(name, ()):
        if begun_ns <= seen.in_hand_ns < until_ns:
            for word in seen.quality.words:
                flagged.setdefault(word, (seen.in_hand_ns - begun_ns) / 1e9)
    back_ns = (
        None
        if ended_ns is None
        else next((seen.in_hand_ns for seen, item in fresh if item.sent_ns >= ended_ns), None)
    )
    came_ns = [
        seen.captured_ns for seen in one.seen.get(name, ()) if change and seen.captured_ns < change.at_ns
    ]
    return Outcome(
        camera=name,
        words=happened.fault.words,
        network=happened.fault.network,
        at_s=(begun_ns - one.begun_ns) / 1e9,
        for_s=None if ended_ns in (None, begun_ns) else (ended_ns - begun_ns) / 1e9,
        noticed_s=None if change is None else max(0, change.at_ns - begun_ns) / 1e9,
        noticed_after_picture_s=(change.at_ns - max(came_ns)) / 1e9 if change and came_ns else None,
        noticed_as="" if change is None else _said(change.status),
        flagged_s=flagged,
        gap_s=max(b - a for a, b in pairwise([*before_ns, *after_ns, until_ns])) / 1e9,
        back_s=None if back_ns is None or ended_ns is None else (back_ns - ended_ns) / 1e9,
        must_return=ended_ns is not None,
    )


def _said(status: Status) -> str:
    """The state, and the cause where that says more."""
    if status.cause is None or status.state is State.SILENT:
        return str(status.state)
    return f"{status.state}, {status.cause}"
