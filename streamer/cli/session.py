"""One run of a pipeline on the command line: the table, signals, the summary, the exit status."""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

from streamer.cli.console import log_to, message, quiet
from streamer.cli.speaker import Unbuffered
from streamer.cli.summary import summary
from streamer.cli.table import LiveTable
from streamer.errors import ConfigError, text_of
from streamer.pipeline import Pipeline

TICK_S = 0.1
TOGETHER_S = 0.3


class Stop:
    """SIGINT or SIGTERM end the run cleanly; another one later ends the process the hard way.

    What comes within 0.3 s is still the first: whoever ends a group of processes often signals its
    members one by one too (`timeout`, `make`).
    """

    def __init__(self) -> None:
        self.asked = False
        self.interrupts = False
        self._asked_s = 0.0

    def __enter__(self) -> "Stop":
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Raise KeyboardInterrupt at once: for while something may block."""
        self.interrupts = True
        try:
            yield
        finally:
            self.interrupts = False

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's shape
        # Little more than a flag: the main thread may hold any lock at this moment.
        now_s = time.monotonic()
        if not self.asked:
            self.asked, self._asked_s = True, now_s
            if self.interrupts:
                raise KeyboardInterrupt
        elif now_s - self._asked_s > TOGETHER_S:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


class Countdown:
    """So many seconds, from when it `begins` on."""

    def __init__(self, for_s: float, begins: Callable[[], bool]) -> None:
        self._for_s = for_s
        self._begins = begins
        self._end_s = math.inf

    def over(self) -> bool:
        """Whether they have passed; to be asked again and again."""
        now_s = time.monotonic()
        if self._end_s == math.inf and self._begins():
            self._end_s = now_s + self._for_s
        return now_s >= self._end_s


def run(pipeline: Pipeline, for_s: float | None) -> int:
    """Run until the end, the time or a signal. Returns the exit status; raises before the start."""
    return _run(pipeline, Countdown(math.inf if for_s is None else for_s, lambda: True))


def run_from_ready(pipeline: Pipeline, for_s: float) -> int:
    """As `run`, but the time begins when the network is ready, which takes long where it never ran before."""
    return _run(pipeline, Countdown(for_s, lambda: pipeline.stats().ready))


def _run(pipeline: Pipeline, countdown: Countdown) -> int:
    table = LiveTable(pipeline)
    aside = log_to(table.log_handler)
    stderr = Unbuffered(sys.stderr)

    def write(text: str) -> None:
        aside.speaker.say(partial(stderr.write, text))

    try:
        with Stop() as stop, closing_at_the_end(pipeline):
            with stop.interrupting():  # a sink may take long to open
                pipeline.__enter__()
            with table.drawn_by(aside.speaker):
                while not (countdown.over() or stop.asked or pipeline.wait(TICK_S)):
                    table.tick()
        if not pipeline.stats().ready and pipeline.error is None:
            write(message("it ended before the network was ready: nothing was looked at"))
        write(summary(pipeline.stats(), table.width))
        status, why = _status(pipeline, stopped=stop.asked or pipeline.stop_asked)
        if why:
            write(message(why))
        return status
    finally:
        quiet(aside)


@contextmanager
def closing_at_the_end(pipeline: Pipeline) -> Iterator[None]:
    """Leave the pipeline, also when a signal came while it was being entered."""
    try:
        yield
    finally:
        pipeline.__exit__(None, None, None)


def _status(pipeline: Pipeline, *, stopped: bool) -> tuple[int, str]:
    """The exit status, and what is to be said about it."""
    stats = pipeline.stats()
    if pipeline.error is not None and (stats.ready or not stopped):
        # What is wrong with a model shows only when it is loaded: that is before anything was looked at.
        return 1 if stats.ready else 2, text_of(pipeline.error)
    cameras = stats.cameras
    if any(camera.failed for camera in cameras):
        return 1, ""
    if not stopped and not any(camera.captured for camera in cameras):
        return 1, "no camera ever delivered a frame"
    return 0, ""


def positive_seconds(text: str) -> float:
    """A duration on the command line. Raises ConfigError."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ConfigError(f"--for {text}: allowed is a number of seconds above 0 and below 1e9")
    return value
