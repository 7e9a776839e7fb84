"""An open video file: its pictures in order, from its beginning or from any time on."""

import itertools
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.clock import Clock
from streamer.sources import causes, demuxing
from streamer.sources.address import Address
from streamer.sources.decoding import Decoding
from streamer.sources.length import promised_s, step_ns

_MOST_BAD_READS = 1000  # in a row; after that the rest of the file counts as lost
_NS = 1_000_000_000
# Formats whose presentation times can be relied on, so that a picture's place needs no counting: MP4 and
# QuickTime, Matroska, MPEG-TS, FLV.
_SEEKABLE = ("mov,", "matroska,", "mpegts", "flv")
# How far before a time the search for a keyframe begins, s, until one is found from which on that time's
# picture can be decoded. Then the film is decoded from its beginning.
_BACK_S = (0, 2, 10, 60)


class Film:
    """Used in one thread; closed by whoever opened it. Raises av.FFmpegError and SourceError on opening.

    `keys_only` decodes nothing but keyframes: `undecoded` counts those left out since it was last reset.
    """

    def __init__(self, address: Address, clock: Clock, *, keys_only: bool) -> None:
        self._address = address
        self._clock = clock
        self._keys_only = keys_only
        self._open()
        self.undecoded = 0
        self.undecoded_end_ns = 0  # when the last one of them ends
        self._from_ns = 0
        self._passed = 0  # packets that were not decoded since the last picture, wanted or not
        self.decoding = Decoding(self._stream, address)
        self.promised_s = promised_s(self._container, self._stream)
        self.step_ns = step_ns(self._stream)

    def _open(self) -> None:
        self._container: InputContainer
        self._stream: VideoStream
        self._container, self._stream = demuxing.open_recording(self._address)

    def close(self) -> None:
        self._container.close()

    def frames(self, from_ns: int = 0) -> Iterator[VideoFrame]:
        """All pictures from a time on, and some before it."""
        self._from_ns = from_ns
        if from_ns and self._container.format.name.startswith(_SEEKABLE):
            found = self._found(from_ns)
            if found is not None:
                yield from found
                return
            self._open_anew()
        yield from self._decoded(self._packets())

    def _open_anew(self) -> None:
        self.close()
        try:
            self._open()
        except av.FFmpegError as error:  # it has gone meanwhile
            failure = causes.explain_file(error, self._address)
        else:
            self._move()
            return
        raise failure

    def _move(self) -> None:
        """What was read so far was elsewhere."""
        self.decoding.move_to(self._stream)
        self.undecoded = self._passed = 0

    def shown_ns(self, frame: VideoFrame, after_ns: int) -> int:
        """When a picture is shown, ns from the first one on: later than the one before it."""
        # Some containers store no presentation times, or wrong ones; then the order must do.
        stamps = (self.decoding.since_start_ns(ts) for ts in (frame.pts, frame.dts))
        later = (stamp for stamp in stamps if stamp is not None and stamp > after_ns)
        passed, self._passed = self._passed, 0
        return next(later, after_ns + (1 + passed) * self.step_ns)

    def _first_ns(self) -> int | None:
        """Decode the first picture, from which times count."""
        first = next(self._decoded(self._packets()), None)
        return None if first is None else self.shown_ns(first, -self.step_ns)

    def _found(self, from_ns: int) -> Iterator[VideoFrame] | None:
        """Pictures from a keyframe on that leads to this time; None where none is found."""
        if self._first_ns() is None:
            return None
        tried = (self._tried(from_ns, back_s) for back_s in _BACK_S)
        return next((frames for frames in tried if frames is not None), None)

    def _tried(self, from_ns: int, back_s: int) -> Iterator[VideoFrame] | None:
        """The same, where the search begins so long before."""
        ts = self.decoding.ticks(max(from_ns - back_s * _NS, 0))
        try:
            self._container.seek(ts, stream=self._stream, backward=True, any_frame=False)
        except av.FFmpegError:
            return None
        self._move()
        frames = self._decoded(self._from_keyframe())
        first = next(frames, None)
        if first is None:
            return None
        first_ns = self.decoding.since_start_ns(first.pts)
        if first_ns is None or first_ns > from_ns:
            return None
        return itertools.chain([first], frames)

    def _from_keyframe(self) -> "Iterator[Packet[VideoStream]]":
        begun = False
        for packet in self._packets():
            begun = begun or packet.is_keyframe
            if begun:
                yield packet

    def _decoded(self, packets: "Iterator[Packet[VideoStream]]") -> Iterator[VideoFrame]:
        decoding = self.decoding
        for packet in packets:
            if not self._keys_only:
                yield from decoding.decode(packet, self._clock.now_ns())
            elif packet.is_keyframe:
                yield from decoding.decode_alone(packet, self._clock.now_ns())
            elif packet.size:
                ts = packet.dts if packet.pts is None else packet.pts
                shown_ns = decoding.since_start_ns(ts) or 0
                self._passed += 1
                self.undecoded += shown_ns >= self._from_ns
                self.undecoded_end_ns = max(self.undecoded_end_ns, shown_ns + self.step_ns)

    def _packets(self) -> "Iterator[Packet[VideoStream]]":
        bad_reads = 0
        while bad_reads < _MOST_BAD_READS:
            try:
                for packet in self._container.demux(self._stream):
                    bad_reads = 0
                    yield packet
                return
            except av.FFmpegError:
                bad_reads += 1
                self.decoding.damaged += 1
                self.decoding.damage.lost()
