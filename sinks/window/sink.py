"""The sink of the window: takes what comes of the cameras, and hears what the window's process says."""

import os
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, get_args

from sinks.window import snapshots
from sinks.window.hanging import Hanging
from sinks.window.messages import MOST_CAMERAS, MOST_TEXT, Mode, Quit, Snap, View, Wanted
from sinks.window.process import Gone, Process, opened
from sinks.window.watched import Watched
from streamer import Region, display
from streamer.errors import ConfigError, SinkError, StopAsked, Unwritten, text_of
from streamer.frame import Frame
from streamer.health import Health
from streamer.result import Result

ADVICE = "run it in a desktop session, or write --video PATH instead"
OPENS_S = 10.0
# No more pictures of one camera than a screen shows in a second; the newest is shown in any case.
SHORTEST_NS = 14_000_000
RECORDED_NS = 33_000_000  # a recording is read as fast as it goes: nobody sees more of it either
# The next picture brings the newest boxes along. Where it takes so long to come they are drawn on this one.
AWAITED_NS = 100_000_000
# Between two tries to open a window that went away: each costs a process half a second.
FIRST_S, LONGEST_S, LASTED_S = 0.5, 10.0, 5.0


class Window:
    """Shows all cameras in a window on this machine's screen.

    mode: `exact` shows a picture only with what was seen in that very picture, so later and no more often
    than the detector looks; `latest` the newest picture with the newest boxes, wherever things are by now;
    `predicted` the newest picture with each box carried on by its motion. snapshots: the folder for them.
    cameras: in the order in which they are shown; others follow as they are heard of. regions: by camera, to
    be outlined.

    `q`, or closing the window, raises StopAsked. Raises SinkError where there is no display, or it has gone.
    """

    takes: tuple[type[Any], ...] = (Frame, Result, Health)

    def __init__(
        self,
        *,
        mode: Mode = "predicted",
        snapshots: str | os.PathLike[str] = ".",
        cameras: Sequence[str] = (),
        regions: Mapping[str, Region] | None = None,
    ) -> None:
        if mode not in get_args(Mode):
            raise ConfigError(f"window: mode is {mode!r}; allowed: {', '.join(get_args(Mode))}")
        if len(cameras) > MOST_CAMERAS:
            raise ConfigError(f"window: {len(cameras)} cameras; it shows no more than {MOST_CAMERAS}")
        self._mode: Mode = mode
        self._folder = os.fspath(snapshots)
        if mode == "exact":
            self.takes = (Result, Health)  # frames that nobody has looked at are not shown
        now_ns = time.monotonic_ns()
        self._polygons = {camera: region.polygons for camera, region in (regions or {}).items()}
        self._cameras = [Watched(name, mode, now_ns, self._polygons.get(name, ())) for name in cameras]
        self._numbers = {name: number for number, name in enumerate(cameras)}
        self._process: Process | None = None
        self._hanging: Hanging | None = None
        self._pending: dict[int, int] = {}  # cameras with something new, and when it is to be shown
        self._shown_ns: dict[int, int] = {}
        self._note = ""
        self._noted_ns = 0
        self._opened_s = self._again_s = 0.0
        self._pause_s = FIRST_S
        self._why = ""

    def __enter__(self) -> Self:
        """Open the window, where there is a display. Raises SinkError."""
        if time.monotonic() < self._again_s:
            raise SinkError(self._why)
        if why := display.missing():
            raise SinkError(f"window: there is no display: {why}; {ADVICE}")
        try:
            self._process = self._open()
        except (SinkError, OSError) as error:
            self._failed(str(error))
            raise
        self._opened_s = time.monotonic()
        self._hanging = Hanging(self._process)
        self._pending.clear()
        self._show_view()
        for number, camera in enumerate(self._cameras):
            self._hanging.words(number, camera)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, by force if need be, within 0.3 s."""
        process, self._process, self._hanging = self._process, None, None
        if process is not None:
            process.end()

    def write(self, item: Frame | Result | Health) -> None:
        """Take something new of a camera; what is shown of it, and when, the window says."""
        number = self._number(item)
        camera, hanging = self._cameras[number], self._there()
        camera.take(item)
        if isinstance(item, Health):
            hanging.words(number, camera)
        elif hanging.paused:
            pass  # what comes now is shown when it goes on, if nothing newer has come
        elif (frame := camera.frame) is not None and frame is not camera.shown:
            self._pending[number] = self._shown_ns.get(number, 0) + (
                SHORTEST_NS if frame.live else RECORDED_NS
            )
        else:
            self._pending.setdefault(number, time.monotonic_ns() + AWAITED_NS)
        self.idle()

    def idle(self) -> None:
        """Hear what the window says, and show what is due."""
        self._hear()
        if not self._pending:
            return
        now_ns = time.monotonic_ns()
        for number in [number for number, due_ns in self._pending.items() if due_ns <= now_ns]:
            self._show(number, now_ns)

    # ---- to the window

    def _show(self, number: int, now_ns: int) -> None:
        hanging, camera = self._there(), self._cameras[number]
        if not hanging.shows(number):
            return  # it stays pending: there may be room for it later
        del self._pending[number]
        frame = camera.shown if hanging.paused else camera.frame
        if frame is None:
            return
        if hanging.picture(number, camera, frame):
            self._shown_ns[number] = now_ns
        else:
            camera.frame = camera.shown

    def _show_view(self) -> None:
        self._there().view(View(self._mode, len(self._cameras), self._folder, self._note, self._noted_ns))

    def _number(self, item: Frame | Result | Health) -> int:
        name = item.frame.camera if isinstance(item, Result) else item.camera
        number = self._numbers.get(name)
        if number is None:
            number = len(self._cameras)
            if number >= MOST_CAMERAS:
                raise Unwritten(f"window: it shows no more than {MOST_CAMERAS} cameras; {name} is not shown")
            self._numbers[name] = number
            region = self._polygons.get(name, ())
            self._cameras.append(Watched(name, self._mode, time.monotonic_ns(), region))
            self._there().words(number, self._cameras[number])
            self._show_view()
        return number

    # ---- from the window

    def _hear(self) -> None:
        try:
            heard = self._running().heard()
        except SinkError as error:
            if why := display.missing():
                raise SinkError(f"window: the display has gone: {why}") from error
            self._failed(f"window: {error}" if isinstance(error, Gone) else str(error))
            raise SinkError(self._why) from error
        for said in heard:
            match said:
                case Wanted():
                    self._there().want(said)
                    self._pending = dict.fromkeys(range(len(self._cameras)), 0)
                case Snap():
                    self._keep(said.camera)
                case Quit():
                    raise StopAsked("the window was closed")
                case _:
                    continue

    def _keep(self, number: int) -> None:
        """A camera's picture as it is shown, in full size."""
        camera = self._cameras[number] if number < len(self._cameras) else None
        if camera is None or camera.shown is None:
            self._note = "no snapshot: there is no picture yet"
        else:
            try:
                drawn = camera.drawn(camera.shown)
            except Exception as error:  # somebody else's picture
                self._note = f"no snapshot: the picture cannot be read: {text_of(error)}"[:MOST_TEXT]
            else:
                self._note = snapshots.keep(self._folder, camera.name, drawn)
        self._noted_ns = time.monotonic_ns()
        self._show_view()

    def _failed(self, why: str) -> None:
        """It is tried again ever later, unless the last one lasted."""
        now_s = time.monotonic()
        if now_s - self._opened_s > LASTED_S:
            self._pause_s = FIRST_S
        self._why, self._again_s = why, now_s + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_S)

    @staticmethod
    def _open() -> Process:
        try:
            return opened(OPENS_S)
        except Gone as error:
            where = f"the display {name}" if (name := os.environ.get("DISPLAY")) else "the screen"
            raise SinkError(f"window: {where} cannot be used: {error}; {ADVICE}") from error

    def _running(self) -> Process:
        if self._process is None:
            raise SinkError("window: it is not open")
        return self._process

    def _there(self) -> Hanging:
        if self._hanging is None:
            raise SinkError("window: it is not open")
        return self._hanging
