"""What lies in a folder, or matches a pattern: pictures and video files, in the order of their names."""

import fnmatch
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streamer.errors import Cause, SourceError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
# What lies beside them on a camera's card (.thm, .lrv, .gps, .txt …) is neither.
FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg"),
    *(".flv", ".wmv", ".asf", ".ogv", ".h264", ".264", ".h265", ".265", ".hevc"),
)
# The best known of each; docs/sources.md has all.
ALLOWED = "looked for are .jpg, .png, .webp …, or .mp4, .mkv, .mov, .avi, .ts …"
MOST_ENTRIES = 1_000_000  # that a pattern makes us look at: links in a circle have no end
_MOST_PEEKED = 10_000  # only to tell what there is


class Found(NamedTuple):
    """Paths, each list in the order of names."""

    pictures: list[Path]
    films: list[Path]


def look(path: Path, shown: str, most: int | None = None) -> Found:
    """What a folder or pattern has; a file is what its name says.

    `shown` is what errors call it. Raises SourceError where it cannot be listed, or has more than `most`
    entries to look at.
    """
    if path.is_file():
        return Found([path], []) if path.suffix.lower() in PICTURE_SUFFIXES else Found([], [path])
    try:
        found = Found([], [])
        for place in _places(path, shown, most or MOST_ENTRIES):
            suffix = place.suffix.lower()
            kind = found.pictures if suffix in PICTURE_SUFFIXES else found.films
            if (kind is found.pictures or suffix in FILM_SUFFIXES) and _counts(place):
                kind.append(place)
    except SourceError:
        raise
    except OSError as error:
        text = f"{shown}: cannot be listed ({(error.strerror or '').lower()})"
        raise SourceError(Cause.NOT_FOUND, text) from None
    found.pictures.sort()
    found.films.sort()
    return found


def _places(path: Path, shown: str, most: int) -> Iterator[Path]:
    if path.is_dir():
        return path.iterdir()
    if not glob.has_magic(str(path)) and not path.exists():
        raise SourceError(Cause.NOT_FOUND, f"{shown}: there is no such file or folder")
    return map(Path, _Search(path, shown, most).found())


def of_one_kind(found: Found, kind: str, shown: str) -> list[Path]:
    """Its pictures or its films, as `kind` says. Raises SourceError where it has none, or others too."""
    if found.pictures and found.films:
        counts = f"{_counted(found.pictures, 'picture')} and {_counted(found.films, 'video file')}"
        place = shown.rpartition("/")[0] if glob.has_magic(shown) else shown.rstrip("/")
        text = f"{shown}: has {counts}; say which with a pattern, such as {place}/*{found.films[0].suffix}"
        raise SourceError(Cause.NOT_FOUND, text)
    wanted: list[Path] = getattr(found, kind)
    if wanted:
        return wanted
    if found.pictures or found.films:
        text = "what lies there has changed since it was looked at; start again, or name it with a pattern"
        raise SourceError(Cause.NOT_FOUND, f"{shown}: {text}")
    raise SourceError(Cause.NOT_FOUND, f"{shown}: no pictures there, and no video files: {ALLOWED}")


def holds_films(path: Path) -> bool:
    """True where the first thing of use in a folder, or that a pattern finds, is a video file."""
    suffix = path.suffix.lower()
    if not path.is_dir():
        if suffix in FILM_SUFFIXES or suffix in PICTURE_SUFFIXES:
            return suffix in FILM_SUFFIXES
        try:
            return bool(look(path, "", _MOST_PEEKED).films)
        except SourceError:
            return False  # whoever opens it says so
    with os.scandir(path) as entries:
        for _, entry in zip(range(MOST_ENTRIES), entries, strict=False):
            suffix = Path(entry.name).suffix.lower()
            if suffix in (*PICTURE_SUFFIXES, *FILM_SUFFIXES) and _counts(Path(entry.path)):
                return suffix in FILM_SUFFIXES
    return False


def printable(name: str) -> str:
    """A file's name as it can be shown: names may hold anything."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)


def _counted(paths: list[Path], what: str) -> str:
    return f"{len(paths)} {what}{'s' * (len(paths) != 1)}"


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


class _Search:
    """Finds what glob.glob would, but ends: `**` follows no links, and what is looked at is counted.

    Raises SourceError where that is too much.
    """

    def __init__(self, path: Path, shown: str, most: int) -> None:
        self._path = path
        self._shown = shown
        self._most = most
        self._looked = 0

    def found(self) -> set[str]:
        anchor, *parts = self._path.parts
        places = {anchor}
        for number, part in enumerate(parts, 1):
            places = {
                match for place in places for match in self._matches(place, part, last=number == len(parts))
            }
        return places

    def _matches(self, folder: str, part: str, *, last: bool) -> Iterator[str]:
        if part == "**":
            yield from self._below(folder, files=last)
        elif glob.has_magic(part) and (last or not os.path.lexists(os.path.join(folder, part))):  # noqa: PTH118
            for entry in self._entries(folder):
                hidden = entry.name.startswith(".") and not part.startswith(".")
                if fnmatch.fnmatch(entry.name, part) and not hidden:
                    yield entry.path
        else:
            self._look()
            yield os.path.join(folder, part)  # noqa: PTH118 - a million Paths are slow

    def _below(self, folder: str, *, files: bool) -> Iterator[str]:
        waiting = [folder]
        while waiting:
            yield (here := waiting.pop())
            for entry in self._entries(here):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif files:
                    yield entry.path

    def _entries(self, folder: str) -> Iterator["os.DirEntry[str]"]:
        try:
            entries = os.scandir(folder)
        except OSError:
            return  # it is none, or may not be read: no match, as in a shell
        with entries:
            for entry in entries:
                self._look()
                yield entry

    def _look(self) -> None:
        self._looked += 1
        if self._looked > self._most:
            text = f"{self._shown}: more than {self._most} entries to look at; narrow the pattern"
            raise SourceError(Cause.NOT_FOUND, text)
