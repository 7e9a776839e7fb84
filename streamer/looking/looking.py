"""What one camera wants of what a detector sees in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from streamer.errors import ConfigError
from streamer.frame import Frame, View
from streamer.looking.region import Region


@dataclass(frozen=True, slots=True)
class Looking:
    """Which classes, from which score on, and where in the picture.

    `conf` is the score that a thing has to be above, `conf_of` that for some classes, where it differs;
    None is no limit. Of what is outside of `region` nothing is reported; `look_at` is `picture` where the
    detector sees all of it nonetheless, `region` where it sees the rectangle round the region only.
    Raises ConfigError for what would let nothing through, or everything, without a word.
    """

    classes: Sequence[str] | None = None  # None: all
    conf: float | None = None
    conf_of: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    region: Region | None = None
    look_at: Literal["picture", "region"] = "picture"

    def __post_init__(self) -> None:
        if isinstance(self.classes, str):
            raise ConfigError(f"classes must be a list of labels, not {self.classes!r}")
        if self.classes is not None and not self.classes:
            raise ConfigError("classes must name at least one label; leave it out for all")
        for name, score in self.conf_of.items():
            _check_score(f"conf of {name!r}", score)
        if self.conf is not None:
            _check_score("conf", self.conf)
        if self.look_at not in ("picture", "region"):
            raise ConfigError(f"look_at must be picture or region, not {self.look_at!r}")
        if self.look_at == "region" and self.region is None:
            raise ConfigError("look_at='region' needs a region")

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


def _check_score(what: str, score: float) -> None:
    if not 0 <= score <= 1:
        raise ConfigError(f"{what} must be between 0 and 1, not {score}")


EVERYTHING = Looking()
