"""RTSP cameras, read packet by packet; what we cannot read, FFmpeg may."""

import logging
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.rtsp.doubt import Doubt
from streamer.rtsp.failures import (
    Refused,
    Silent,
    Stopped,
    Undescribed,
    Unreadable,
    Unsupported,
)
from streamer.rtsp.opening import Route, open_camera
from streamer.rtsp.place import parse_place
from streamer.rtsp.playing import Playing
from streamer.rtsp.timing import Arrival
from streamer.rtsp.waiting import Waiting
from streamer.sources import causes
from streamer.sources.address import Address
from streamer.sources.joining import Joining
from streamer.sources.network import NO_PICTURE_LIMIT_S, NetworkSource
from streamer.sources.options import SourceOptions
from streamer.sources.tap import Tap

_log = logging.getLogger("freshframe")

# Until it plays, and for one answer. With a camera that has worked before, a handshake that an outage cut in
# two is given up soon. Servers that start a stream on demand take longer: who says so far only that it is
# there gets more time, and so does a camera that is slow to connect at every fourth try. Far less than
# the 30 s after which a source that connects is taken to hang.
OPEN_S, ANSWER_S = 5.0, 2.0
PATIENT_S, PATIENT_TRY = 9.0, 4
# GStreamer's server answers 503 until then.
AGAIN_S = 0.5
# A camera that answers and whose datagrams do not come: they are blocked on the way.
FIRST_DATAGRAM_S = 10.0
_S = 1_000_000_000


class RtspSource:
    """A camera's H.264 or H.265 over RTSP. Each entry is a new connection.

    Hands nothing out before the first keyframe, says which pictures lean on lost packets, and skips what
    of a backlog need not be decoded. It ends when the camera says so; where nothing comes for longer than
    usual and a new connection would be answered, it raises. `stop`, from any thread, ends it at once and
    for good. What is not H.264 or H.265, or not RTSP as we know it, is left to FFmpeg. Raises SourceError
    on entry and while iterating.
    """

    live = True
    ends = False
    tap: Tap | None = None

    def __init__(self, address: Address, options: SourceOptions, clock: Clock) -> None:
        self._address = address
        self._options = options
        self.sparse = options.decode == "key"
        self._clock = clock
        self._waiting = Waiting()
        self._route: Route | None = None
        self._playing: Playing | None = None
        self._doubt: Doubt | None = None
        self._joining = Joining(address, keys_only=options.decode == "key")
        self._silent_tries = 0  # in a row
        self._slow = True  # it has not played yet, or was silent in the middle of a handshake
        self._picture_ns = 0  # the last picture
        self._ffmpeg: NetworkSource | None = None  # reads instead of us
        self._for_good = False  # … at the next entries, too

    @property
    def damaged(self) -> int:
        """Packets of this connection that could not be decoded."""
        return self._ffmpeg.damaged if self._ffmpeg else self._joining.damaged

    def renew(self) -> "RtspSource":
        """Another source for the same camera, not yet entered. It knows what this one has found out."""
        other = RtspSource(self._address, self._options, self._clock)
        other._route = self._route and self._route.copy()
        other._silent_tries, other._slow = self._silent_tries, self._slow
        ffmpeg = self._ffmpeg
        if self._for_good and ffmpeg:
            other._ffmpeg, other._for_good = ffmpeg.renew(), True
        return other

    def stop(self) -> None:
        """End the iteration, or connecting, at once. From any thread."""
        self._waiting.stop()
        ffmpeg = self._ffmpeg
        if ffmpeg:
            ffmpeg.stop()

    def __enter__(self) -> Self:
        if self._for_good and self._ffmpeg:
            self._ffmpeg.__enter__()
            return self
        self._waiting.open()
        try:
            failure = self._open()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        if self._playing is None and self._route:
            self._route.failed()
        if failure is not None:
            self.__exit__(None, None, None)
            try:
                raise failure
            finally:
                del failure  # it would hold on to this frame, and that to it
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._hang_up()
        self._waiting.close()
        if self._ffmpeg:
            self._ffmpeg.__exit__(kind, error, trace)
            if not self._for_good:
                self._ffmpeg = None

    def __iter__(self) -> Iterator[Captured]:
        if self._ffmpeg:
            yield from self._ffmpeg
            return
        if self._playing is None or self._doubt is None:
            raise ValueError("a source is entered before it is iterated")
        try:
            for arrival in self._arrivals(self._playing, self._doubt):
                for captured in self._joining.pictures(arrival):
                    self._picture_ns = arrival.unit.arrived_ns
                    yield captured
            return
        except Stopped:
            return
        except Unsupported as error:
            self._hang_up()
            failure = self._leave_it(str(error), for_good=True)
        except (Unreadable, Refused, OSError) as error:
            if isinstance(error, SourceError):
                raise
            failure = causes.explain_rtsp(error, self._address)
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # it would hold on to this frame, and that to it
        yield from self._ffmpeg or ()

    def _open(self) -> SourceError | None:
        """Connect; what failed, or None where it plays, or where FFmpeg is to read it."""
        tries, self._silent_tries = self._silent_tries + 1, 0
        patient = tries % PATIENT_TRY == 0
        connect_s = PATIENT_S if patient else OPEN_S
        in_all_s, each_s = (PATIENT_S, PATIENT_S) if patient or self._slow else (OPEN_S, ANSWER_S)
        try:
            self._route = self._route or Route(
                parse_place(self._address.text, digest_only=self._options.digest_only)
            )
            if not self._route.place.sendable:
                return causes.unsendable(self._address)
            self._playing, route = open_camera(
                self._route,
                self._options.transport,
                self._waiting,
                self._clock,
                connect_s=connect_s,
                in_all_s=in_all_s,
                each_s=each_s,
            )
        except (Unsupported, Unreadable) as error:
            return self._leave_it(str(error), for_good=isinstance(error, Unsupported))
        except Silent as silent:
            self._silent_tries = tries
            self._slow |= silent.answered
            return causes.silence(self._address, each_s if silent.answered else connect_s)
        except Stopped:
            return causes.stopped(self._address)
        except (Refused, Undescribed, OSError) as error:
            return causes.explain_rtsp(error, self._address)
        self._slow = False
        self._joining.connected(self._playing.track.codec)
        self._silent_tries = tries  # until the first packet comes
        longest_s = NO_PICTURE_LIMIT_S if self._options.transport == "tcp" else FIRST_DATAGRAM_S
        patience_ns = round((PATIENT_S if patient else ANSWER_S) * _S)
        self._doubt = Doubt(self._playing, route, self._clock, patience_ns, longest_ns=round(longest_s * _S))
        return None

    def _leave_it(self, why: str, *, for_good: bool) -> SourceError | None:
        """Let FFmpeg have a try: None where it can read this. What it says is what is to be said."""
        if self._waiting.stopped:  # nothing ends FFmpeg while it connects
            return causes.stopped(self._address)
        ffmpeg = NetworkSource(self._address, self._options, self._clock)
        ffmpeg.tap = self.tap
        try:
            self._enter(ffmpeg, again=for_good)
        except Stopped:
            return causes.stopped(self._address)
        except SourceError as error:
            return causes.not_by_us(error, why) if for_good else error
        if not self._for_good:
            _log.warning("%s: is read by FFmpeg: %s", self._address.redacted, why)
        self._ffmpeg, self._for_good = ffmpeg, for_good
        if self._waiting.stopped:
            ffmpeg.stop()
        return None

    def _enter(self, ffmpeg: NetworkSource, *, again: bool) -> None:
        """Connect; once more where a server refuses that while it takes down what we had asked for."""
        try:
            ffmpeg.__enter__()
        except SourceError as error:
            if not again or error.cause is not Cause.NETWORK:
                raise
            self._waiting.wait({}, AGAIN_S)
            ffmpeg.__enter__()

    def _hang_up(self) -> None:
        if self._doubt:
            self._doubt.close()
        if self._playing:
            self._playing.session.close()
        self._doubt = self._playing = None

    def _arrivals(self, playing: Playing, doubt: Doubt) -> Iterator[Arrival]:
        """Access units as they come, until the camera says that it is over."""
        self._picture_ns = self._clock.now_ns()
        while True:
            for arrival in playing.take():
                if self._waiting.stopped:
                    raise Stopped
                doubt.picture(arrival.unit.arrived_ns)
                if self.tap:
                    self.tap.arrived(playing, arrival)
                yield arrival
            if playing.ended:
                return
            # After what has come was worked off: a flood that shows nothing never ends by itself.
            if playing.heard_ns is not None and playing.heard_ns - self._picture_ns > NO_PICTURE_LIMIT_S * _S:
                raise causes.no_picture(self._address, NO_PICTURE_LIMIT_S, playing.lost)
            now_ns = self._clock.now_ns()
            wait_s = (min(playing.due_ns, doubt.due_ns) - now_ns) / _S
            ready = self._waiting.wait(playing.watched | doubt.watched, wait_s)
            playing.read(ready)
            playing.tick()
            doubt.step(ready)
            if doubt.gave_up_ns is not None and not playing.waiting:
                raise self._silence(playing, doubt.gave_up_ns)
            if playing.heard_ns is not None:
                self._silent_tries = 0

    def _silence(self, playing: Playing, silent_ns: int) -> SourceError:
        if playing.heard_ns is None and playing.session.ports and not playing.session.asked:
            return causes.no_datagrams(self._address, silent_ns / _S)
        return causes.silence(self._address, round(silent_ns / _S, 1))
