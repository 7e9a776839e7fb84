"""Connect to a source, watch it for some seconds, and say what came."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.clock import Clock, MonotonicClock
from streamer.contracts import Source
from streamer.doctor.gathered import Gathered
from streamer.doctor.report import Report
from streamer.errors import Cause, SourceError
from streamer.sources import SourceOptions, open_source
from streamer.sources.address import Address, Kind
from streamer.sources.listing import look

if TYPE_CHECKING:
    from streamer.sources.network import NetworkSource
    from streamer.sources.rtsp import RtspSource

# Where no picture came in the time that was asked for: some cameras send a keyframe every 10 s.
FIRST_PICTURE_S = 12.0
# Of a recording, as many are decoded as tell what decoding costs.
DECODED_OF_A_RECORDING = 60
_FEWEST_DECODED = 10  # to say what one costs
_USB_CODECS = {"MJPG": "mjpeg", "JPEG": "mjpeg"}
_AS_IT_IS = SourceOptions()


def probe(address: Address, options: SourceOptions = _AS_IT_IS, seconds: float = 5.0) -> Report:
    """Watch a source for so many seconds from when it is open. Blocks; in any thread.

    What goes wrong with the source is in the report. Raises ConfigError for what cannot be asked of it,
    and what a library raises that is missing or broken.
    """
    return Probe(address, options, seconds).run()


class Probe:
    """One look at one source. `run` in one thread, once; `stop` and `report` from any, at any time."""

    def __init__(
        self,
        address: Address,
        options: SourceOptions = _AS_IT_IS,
        seconds: float = 5.0,
        *,
        clock: Clock | None = None,
    ) -> None:
        self._address = address
        self._options = options
        self._seconds = seconds
        self._clock = clock or MonotonicClock()
        self._gathered = Gathered(address, self._clock)
        self._stopping = threading.Event()
        self._done = threading.Event()
        self._source: Source | None = None
        self._cpu_s = 0.0

    def report(self) -> Report:
        """What has been found so far. Thread-safe."""
        return self._gathered.report()

    def stop(self) -> None:
        """End it soon; what was found until then is the report. Thread-safe."""
        self._stopping.set()
        self._stop_source()

    def run(self) -> Report:
        """Watch it. Blocks until the time is over, it fails or ends, or it is stopped."""
        gathered = self._gathered
        source = open_source(self._address, self._options, clock=self._clock)
        if self._address.kind.network:
            self._listen(source)  # type: ignore[arg-type]  # what these kinds of address come to
        self._source = source
        gathered.begin()
        end = threading.Thread(target=self._end_in_time, name="probe's end", daemon=True)
        try:
            if not self._stopping.is_set():
                with source:
                    gathered.opened()
                    self._ask(source)
                    end.start()
                    self._watch(source)
        except SourceError as error:
            if not self._stopping.is_set():
                gathered.note(failure=error)
        finally:
            self._done.set()
        if gathered.report().read_by == "ffmpeg" and self._address.kind in (Kind.RTSP, Kind.RTSPS):
            # Sound is not asked for, so nothing is known of it.
            gathered.note(transport=self._options.transport, audio=None)
        if gathered.pictures and self._address.kind.film:
            self._read_film()
        gathered.ended()
        return gathered.report()

    def _read_film(self) -> None:
        from streamer.doctor.listening import read_film  # noqa: PLC0415 - PyAV loads here

        path = Path(self._address.text)
        if self._address.kind is Kind.FILMS:  # as the first one is, so are the others
            path = look(path, self._address.redacted).films[0]
        if path.is_file():
            read_film(replace(self._address, kind=Kind.FILE, text=str(path)), self._gathered, self._seconds)
        if self._address.kind is Kind.FILMS:
            self._gathered.note(duration_s=None)  # not that of all

    def _listen(self, source: "RtspSource | NetworkSource") -> None:
        from streamer.doctor.listening import Listening  # noqa: PLC0415 - PyAV loads here

        source.tap = Listening(self._gathered, self._clock)

    def _ask(self, source: Source) -> None:
        """What a USB camera has granted."""
        granted = getattr(source, "granted", None)
        if granted is not None:
            codec = _USB_CODECS.get(granted.codec, granted.codec)
            self._gathered.note(codec=codec, announced_fps=granted.fps)

    def _watch(self, source: Source) -> None:
        gathered = self._gathered
        for captured in source:
            decode_s = None
            if not gathered.pictures:
                self._cpu_s = time.thread_time()  # the first one costs more: the decoder is made
            elif gathered.pictures >= _FEWEST_DECODED and self._address.kind is not Kind.USB:
                decode_s = (time.thread_time() - self._cpu_s) / gathered.pictures
            gathered.picture(captured.picture.size, damaged=captured.damaged, decode_s=decode_s)
            if not (self._address.kind.network or self._address.kind.film):
                arrived_ns, pts_ns = captured.captured_ns, captured.pts_ns
                gathered.packet(0, keyframe=False, arrived_ns=arrived_ns, pts_ns=pts_ns, dts_ns=None)
            if self._stopping.is_set() or self._over:
                return
            if not source.live and gathered.pictures >= DECODED_OF_A_RECORDING:
                return
        if self._stopping.is_set() or not source.live:
            return
        if not self._over:
            gathered.note(ended=True)
        if not gathered.pictures:
            raise self._no_picture()

    @property
    def _over(self) -> bool:
        most_s = self._seconds if self._gathered.pictures else max(self._seconds, FIRST_PICTURE_S)
        return self._gathered.open_s >= most_s

    def _end_in_time(self) -> None:
        """In a thread of its own: iterating may wait long for a picture."""
        self._done.wait(self._seconds)
        if not self._gathered.pictures:
            self._done.wait(max(0.0, FIRST_PICTURE_S - self._seconds))
        if not self._done.is_set():
            self._stop_source()

    def _stop_source(self) -> None:
        stop = getattr(self._source, "stop", None)
        if stop is not None:
            stop()

    def _no_picture(self) -> SourceError:
        found = self._gathered.report()
        where = self._address.redacted
        if not self._over:
            return SourceError(Cause.ENDED, f"{where}: the stream ended before a picture came")
        text = f"{where}: data comes, but no keyframe that can be decoded for {found.watched_s:.0f} s"
        if found.lost:
            text += f" ({found.lost} packets were lost on the way: over transport: tcp none are)"
        return SourceError(Cause.SILENCE, text)
