"""The pipeline: owns the threads and their lifetimes, and wires the boxes together."""

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self

from streamer.account import camera_stats, sink_stats
from streamer.announcer import Announcer
from streamer.camera import Camera
from streamer.clock import Clock, MonotonicClock
from streamer.contracts import Detector, Sink
from streamer.errors import ConfigError, FreshframeError, SinkError
from streamer.kinds import helpers
from streamer.leg import Leg
from streamer.sources.names import check_name
from streamer.stats import Stats
from streamer.threads import Threads
from streamer.wired import Wired

_log = logging.getLogger("freshframe")

# Ctrl-C ends within two seconds; a thread that hangs in native code longer than this is given up.
STOP_S = 1.2
LAST_WORDS_S = 0.6  # of it, for the cameras to say that they have ended
FLUSH_S = 0.2  # for the sinks to close, where a device hangs
SINKS_OPEN_S = 15.0


class Pipeline:
    """Cameras in, results out.

        pipeline = Pipeline()
        pipeline.add(Camera("gate", source), detector)
        pipeline.sink(JsonLines("gate.jsonl"))
        pipeline.run()

    Cameras that share a detector share its batches; detectors on the same device share a worker.
    `stop`, `stats` and `wait` may be called from any thread, the rest from the one that runs it.
    `on_status` is told of each change of a camera's status, in a thread of that camera's; by default they
    are logged under "freshframe", and what is wrong with its pictures too.
    """

    def __init__(
        self, *, on_status: Callable[[Camera], None] | None = None, clock: Clock | None = None
    ) -> None:
        self._clock = clock or MonotonicClock()
        self._announcer = Announcer()
        self._on_status = on_status
        self._cameras: dict[str, tuple[Camera, Detector]] = {}
        self._legs: list[Leg] = []
        self._wired: Wired | None = None
        self._threads = Threads(self._fail)
        self._started = self._ended = False
        self.error: BaseException | None = None  # what ended the run
        self.stop_asked = False  # a sink wanted it to end

    def add(self, camera: Camera, detector: Detector) -> None:
        """Have a camera looked at, from the start on. Raises ConfigError for a name that cannot be."""
        check_name(camera.name)
        if camera.name in self._cameras:
            raise ConfigError(f"there are two cameras called {camera.name!r}: names must be unique")
        self._cameras[camera.name] = (camera, detector)

    def sink(self, sink: Sink[Any], name: str | None = None, *, required: bool = False) -> None:
        """Send results, health and frames to a sink, whichever it takes.

        One that fails is left and entered again until it works; one that is `required` ends the run.
        Raises ConfigError where it takes something else.
        """
        name = name or type(sink).__name__
        self._legs.append(Leg(sink, name, required=required, clock=self._clock))

    def run(self, for_s: float | None = None) -> None:
        """Run until every camera has ended for good, the time is over, or `stop`. Raises what went wrong."""
        with self:
            self.wait(for_s)
            self.stop()
        if self.error is not None:
            raise self.error
        for camera, _ in self._cameras.values():
            if camera.error is not None:
                raise camera.error

    def __enter__(self) -> Self:
        """Open the sinks, then start everything. Raises where a sink cannot be opened."""
        if self._wired is not None:
            raise RuntimeError("a pipeline runs once; make a new one")
        if not self._cameras:
            raise ConfigError("there is no camera to look at")
        self._wired = wired = Wired(self._cameras, self._legs, self._clock)
        try:
            self._open_sinks()
            self._started = True
            self._start(wired)
        except BaseException:
            for leg in self._legs:
                leg.inbox.close()
            self._hush(self._cameras)
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and join every thread but those that hang in native code. Once; then it does nothing."""
        if self._ended:
            return
        self._ended = True
        self.stop()
        self._threads.join(LAST_WORDS_S)
        self._hush(self._cameras)  # of a camera that still runs nobody waits to hear how it ends
        self._threads.join(STOP_S - LAST_WORDS_S)
        if self._threads.given_up and self._wired is not None:
            # Whoever hangs can't speak when it wakes, and the sinks close without it.
            for writer in self._wired.results.values():
                writer.revoke()
            self._threads.join(FLUSH_S)
            for leg in self._legs:
                leg.abandon()
        for name in self._threads.given_up:
            _log.warning("given up: thread %r did not end within %.1f s", name, STOP_S)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end: True when everything has ended or was told to, False when the time is over."""
        return self._threads.wait(timeout_s)

    def stop(self) -> None:
        """Close from the cameras on: frames not yet taken are dropped, results on their way are written."""
        self._threads.end()
        for camera, _ in self._cameras.values():
            camera.stop()
        if self._wired is not None:
            for lane in self._wired.lanes.values():
                lane.revoke()
            for worker, _, _ in self._wired.workers.values():
                worker.dismiss()

    def stats(self) -> Stats:
        """What has happened so far; conserves counters only once everything has ended."""
        wired = self._wired
        if wired is None:
            return Stats([], [], ready=False)
        cameras = [camera_stats(camera, wired) for camera, _ in self._cameras.values()]
        sinks = [sink_stats(leg) for leg in self._legs]
        return Stats(cameras, sinks, ready=all(worker.ready for worker, _, _ in wired.workers.values()))

    def _open_sinks(self) -> None:
        """Every sink must open before a camera is touched: an unwritable output is an error at the start."""
        for leg in self._legs:
            self._threads.start(f"sink {leg.name}", partial(leg.run, self._leg_failed, self._leg_left))
        deadline = time.monotonic() + SINKS_OPEN_S
        for leg in self._legs:
            if not leg.opened.wait(max(0.0, deadline - time.monotonic())):
                leg.error = SinkError(f"sink {leg.name} did not open within {SINKS_OPEN_S:.0f} s")
        failed = [leg.error for leg in self._legs if leg.error is not None]
        if failed:
            raise failed[0]

    def _start(self, wired: Wired) -> None:
        self._threads.start("analysis", wired.analysis.run)
        for device, (worker, detectors, out) in wired.workers.items():
            self._threads.start(f"prepare {device}", worker.prepare)
            for number in range(helpers(detectors)):
                self._threads.start(f"prepare {device} +{number + 1}", worker.help)
            self._threads.start(f"infer {device}", partial(worker.infer, detectors, out))
        for name, (camera, _) in self._cameras.items():
            self._threads.start(f"camera {name}", partial(self._look_after, camera, wired))

    def _look_after(self, camera: Camera, wired: Wired) -> None:
        """A camera's thread: its loop, and all that is to be said of it."""
        viewers = wired.viewers if camera.source.live else []
        try:
            camera.run(wired.lanes[camera.name], partial(self._tell, wired), [box.show for box in viewers])
        finally:
            self._hush([camera.name])

    def _tell(self, wired: Wired, camera: Camera) -> None:
        """Something of a camera has changed, or should be said once more. A thread of that camera's."""
        health, news = wired.checkups[camera.name].of(camera)
        for leg in self._legs:
            leg.inbox.tell(health)
        if self._on_status is None:
            self._announcer(camera, health, news=news)
            self._announcer.pictures(health)
        elif news:
            self._on_status(camera)

    def _hush(self, cameras: Iterable[str]) -> None:
        if self._wired is not None:
            for leg in self._legs:
                for camera in cameras:
                    leg.inbox.hush(camera)

    def _leg_failed(self, leg: Leg, error: FreshframeError) -> None:
        """A sink does not work, and is tried again."""
        if leg.outages.whole is None:  # one camera's output: those of the others are written
            _log.warning("%s; the rest goes on, and it is tried again", error)
        elif any(other.outages.whole is None for other in self._legs if other is not leg):
            _log.warning("%s; the others run on, and it is tried again", error)
        else:
            _log.error("%s; no sink works now, what is seen gets nowhere; it is tried again", error)

    def _leg_left(self, leg: Leg) -> None:
        """A sink has gone. When it was required, or the last one and no other works, that ends the run."""
        if leg.stop_asked:
            self.stop_asked = True
            self.stop()
        if leg.error is None or not self._started:
            return  # where it could not even be opened, `__enter__` says so
        if leg.required or all(other.left and other.error is not None for other in self._legs):
            self._fail(leg.error)
        elif not leg.outages:  # not said yet
            _log.warning("%s; the others run on", leg.error)

    def _fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            if not isinstance(error, FreshframeError):
                _log.error("a thread failed unexpectedly", exc_info=error)
        self.stop()
