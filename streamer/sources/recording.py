"""Recordings: video files, every picture of them, as fast as they are taken."""

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources import demuxing
from streamer.sources.address import Address
from streamer.sources.causes import explain_file
from streamer.sources.decoding import Decoding

_MOST_BAD_READS = 1000  # in a row; after that the rest of the file counts as lost
_NS = 1_000_000_000


class Recording:
    """A video file. Presentation times begin at 0 and grow with every picture.

    Damaged packets are skipped and counted. A file that breaks off is delivered as far as it goes;
    then SourceError says so. Raises SourceError on entry and while iterating.
    """

    live = False
    ends = True

    def __init__(self, address: Address, clock: Clock) -> None:
        self._address = address
        self._clock = clock
        self._opened: tuple[InputContainer, VideoStream] | None = None
        self._decoding: Decoding | None = None

    @property
    def damaged(self) -> int:
        """Packets that could not be decoded so far."""
        return self._decoding.damaged if self._decoding else 0

    def __enter__(self) -> Self:
        _check_file(self._address)
        try:
            self._opened = demuxing.open_recording(self._address)
        except av.FFmpegError as error:
            failure = explain_file(error, self._address)
        else:
            self._decoding = Decoding(self._opened[1], self._address)
            return self
        raise failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._opened:
            self._opened[0].close()
            self._opened = None

    def __iter__(self) -> Iterator[Captured]:
        if self._opened is None or self._decoding is None:
            raise ValueError("a source is entered before it is iterated")
        container, stream = self._opened
        decoding, step_ns = self._decoding, _step_ns(stream)
        pts_ns, reached_ns = -step_ns, 0
        for packet in self._packets(container, stream):
            for frame in decoding.decode(packet, self._clock.now_ns()):
                # Some containers store no presentation times, or wrong ones; then the order must do.
                stamps = (decoding.since_start_ns(ts) for ts in (frame.pts, frame.dts))
                later = (stamp for stamp in stamps if stamp is not None and stamp > pts_ns)
                pts_ns = next(later, pts_ns + step_ns)
                reached_ns = pts_ns + step_ns
                yield decoding.captured(frame, pts_ns)
        self._check_end(reached_ns / 1e9, promised_s(container, stream))

    def _packets(self, container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
        bad_reads = 0
        while bad_reads < _MOST_BAD_READS:
            try:
                for packet in container.demux(stream):
                    bad_reads = 0
                    yield packet
                return
            except av.FFmpegError:
                bad_reads += 1
                if self._decoding:
                    self._decoding.damaged += 1
                    self._decoding.damage.lost()

    def _check_end(self, reached_s: float, promised: float | None) -> None:
        where = self._address.redacted
        if not reached_s:
            raise SourceError(
                Cause.DAMAGED, f"{where}: nothing in it can be decoded ({self.damaged} damaged packets)"
            )
        # Headers are rounded, sound may be longer: only a tenth or more counts, and half a second.
        if promised and promised - reached_s > max(0.1 * promised, 0.5):
            raise SourceError(
                Cause.DAMAGED,
                f"{where}: breaks off after {reached_s:.1f} s of the {promised:.1f} s it should have",
            )


def promised_s(container: InputContainer, stream: VideoStream) -> float | None:
    """How long the header says that the video is, in s; None where there is no promise or only a guess."""
    name = container.format.name
    if name == "avi" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate)
    if name.startswith("mov,") and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if name.startswith("matroska,"):
        match = re.match(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]) if match else None
    if name == "flv" and len(container.streams) == 1 and container.duration:
        return container.duration / av.time_base
    return None


def _step_ns(stream: VideoStream) -> int:
    """The time from one picture to the next where the file does not say it."""
    rate = stream.guessed_rate or stream.average_rate
    return int(_NS / rate) if rate and 1 <= rate <= 1000 else _NS // 25


def _check_file(address: Address) -> None:
    try:
        found = Path(address.text).stat()
    except OSError as error:
        raise SourceError(
            Cause.NOT_FOUND, f"{address.redacted}: {(error.strerror or 'not there').lower()}"
        ) from None
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(Cause.NOT_FOUND, f"{address.redacted}: not a file or folder of pictures")
    if found.st_size == 0:
        raise SourceError(Cause.DAMAGED, f"{address.redacted}: the file is empty")
