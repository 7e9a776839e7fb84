"""Several video files as one recording: a folder or a glob of them, in the order of their names."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources import listing
from streamer.sources.address import Address, Kind
from streamer.sources.options import SourceOptions
from streamer.sources.recording import Recording

_NAMED_IN_ERROR = 5
_NS = 1_000_000_000


class Films:
    """Files one behind the other, as a dashcam writes them: time goes on from each to the next.

    A file lasts as long as its header says; where it says nothing, or cannot be opened, as long as what
    could be read. One that cannot be read, or breaks off, is left there; SourceError names it after the
    last one. `from_s` and `to_s` count from the beginning of the first one. Raises SourceError on entry
    where there are none.
    """

    live = False
    ends = True

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self._address = address
        self._options = options
        self._clock = clock
        self._paths: list[Path] = []
        self._recording: Recording | None = None
        self._damaged = 0

    @property
    def damaged(self) -> int:
        """Packets that could not be decoded so far, in all files."""
        return self._damaged + (self._recording.damaged if self._recording else 0)

    def __enter__(self) -> Self:
        shown = self._address.redacted
        self._damaged = 0
        self._paths = listing.of_one_kind(listing.look(Path(self._address.text), shown), "films", shown)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._close()
        self._paths = []

    def __iter__(self) -> Iterator[Captured]:
        offset_ns, undecoded, came = 0, 0, False
        failed, said = 0, []
        for path in self._paths:
            options = self._options_from(offset_ns)
            if options is None:
                break
            try:
                with self._opened(path, options) as recording:
                    for captured in _pictures(recording, options):
                        came, undecoded = True, undecoded + captured.undecoded
                        pts_ns = offset_ns + (captured.pts_ns or 0)
                        yield replace(captured, pts_ns=pts_ns, undecoded=undecoded)
                        undecoded = 0
                    undecoded += recording.undecoded
            except SourceError as error:
                failed += 1
                said += [str(error)] if failed <= _NAMED_IN_ERROR else []
            offset_ns += self._close()
        self._check(came, failed, said, offset_ns)

    def _options_from(self, offset_ns: int) -> SourceOptions | None:
        """How a file that begins there is to be read; None where nothing of it is wanted."""
        from_s, to_s = self._options.from_s, self._options.to_s
        begins_s = offset_ns / _NS
        if to_s is not None and to_s <= begins_s:
            return None
        return replace(
            self._options,
            from_s=from_s - begins_s if from_s is not None and from_s > begins_s else None,
            to_s=None if to_s is None else to_s - begins_s,
        )

    def _opened(self, path: Path, options: SourceOptions) -> Recording:
        shown = listing.printable(path.name)
        address = Address(Kind.FILE, str(path), shown, self._address.name, live=False)
        self._recording = Recording(address, options, self._clock)
        return self._recording

    def _close(self) -> int:
        """Done with the file that was read: how long it is, ns."""
        recording, self._recording = self._recording, None
        if recording is None:
            return 0
        recording.__exit__(None, None, None)
        self._damaged += recording.damaged
        return recording.length_ns

    def _check(self, came: bool, failed: int, said: list[str], length_ns: int) -> None:
        where, from_s = self._address.redacted, self._options.from_s
        if failed:
            named = "; ".join(said) + ("; …" if failed > _NAMED_IN_ERROR else "")
            raise SourceError(
                Cause.DAMAGED,
                f"{where}: {failed} of {len(self._paths)} video files cannot be read to the end: {named}",
            )
        if not came and from_s:
            raise SourceError(
                Cause.NOT_FOUND,
                f"{where}: 'from' is {from_s:g} s, and the {len(self._paths)} files are only "
                f"{length_ns / _NS:.1f} s long together",
            )


def _pictures(recording: Recording, options: SourceOptions) -> Iterator[Captured]:
    """Those that are wanted: of a file that ends before, none, and its header may say so."""
    if options.from_s is None or not recording.ends_before(options.from_s):
        yield from recording.pictures()
