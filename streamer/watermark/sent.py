"""When a test camera sent which picture: its log, joined with what was seen."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.errors import ConfigError
from streamer.watermark.mark import Mark

# Nobody can see a picture before it was sent. What was seen so little earlier by its time stamp is taken
# for it all the same, and shows as an age below 0: the time stamp is wrong.
EARLIEST_NS = 500_000_000

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]


class _Line(msgspec.Struct, frozen=True):
    camera: _Count
    frame: _Count
    picture: _Count
    sent_mono_ns: _Count
    of_clip: bool = True  # False: made for a fault, with numbers beyond the clip's


@dataclass(frozen=True, slots=True)
class Sent:
    """One time at which a picture was sent."""

    frame: int  # counts on over the clip's rounds
    picture: int  # its number in the clip, which is the watermark's
    sent_ns: int  # monotonic, just before anybody had the last of it


class SentTimes:
    """All that a test camera sent. Values never change."""

    def __init__(
        self,
        times: Mapping[tuple[int, int], tuple[NDArray[np.int64], NDArray[np.int64]]],
        beyond: Set[tuple[int, int]] = frozenset(),
    ) -> None:
        self._times = times  # of camera and picture
        self._beyond = beyond  # those that are none of the clip's own
        self.cameras = frozenset(camera for camera, _ in times)

    def latest(self, mark: Mark, seen_ns: int) -> Sent | None:
        """The latest time at which this picture was sent before it was seen; None where it never was.

        `seen_ns` is on the same machine's monotonic clock. A picture that is still to be sent, but
        within EARLIEST_NS, is taken for that one: its age is below 0. Not so where it was sent a moment
        before too, as a frozen camera does.
        """
        frames, sent_ns = self._times.get((mark.camera, mark.frame), (None, None))
        if frames is None or sent_ns is None:
            return None
        at = int(np.searchsorted(sent_ns, seen_ns, side="right")) - 1
        if at < 0 or seen_ns - int(sent_ns[at]) > EARLIEST_NS:
            at = int(np.searchsorted(sent_ns, seen_ns + EARLIEST_NS, side="right")) - 1
        return Sent(int(frames[at]), mark.frame, int(sent_ns[at])) if at >= 0 else None

    def knows(self, mark: Mark) -> bool:
        """Whether this picture was sent at any time."""
        return (mark.camera, mark.frame) in self._times

    def true_age_ns(self, mark: Mark, seen_ns: int) -> int | None:
        """How long ago a picture that was seen at `seen_ns` was sent; None where it never was."""
        sent = self.latest(mark, seen_ns)
        return None if sent is None else seen_ns - sent.sent_ns

    def between(self, camera: int, start_ns: int, end_ns: int) -> list[Sent]:
        """All that a camera sent within this time, in order."""
        found = []
        for (other, picture), (frames, sent_ns) in self._times.items():
            if other == camera:
                low, high = np.searchsorted(sent_ns, (start_ns, end_ns))
                found += [Sent(int(frames[at]), picture, int(sent_ns[at])) for at in range(low, high)]
        return sorted(found, key=lambda sent: sent.sent_ns)

    def pictures(self, camera: int) -> int | None:
        """How many pictures its clip has, as far as they were sent; None for an unknown camera."""
        numbers = [key[1] for key in self._times if key[0] == camera and key not in self._beyond]
        return max(numbers) + 1 if numbers else None


def sent_times(log: str | PathLike[str]) -> SentTimes:
    """Read what `freshframe fakecam --log` wrote.

    A last line without its end is what a killed camera left: it is passed over. Raises ConfigError for
    a file that cannot be read and a line that is none of such a log.
    """
    found: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    beyond: set[tuple[int, int]] = set()
    decoder = msgspec.json.Decoder(_Line)
    try:
        with Path(log).open("rb") as file:
            for number, text in enumerate(file, 1):
                if not text.endswith(b"\n"):
                    break
                try:
                    line = decoder.decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    raise ConfigError(
                        f"{log}, line {number}: not of a log that `freshframe fakecam --log` wrote: {error}"
                    ) from error
                found[line.camera, line.picture].append((line.sent_mono_ns, line.frame))
                if not line.of_clip:
                    beyond.add((line.camera, line.picture))
    except OSError as error:
        raise ConfigError(f"{log} cannot be read: {(error.strerror or str(error)).lower()}") from error
    times = {}
    for key, entries in found.items():
        entries.sort()
        sent_ns, frames = np.array(entries, np.int64).T
        times[key] = frames, sent_ns
    return SentTimes(times, beyond)
