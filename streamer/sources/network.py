"""What FFmpeg reads from the network: HTTP, and RTSP that is not H.264 or H.265."""

from collections.abc import Iterator
from dataclasses import replace
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
from streamer.sources.causes import answered, explain_network, silence
from streamer.sources.decoding import Decoding
from streamer.sources.options import SourceOptions
from streamer.sources.pile import Pile

# Cameras that save bandwidth send a keyframe every 20 s.
NO_PICTURE_LIMIT_S = 30.0


class NetworkSource:
    """A live stream. Each entry is a new connection; it ends when the other side says so.

    Hands nothing out before the first keyframe: what leans on a picture that never came is a grey smear.
    Of a backlog it decodes what is needed to be live again; `Captured.skipped` says what it left out.
    `stop`, from any thread, ends the iteration at the next packet, for good. Raises SourceError on entry
    and while iterating.
    """

    live = True
    ends = False

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self._address = address
        self._options = options
        self._clock = clock
        self._opened: tuple[InputContainer, VideoStream] | None = None
        self._decoding: Decoding | None = None
        self._pile: Pile[Packet[VideoStream]] = Pile()
        self._told = 0  # of what the pile has skipped
        self._stopping = False

    @property
    def damaged(self) -> int:
        """Packets of this connection that could not be decoded."""
        return self._decoding.damaged if self._decoding else 0

    def __enter__(self) -> Self:
        started_ns = self._clock.now_ns()
        try:
            self._opened = demuxing.open_network(self._address, self._options.transport)
        except av.FFmpegError as error:
            failure = self._explain(error, started_ns, demuxing.OPEN_TIMEOUT_S)
        else:
            if not self._too_long(started_ns, demuxing.OPEN_TIMEOUT_S):
                self._decoding = Decoding(self._opened[1], self._address)
                return self
            self.__exit__(None, None, None)
            failure = silence(self._address, demuxing.OPEN_TIMEOUT_S)
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
        decoding, timed = self._decoding, demuxing.timed(container)
        segmented, pile = demuxing.segmented(container), self._pile
        pile.connected()
        joined, last_picture_ns, flushed = False, self._clock.now_ns(), pile.skipped
        for packet in self._packets(container, stream):
            if self._stopping:
                return
            captured_ns = self._clock.now_ns()
            joined = joined or packet.is_keyframe
            due = pile.add(
                packet,
                captured_ns,
                dts_ns=decoding.ns(packet.dts) if timed and not segmented else None,
                size=packet.size,
                keyframe=packet.is_keyframe,
            )
            if pile.skipped > flushed:
                # What leans on pictures before the keyframe (open groups) must not come out as a smear.
                stream.codec_context.flush_buffers()
                decoding.damage.lost()
                flushed = pile.skipped
            for one, arrived_ns in due if joined else ():
                for frame in decoding.decode(one, arrived_ns):
                    last_picture_ns = captured_ns
                    captured = decoding.captured(frame, decoding.since_start_ns(frame.pts) if timed else None)
                    skipped, self._told = pile.skipped - self._told, pile.skipped
                    yield replace(captured, skipped=skipped, segmented=segmented)
            if captured_ns - last_picture_ns > NO_PICTURE_LIMIT_S * 1e9:
                what = "no picture could be decoded" if joined else "no keyframe came"
                raise SourceError(
                    Cause.SILENCE,
                    f"{self._address.redacted}: data comes, but {what} for {NO_PICTURE_LIMIT_S:g} s",
                )

    def renew(self) -> "NetworkSource":
        """Another source for the same place, not yet entered."""
        return NetworkSource(self._address, self._options, self._clock)

    def stop(self) -> None:
        """End the iteration, also while a backlog comes in. From any thread."""
        self._stopping = True

    def _packets(self, container: InputContainer, stream: VideoStream) -> "Iterator[Packet[VideoStream]]":
        packets, limit_s = container.demux(stream), float(container.read_timeout or 0)
        while True:
            started_ns = self._clock.now_ns()
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError as error:
                failure = self._explain(error, started_ns, limit_s)
            else:
                if not self._too_long(started_ns, limit_s):
                    yield packet
                    continue
                # When its time is up FFmpeg first hands out the packet that it had held back all the while.
                failure = silence(self._address, limit_s)
            raise failure

    def _explain(self, error: av.FFmpegError, started_ns: int, limit_s: float) -> SourceError:
        if self._too_long(started_ns, limit_s) and not answered(error):
            return silence(self._address, limit_s)
        return explain_network(error, self._address)

    def _too_long(self, started_ns: int, limit_s: float) -> bool:
        return self._clock.now_ns() - started_ns > 0.98 * limit_s * 1e9
