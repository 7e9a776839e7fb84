"""Recordings: video files, every picture of them, as fast as they are taken."""

import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources.address import Address
from streamer.sources.causes import explain_file
from streamer.sources.film import Film
from streamer.sources.options import SourceOptions

_NS = 1_000_000_000


class Recording:
    """A video file. Presentation times begin at 0 with its first picture and grow with every one.

    `from_s` and `to_s` are exact to the picture, and change no times. Damaged packets are skipped and
    counted. A file that breaks off is delivered as far as it goes; then SourceError says so. Raises
    SourceError on entry and while iterating.
    """

    live = False
    ends = True

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self._address = address
        self._options = options
        self._clock = clock
        self._film: Film | None = None
        self._entered = False
        self._reached_ns = 0  # where the last picture that was read ends, shown or not

    @property
    def damaged(self) -> int:
        """Packets that could not be decoded so far."""
        return self._film.decoding.damaged if self._film else 0

    @property
    def undecoded(self) -> int:
        """Pictures after the last one that was handed out, of which only keyframes were wanted."""
        return self._film.undecoded if self._film else 0

    @property
    def length_ns(self) -> int:
        """How long it is, by its header; where that says nothing, as far as it was read.

        Longer than where its last picture begins, whatever the header says.
        """
        film = self._film
        if film is None or film.promised_s is None:
            return self._reached_ns
        return max(round(film.promised_s * _NS), self._reached_ns - film.step_ns + 1)

    def ends_before(self, time_s: float) -> bool:
        """True where its header says so, which may be off a little."""
        promised_s = self._film.promised_s if self._film else None
        return promised_s is not None and promised_s + 1 < time_s

    def __enter__(self) -> Self:
        _check_file(self._address)
        self._reached_ns = 0
        try:
            self._film = Film(self._address, self._clock, keys_only=self._options.decode == "key")
        except av.FFmpegError as error:
            failure = explain_file(error, self._address)
        else:
            self._entered = True
            return self
        raise failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._film and self._entered:
            self._film.close()
        self._entered = False

    def __iter__(self) -> Iterator[Captured]:
        came = False
        for captured in self.pictures():
            came = True
            yield captured
        from_s = self._options.from_s
        if not came and from_s:
            length_s = max(self._reached_ns, self.length_ns) / _NS
            raise SourceError(
                Cause.NOT_FOUND,
                f"{self._address.redacted}: 'from' is {from_s:g} s, and it is only {length_s:.1f} s long",
            )

    def pictures(self) -> Iterator[Captured]:
        """The same, where it may be that none are in what was asked for."""
        film = self._film
        if film is None or not self._entered:
            raise ValueError("a source is entered before it is iterated")
        from_ns, to_s = round((self._options.from_s or 0) * _NS), self._options.to_s
        pts_ns = -film.step_ns
        for frame in film.frames(from_ns):
            pts_ns = film.shown_ns(frame, pts_ns)
            if to_s is not None and pts_ns >= round(to_s * _NS):
                return
            self._reached_ns = pts_ns + film.step_ns
            captured = film.decoding.captured(frame, pts_ns, undecoded=film.undecoded)
            film.undecoded = 0
            if pts_ns >= from_ns:
                yield captured
        self._reached_ns = max(self._reached_ns, film.undecoded_end_ns)
        self._check_end(film)

    def _check_end(self, film: Film) -> None:
        where, reached_s, promised_s = self._address.redacted, self._reached_ns / _NS, film.promised_s
        if not reached_s:
            raise SourceError(
                Cause.DAMAGED, f"{where}: nothing in it can be decoded ({self.damaged} damaged packets)"
            )
        # Headers are rounded, sound may be longer: only a tenth or more counts, and half a second.
        if promised_s and promised_s - reached_s > max(0.1 * promised_s, 0.5):
            raise SourceError(
                Cause.DAMAGED,
                f"{where}: breaks off after {reached_s:.1f} s of the {promised_s:.1f} s it should have",
            )


def _check_file(address: Address) -> None:
    try:
        found = Path(address.text).stat()
    except OSError as error:
        raise SourceError(
            Cause.NOT_FOUND, f"{address.redacted}: {(error.strerror or 'not there').lower()}"
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(Cause.NOT_FOUND, f"{address.redacted}: not a file or a folder of them")
    if found.st_size == 0:
        raise SourceError(Cause.DAMAGED, f"{address.redacted}: the file is empty")
