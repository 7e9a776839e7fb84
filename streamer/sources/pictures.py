"""A folder or a glob of pictures, in the order of their names."""

import fnmatch
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.frame import ArrayPicture
from streamer.sources import limits
from streamer.sources.address import PICTURE_SUFFIXES, Address
from streamer.sources.image_header import picture_size

_MAX_FILE_BYTES = 1 << 30
_NAMED_IN_ERROR = 5
_MOST_ENTRIES = 1_000_000  # that a pattern makes us look at: links in a circle have no end


class Pictures:
    """Every picture of a folder, a glob, or just one; decoded here, upright as its EXIF says.

    Pictures have no presentation time: `pts_ns` is None. One that cannot be read is left out and
    counted in `damaged`; SourceError names it after the last one. Raises SourceError on entry where
    there are none.
    """

    live = False
    ends = True

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._paths: list[Path] = []
        self.damaged = 0  # pictures that could not be read so far

    def __enter__(self) -> Self:
        self.damaged = 0
        self._paths = _listed(self._address)
        if not self._paths:
            text = f"{self._address.redacted}: no pictures there; allowed are {' '.join(PICTURE_SUFFIXES)}"
            raise SourceError(Cause.NOT_FOUND, text)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._paths = []

    def __iter__(self) -> Iterator[Captured]:
        unreadable: list[str] = []
        count = len(self._paths)
        for path in self._paths:
            captured_ns = self._clock.now_ns()
            try:
                pixels = read_picture(path)
            except (OSError, ValueError) as error:
                self.damaged += 1
                why = (error.strerror or "").lower() if isinstance(error, OSError) else str(error)
                if len(unreadable) < _NAMED_IN_ERROR:
                    unreadable.append(f"{_printable(path.name)} ({why})")
            else:
                yield Captured(ArrayPicture(pixels), captured_ns, keyframe=True)
        if self.damaged:
            more = ", …" if self.damaged > _NAMED_IN_ERROR else ""
            raise SourceError(
                Cause.DAMAGED,
                f"{self._address.redacted}: {self.damaged} of {count} pictures cannot be read: "
                f"{', '.join(unreadable)}{more}",
            )


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The pixels of a picture file, (H, W, 3) uint8 BGR.

    Raises OSError, and ValueError for what is no picture, cut off or larger than the limits.
    """
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise ValueError("larger than 1 GiB")
    data = path.read_bytes()
    size = picture_size(data)
    if limits.too_large(size):
        raise ValueError(f"{size[0]}x{size[1]} pixels; allowed are {limits.ALLOWED}")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError("damaged")
    return np.asarray(pixels, np.uint8)


def _listed(address: Address) -> list[Path]:
    path = Path(address.text)
    if path.is_file():
        return [path]
    try:
        found = path.iterdir() if path.is_dir() else map(Path, _Search(address).found())
        return sorted(file for file in found if _is_picture(file))
    except SourceError:
        raise
    except OSError as error:
        text = f"{address.redacted}: cannot be listed ({(error.strerror or '').lower()})"
        raise SourceError(Cause.NOT_FOUND, text) from None


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()


class _Search:
    """Finds what glob.glob would, but ends: `**` follows no links, and what is looked at is counted.

    Raises SourceError where that is too much.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._looked = 0

    def found(self) -> set[str]:
        anchor, *parts = Path(self._address.text).parts
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
        if self._looked > _MOST_ENTRIES:
            text = (
                f"{self._address.redacted}: more than {_MOST_ENTRIES} entries to look at; narrow the pattern"
            )
            raise SourceError(Cause.NOT_FOUND, text)


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in name)
