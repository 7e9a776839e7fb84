"""A folder or a glob of pictures, in the order of their names."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.frame import ArrayPicture
from streamer.opencv import cv2
from streamer.sources import limits, listing
from streamer.sources.address import Address
from streamer.sources.image_header import picture_size

_MAX_FILE_BYTES = 1 << 30
_NAMED_IN_ERROR = 5


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
        shown = self._address.redacted
        self._paths = listing.of_one_kind(listing.look(Path(self._address.text), shown), "pictures", shown)
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
                    unreadable.append(f"{listing.printable(path.name)} ({why})")
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
    data, _ = encoded(path)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError("damaged")
    return np.asarray(pixels, np.uint8)


def encoded(path: Path) -> tuple[bytes, tuple[int, int]]:
    """A picture file that was not decoded yet, and its width and height as stored, before any rotation.

    Raises what `read_picture` raises, but for what only decoding shows.
    """
    data = _content(path)
    size = picture_size(data)
    if limits.too_large(size):
        raise ValueError(f"{size[0]}x{size[1]} pixels; allowed are {limits.ALLOWED}")
    return data, size


def _content(path: Path) -> bytes:
    """Whatever it has become since it was listed: a pipe would never end, and a file may grow for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - it is a descriptor
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file any more")
        data = file.read(_MAX_FILE_BYTES + 1)
    if len(data) > _MAX_FILE_BYTES:
        raise ValueError("larger than 1 GiB")
    return data
