"""Pictures and the things that are in them, whatever file they were read from."""

import difflib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from streamer.errors import ConfigError
from streamer.sources.listing import printable

MOST_PICTURES = 200_000
MOST_PROBLEMS = 10_000  # after so many no more are looked for
_NAMED = 5  # of many things, in an error
_SHOWN = 60  # characters of a name that somebody else chose


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing in a picture: what it is and where."""

    name: str
    xywh: tuple[float, float, float, float]  # left, top, width, height
    area: float | None = None  # of its outline; None: of the box
    crowd: bool = False  # many at once: whether it is found counts neither way


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture's file and what is in it."""

    path: Path
    things: tuple[Thing, ...]
    size: tuple[int, int] | None = None  # width and height, where the dataset says them
    fractions: bool = False  # boxes are parts of width and height (YOLO), not pixels


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a detector is held against. `remarks` are sentences for whoever reads the figures."""

    where: str
    pictures: tuple[LabelledPicture, ...]
    remarks: tuple[str, ...] = ()

    @property
    def boxes(self) -> Counter[str]:
        """How many things of each class there are; crowds are none."""
        return Counter(one.name for picture in self.pictures for one in picture.things if not one.crowd)

    @property
    def crowds(self) -> int:
        """How many crowds there are."""
        return sum(one.crowd for picture in self.pictures for one in picture.things)

    def renamed(self, names: Mapping[str, str]) -> "Dataset":
        """The same with classes called otherwise; several may become one. Raises ConfigError."""
        self._check_there(names)
        return self._changed(lambda one: replace(one, name=names.get(one.name, one.name)))

    def only(self, classes: Collection[str]) -> "Dataset":
        """All its pictures, with the things of these classes. Raises ConfigError where there are none."""
        self._check_there(classes)
        return self._changed(lambda one: one if one.name in classes else None)

    def showing(self) -> int:
        """How many pictures show something."""
        return sum(any(not one.crowd for one in picture.things) for picture in self.pictures)

    def _check_there(self, classes: Iterable[str]) -> None:
        there = {one.name for picture in self.pictures for one in picture.things}
        for name in classes:
            if name not in there:
                near = nearest(name, there)
                hint = f" (did you mean {near}?)" if near else ""
                raise ConfigError(
                    f"{self.where} shows nothing of the class {name[:_SHOWN]!r}{hint}; "
                    f"it has {some(sorted(there))}"
                )

    def _changed(self, change: Callable[[Thing], Thing | None]) -> "Dataset":
        pictures = (
            replace(picture, things=tuple(new for one in picture.things if (new := change(one)) is not None))
            for picture in self.pictures
        )
        return replace(self, pictures=tuple(pictures))


def some(names: Collection[str]) -> str:
    """The first few of many, short enough for an error."""
    first = ", ".join(
        printable(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…") for name in islice(names, _NAMED)
    )
    return f"{first}, …" if len(names) > _NAMED else first or "none"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The one that may have been meant, if one is near."""
    by_lower = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_lower, 1)
    return by_lower[close[0]] if close else None


def refusal(where: str, problems: Collection[str], what: str = "problems") -> ConfigError:
    """The error that says how much is wrong, and the first few things of it, a line each."""
    if len(problems) == 1:
        return ConfigError(f"{where}: {next(iter(problems))}")
    more = [f"  … and {len(problems) - _NAMED} more"] if len(problems) > _NAMED else []
    lines = [f"  {problem}" for problem in islice(problems, _NAMED)]
    return ConfigError("\n".join([f"{where}: {len(problems)} {what}:", *lines, *more]))
