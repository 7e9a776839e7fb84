"""Which picture is next: a clip round and round, and another one from a keyframe on."""

from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from streamer.fakecam.clip import AccessUnit, Clip
from streamer.fakecam.faults import View


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Take:
    """A clip and what its pictures are called."""

    clip: Clip
    view: View
    first_number: int = 0  # its pictures have numbers from here on, which no other take has
    one_picture: bool = False  # all of its pictures are the same, and have the same number
    backlog_limit_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "backlog_limit_bytes", self.clip.half_second_bytes)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture that is due."""

    unit: AccessUnit
    number: int  # of the picture
    gap_ticks: int  # since the one before


class Reel:
    """Plays one take; another one begins where the running one has a keyframe.

    A take that comes back goes on where it stopped: so each of its numbers comes again only after a
    whole round, and tells the picture for as long.
    """

    def __init__(self, take: Take) -> None:
        self.take = take  # what plays
        self._next_take = take
        self._at = 0  # index of the next unit
        self._stopped: WeakKeyDictionary[Take, int] = WeakKeyDictionary()  # where
        self._gap_ticks = 0

    def change(self, take: Take) -> None:
        """Play this from the next keyframe on."""
        self._next_take = take

    def next(self) -> Shot:
        """The next picture."""
        units = self.take.clip.units
        if self._next_take is not self.take and units[self._at].keyframe:
            self._stopped[self.take] = self._at
            self.take = self._next_take
            units = self.take.clip.units
            self._at = self._stopped.get(self.take, 0)
        at = self._at
        gap_ticks, self._gap_ticks = self._gap_ticks, self._after(at)
        self._at = (at + 1) % len(units)
        take = self.take
        return Shot(units[at], take.first_number + (0 if take.one_picture else at), gap_ticks)

    def ticks_to_keyframe(self) -> int:
        """From the picture that was given last to the next keyframe."""
        ticks, at = self._gap_ticks, self._at
        units = self.take.clip.units
        while not units[at].keyframe:
            ticks += self._after(at)
            at = (at + 1) % len(units)
        return ticks

    def _after(self, at: int) -> int:
        clip = self.take.clip
        following = clip.units[at + 1].ticks if at + 1 < len(clip.units) else clip.ticks
        return following - clip.units[at].ticks
