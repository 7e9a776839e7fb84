"""What one camera wants of what a detector sees in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from streamer.frame import Frame, View
from streamer.looking.region import Region


@dataclass(frozen=True, slots=True)
class Looking:
    """Which classes, from which score on, and where in the picture.

    `conf` is the score that a thing has to be above, `conf_of` that for some classes, where it differs;
    None is no limit. Of what is outside of `region` nothing is reported; `look_at` is `picture` where the
    detector sees all of it nonetheless, `region` where it sees the rectangle round the region only.
    """

    classes: Sequence[str] | None = None  # None: all
    conf: float | None = None
    conf_of: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    region: Region | None = None
    look_at: Literal["picture", "region"] = "picture"

    @property
    def named(self) -> tuple[str, ...]:
        """The classes that it speaks of, which the detector has to know."""
        return tuple(dict.fromkeys((*(self.classes or ()), *self.conf_of)))

    def view(self, frame: Frame) -> View:
        """What the detector is to look at."""
        if self.region is None or self.look_at == "picture":
            return View(frame)
        rectangle = self.region.rectangle(frame.size)
        return View(frame, None if rectangle == (0, 0, *frame.size) else rectangle)


EVERYTHING = Looking()
