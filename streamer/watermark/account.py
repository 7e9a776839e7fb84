"""What there is to say about the frames that were seen, camera by camera."""

import itertools
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from streamer.watermark.mark import Mark, painted_time_ns
from streamer.watermark.sent import SentTimes
from streamer.watermark.sighting import Sighting


@dataclass(frozen=True, slots=True)
class Ages:
    """How long ago frames were sent, ms. A minimum clearly below 0 is a time stamp that is wrong."""

    min: float
    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Steps:
    """How numbers follow each other."""

    duplicates: int  # the newest one once more
    backwards: int  # older than the newest one
    skipped: int  # numbers that are missing between those seen


@dataclass(frozen=True, slots=True)
class Account:
    """One camera's frames, by the name under which they were seen."""

    camera: str
    frames: int
    read: int
    unreadable: int
    torn: int
    duplicates: int
    backwards: int
    skipped: int
    mixed_up: int  # frames of another watermark's camera than most
    never_sent: int  # frames that the test camera's log does not know: invented
    first: Mark | None
    last: Mark | None
    at_capture: Ages | None  # where both times are known
    at_publication: Ages | None


def account(sightings: Iterable[Sighting], sent: SentTimes | None = None) -> list[Account]:
    """An account for each camera, by name.

    True age counts from the time that is painted in, else from the latest time at which the test
    camera's log says that this picture was sent, on the same machine's monotonic clock.
    """
    rows: dict[str, _Row] = {}
    for sighting in sightings:
        row = rows.get(sighting.camera) or rows.setdefault(sighting.camera, _Row(sighting.camera, sent))
        row.add(sighting)
    return [rows[name].account() for name in sorted(rows)]


def steps(numbers: Sequence[int], period: float = math.inf) -> Steps:
    """Duplicates, steps backwards and numbers left out.

    Numbers that begin again, as a clip's do with each round, have a `period`: falling by more than half
    of it is a new round, of which nothing is skipped but what is missing at its ends. Rising by more is
    one of the round before that came late, where the next number does not follow it.
    """
    if not numbers:
        return Steps(0, 0, 0)
    newest = numbers[0]
    duplicates = backwards = skipped = 0
    for number, after in itertools.zip_longest(numbers[1:], numbers[2:]):
        step = number - newest
        if step < -period / 2:
            step += int(period)
        elif step > period / 2 and after is not None and abs(after - newest) < abs(after - number):
            step -= int(period)
        if step > 0:
            skipped += step - 1
            newest = number
        elif step == 0:
            duplicates += 1
        else:
            backwards += 1
    return Steps(duplicates, backwards, skipped)


class _Row:
    """One camera's account in the making; grows by a few bytes a frame."""

    def __init__(self, camera: str, sent: SentTimes | None) -> None:
        self._camera = camera
        self._sent = sent
        self._frames = self._torn = self._unreadable = self._never_sent = 0
        self._seen: Counter[int] = Counter()  # by watermark's camera
        self._counted: dict[int, array[int]] = defaultdict(lambda: array("q"))  # on and on, by the log
        self._pictures: dict[int, array[int]] = defaultdict(lambda: array("q"))  # by the watermark alone
        self._at_capture, self._at_publication = array("q"), array("q")
        self._first: Mark | None = None
        self._last: Mark | None = None

    def add(self, sighting: Sighting) -> None:
        """One more frame."""
        self._frames += 1
        self._torn += sighting.reading.torn
        mark = sighting.reading.mark
        if mark is None:
            self._unreadable += not sighting.reading.torn
            return
        self._seen[mark.camera] += 1
        self._first, self._last = self._first or mark, mark
        sent_ns = self._note_number(mark, sighting.captured_ns)
        if sent_ns is not None and sighting.captured_ns is not None and sighting.published_ns is not None:
            self._at_capture.append(sighting.captured_ns - sent_ns)
            self._at_publication.append(sighting.published_ns - sent_ns)

    def account(self) -> Account:
        """What there is to say."""
        parts = [steps(numbers) for numbers in self._counted.values()]
        for camera, numbers in self._pictures.items():
            known = None if self._sent is None else self._sent.pictures(camera)
            parts.append(steps(numbers, max(numbers) + 1 if known is None else known))
        read = self._seen.total()
        return Account(
            camera=self._camera,
            frames=self._frames,
            read=read,
            unreadable=self._unreadable,
            torn=self._torn,
            duplicates=sum(part.duplicates for part in parts),
            backwards=sum(part.backwards for part in parts),
            skipped=sum(part.skipped for part in parts),
            mixed_up=read - max(self._seen.values(), default=0),
            never_sent=self._never_sent,
            first=self._first,
            last=self._last,
            at_capture=_ages(self._at_capture),
            at_publication=_ages(self._at_publication),
        )

    def _note_number(self, mark: Mark, captured_ns: int | None) -> int | None:
        """Note which one it is; returns when it was sent, where that can be known."""
        if mark.time_ns is not None or self._sent is None:
            self._pictures[mark.camera].append(mark.frame)
            if mark.time_ns is None or captured_ns is None:
                return None
            return painted_time_ns(mark.time_ns, captured_ns)
        if captured_ns is None and self._sent.knows(mark):
            self._pictures[mark.camera].append(mark.frame)
            return None
        sent = None if captured_ns is None else self._sent.latest(mark, captured_ns)
        if sent is None:
            self._never_sent += 1
            return None
        self._counted[mark.camera].append(sent.frame)
        return sent.sent_ns


def _ages(ages_ns: "array[int]") -> Ages | None:
    if not ages_ns:
        return None
    low, median, high, top = (round(float(age) / 1e6, 3) for age in np.percentile(ages_ns, (0, 50, 99, 100)))
    return Ages(low, median, high, top)
