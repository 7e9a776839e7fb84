"""What FFmpeg reads from the network: HTTP, and RTSP that is not H.264 or H.265."""

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources import demuxing
from streamer.sources.address import Address
from streamer.sources.causes import answered, explain_network, silence, stopped
from streamer.sources.decoding import Decoding
from streamer.sources.mjpeg import Mjpeg
from streamer.sources.options import SourceOptions
from streamer.sources.pile import Pile
from streamer.sources.tap import Tap
from streamer.sources.untold import has_login, untold
from streamer.sources.web import ask, may_be_mjpeg
from streamer.sources.web_causes import compressed, named_instead

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
    tap: Tap | None = None

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self._address = address
        self._options = options
        self._clock = clock
        self._opened: tuple[InputContainer, VideoStream] | None = None
        self._decoding: Decoding | None = None
        self._pile: Pile[Packet[VideoStream]] = Pile()
        self._told = 0  # of what the pile has skipped
        self._undecoded = 0  # since the last keyframe
        self._timed = self._segmented = self._joined = False
        self._stopping = False
        self._mjpeg: Mjpeg | None = None
        self._by_ffmpeg = False  # what stands there is not Motion JPEG
        self._kind = ""  # what the server says that it is

    @property
    def sparse(self) -> bool:
        """Whether only keyframes are wanted of what has others: each picture of Motion JPEG is one."""
        return self._options.decode == "key" and self._mjpeg is None

    @property
    def damaged(self) -> int:
        """Packets of this connection that could not be decoded."""
        reader = self._mjpeg or self._decoding
        return reader.damaged if reader else 0

    def __enter__(self) -> Self:
        if not self._by_ffmpeg and may_be_mjpeg(self._address) and self._is_mjpeg():
            return self
        if self._stopping:  # nothing ends FFmpeg while it connects
            raise stopped(self._address)
        if self._options.digest_only and has_login(self._address):
            raise untold(self._address, ffmpeg=True)
        started_ns = self._clock.now_ns()
        try:
            self._opened = demuxing.open_network(self._address, self._options.transport)
        except av.FFmpegError as error:
            failure = self._explain(error, started_ns, demuxing.OPEN_TIMEOUT_S)
            if failure.cause in (Cause.CODEC, Cause.NETWORK):
                failure = named_instead(self._address, self._kind) or failure
        else:
            if not self._too_long(started_ns, demuxing.OPEN_TIMEOUT_S):
                self._by_ffmpeg, self._kind = True, ""
                self._decoding = Decoding(self._opened[1], self._address)
                self._timed = demuxing.timed(self._opened[0])
                self._segmented = demuxing.segmented(self._opened[0])
                return self
            self.__exit__(None, None, None)
            failure = silence(self._address, demuxing.OPEN_TIMEOUT_S)
        self._by_ffmpeg = False  # whatever stands there now, it is looked at again
        raise failure

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._opened:
            self._opened[0].close()
            self._opened = None
        if self._mjpeg:
            self._mjpeg.close()

    def _is_mjpeg(self) -> bool:
        """Look what the server answers: Motion JPEG we read ourselves. Raises SourceError."""
        self._mjpeg, self._kind = None, ""
        answer = ask(self._address, demuxing.OPEN_TIMEOUT_S, digest_only=self._options.digest_only)
        if answer is None:
            return False
        self._kind = answer.kind
        if not answer.kind.startswith("multipart/"):
            answer.close()
            return False
        if answer.compression:
            answer.close()
            raise compressed(self._address, answer.compression)
        self._mjpeg = Mjpeg(answer, self._address, self._clock, read_s=demuxing.READ_TIMEOUT_S)
        if self._stopping:
            self._mjpeg.stop()
        return True

    def __iter__(self) -> Iterator[Captured]:
        if self._mjpeg:
            for captured, size_bytes in self._mjpeg.pictures(NO_PICTURE_LIMIT_S):
                if self.tap:
                    self.tap.picture("mjpeg", size_bytes, captured.captured_ns)
                yield captured
            return
        if self._opened is None or self._decoding is None:
            raise ValueError("a source is entered before it is iterated")
        container, stream = self._opened
        self._pile.connected()
        self._joined, last_picture_ns = False, self._clock.now_ns()
        pictures = self._keyframes if self._options.decode == "key" else self._every
        for packet in self._packets(container, stream):
            if self._stopping:
                return
            captured_ns = self._clock.now_ns()
            if self.tap:
                self.tap.demuxed(stream, packet, captured_ns)
            self._joined = self._joined or packet.is_keyframe
            for captured in pictures(packet, captured_ns, self._decoding):
                last_picture_ns = captured_ns
                yield captured
            if captured_ns - last_picture_ns > NO_PICTURE_LIMIT_S * 1e9:
                what = "no picture could be decoded" if self._joined else "no keyframe came"
                raise SourceError(
                    Cause.SILENCE,
                    f"{self._address.redacted}: data comes, but {what} for {NO_PICTURE_LIMIT_S:g} s",
                )

    def _every(
        self, packet: "Packet[VideoStream]", captured_ns: int, decoding: Decoding
    ) -> Iterator[Captured]:
        """The pictures that a packet completes, and those that waited for it."""
        pile, skipped_before = self._pile, self._pile.skipped
        due = pile.add(
            packet,
            captured_ns,
            dts_ns=decoding.ns(packet.dts) if self._timed and not self._segmented else None,
            size=packet.size,
            keyframe=packet.is_keyframe,
        )
        if pile.skipped > skipped_before:
            # What leans on pictures before the keyframe (open groups) must not come out as a smear.
            decoding.forget()
        for one, arrived_ns in due if self._joined else ():
            for frame in decoding.decode(one, arrived_ns):
                skipped, self._told = pile.skipped - self._told, pile.skipped
                yield replace(self._captured(frame, decoding), skipped=skipped)

    def _keyframes(
        self, packet: "Packet[VideoStream]", captured_ns: int, decoding: Decoding
    ) -> Iterator[Captured]:
        """The picture of a packet that needs no other one."""
        if packet.is_keyframe and packet.size:
            for frame in decoding.decode_alone(packet, captured_ns):
                undecoded, self._undecoded = self._undecoded, 0
                yield replace(self._captured(frame, decoding), undecoded=undecoded)
        elif packet.size:
            self._undecoded += self._joined

    def _captured(self, frame: VideoFrame, decoding: Decoding) -> Captured:
        pts_ns = decoding.since_start_ns(frame.pts) if self._timed else None
        return replace(decoding.captured(frame, pts_ns), segmented=self._segmented)

    def renew(self) -> "NetworkSource":
        """Another source for the same place, not yet entered."""
        other = NetworkSource(self._address, self._options, self._clock)
        other._by_ffmpeg = self._by_ffmpeg
        return other

    def stop(self) -> None:
        """End the iteration, also while a backlog comes in. From any thread."""
        self._stopping = True
        mjpeg = self._mjpeg
        if mjpeg:
            mjpeg.stop()

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
