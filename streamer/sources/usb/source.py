"""A webcam as a live source."""

import logging
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import Cause, SourceError
from streamer.sources.address import Address
from streamer.sources.options import SourceOptions
from streamer.sources.usb.asking import Granted, ask, verdict
from streamer.sources.usb.capture import Capture, Lost
from streamer.sources.usb.elsewhere import ByNumber
from streamer.sources.usb.rate import Rate
from streamer.sources.usb.raw import picture_of
from streamer.sources.usb.system import Known, Place, System
from streamer.sources.usb.v4l2 import V4l2

_log = logging.getLogger("freshframe")

# How soon `stop` is noticed.
_LOOK_S = 0.1
SILENT_NS = 5_000_000_000
_MISSED = 3
# A picture that need not be waited for lay in the driver's queue; how many intervals old it may be then.
_AT_ONCE_NS, _STALE = 1_000_000, 2
_USUAL_FPS = 30.0


def this_system() -> System:
    """Who finds cameras on this computer."""
    return V4l2() if sys.platform == "linux" else ByNumber()


class UsbSource:
    """A camera of this computer, read by OpenCV. Each entry opens it anew.

    Asks for MJPG, and for the size and rate of `options`; logs what was granted, and where far fewer come.
    Pictures are decoded when somebody looks at them; of those that pile up, the newest is handed out. A
    camera that was opened by its number is found again under another, and another camera is not taken for
    it. `stop`, from any thread, ends it within 0.1 s, for good. Raises SourceError on entry and while
    iterating: DEVICE for what is unplugged or held by another program, NOT_FOUND for what is not there.
    """

    live = True
    ends = False

    def __init__(
        self, address: Address, options: SourceOptions, clock: Clock, system: System | None = None
    ) -> None:
        self.damaged = 0  # pictures of this connection that showed nothing
        self._address = address
        self._options = options
        self._clock = clock
        self._system = system or this_system()
        self._known: Known | None = None
        self._told = ""  # what was said last of what was granted
        self._opened: tuple[Capture, Granted, Place] | None = None
        self._opened_ns = 0
        self._stopping = False

    @property
    def granted(self) -> Granted | None:
        """What the driver says that it gives, while it is open."""
        return self._opened[1] if self._opened else None

    def renew(self) -> "UsbSource":
        """Another source for the same camera, not yet entered. It knows which one it is."""
        other = UsbSource(self._address, self._options, self._clock, self._system)
        other._known, other._told = self._known, self._told
        return other

    def stop(self) -> None:
        """End the iteration. From any thread."""
        self._stopping = True

    def __enter__(self) -> Self:
        self.damaged = 0
        place = self._system.find(self._address, self._known)
        self._opened_ns = self._clock.now_ns()
        capture = self._system.open(self._address, place)
        try:
            self._check_same(place)
            granted = ask(capture, self._options)
        except BaseException:
            capture.close()
            raise
        self._known = place.known or self._known
        self._opened = capture, granted, place
        self._say(granted, place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if self._opened:
            capture, self._opened = self._opened[0], None
            capture.close()

    def __iter__(self) -> Iterator[Captured]:
        if self._opened is None:
            raise ValueError("a source is entered before it is iterated")
        capture, granted, place = self._opened
        rate, last_ns, heard_ns = Rate(granted.fps), self._opened_ns, self._clock.now_ns()
        interval_ns = round(1e9 / (granted.fps or _USUAL_FPS))
        silent_ns = max(SILENT_NS, _MISSED * interval_ns)
        damaged = skipped = 0
        while not self._stopping:
            try:
                waited_ns = self._wait(capture)
            except Lost:
                raise self._lost(place) from None
            now_ns = self._clock.now_ns()
            if waited_ns is not None:
                captured_ns = _sane(capture.taken_ns(), last_ns, now_ns)
                # As it is: in dim light it is longer. A gap of our own making does not lengthen it much.
                interval_ns = min(captured_ns - last_ns, 2 * interval_ns)
                last_ns = captured_ns
                raw = capture.retrieve()
                if waited_ns < _AT_ONCE_NS and now_ns - captured_ns > _STALE * interval_ns:
                    skipped += 1  # we were late, and it has waited for us; a newer one comes
                    continue
                if (poor_fps := rate.came(captured_ns, skipped)) is not None:
                    self._warn(granted, poor_fps, place)
                seen = None if raw is None else picture_of(raw, granted.codec, granted.size)
                if seen is None:
                    self.damaged += 1
                else:
                    yield Captured(seen[0], captured_ns, keyframe=True, skipped=skipped, damaged=seen[1])
                    skipped, damaged = 0, self.damaged
                    now_ns = heard_ns = self._clock.now_ns()  # whoever looked at it may have taken long
            if now_ns - heard_ns > silent_ns:
                raise self._silence(now_ns - heard_ns, self.damaged - damaged)

    def _wait(self, capture: Capture) -> int | None:
        """Wait a moment for a picture: how long that took, ns, or None where none came."""
        asked_ns = self._clock.now_ns()
        return self._clock.now_ns() - asked_ns if capture.wait(_LOOK_S) else None

    def _check_same(self, place: Place) -> None:
        """It may have been exchanged for another while it was opened."""
        if self._system.find(self._address, place.known) != place:
            raise SourceError(Cause.DEVICE, f"{self._address.redacted}: was plugged in anew just now")

    def _lost(self, place: Place) -> SourceError:
        if self._known is not None:
            self._known = self._system.parted(self._known)
        return self._system.lost(self._address, place)

    def _silence(self, silent_ns: int, damaged: int) -> SourceError:
        what = f"{damaged} pictures came, and none could be read" if damaged else "no picture came"
        return SourceError(Cause.SILENCE, f"{self._address.redacted}: {what} for {silent_ns / 1e9:.0f} s")

    # ---- what is said

    def _say(self, granted: Granted, place: Place) -> None:
        level, text = verdict(self._options, granted, place.device)
        text = f"{self._named(place)}: {text}"
        if text != self._told:
            self._told = text
            _log.log(level, "%s", text)

    def _warn(self, granted: Granted, fps: float, place: Place) -> None:
        _log.warning(
            "%s: %g fps were granted, %.1f come: in dim light cameras expose longer (more light helps, or "
            "`v4l2-ctl --device %s --set-ctrl exposure_dynamic_framerate=0`); or the USB port is too slow",
            self._named(place),
            granted.fps,
            fps,
            place.device,
        )

    def _named(self, place: Place) -> str:
        what = ", ".join(part for part in (place.name, place.device) if part)
        return f"{self._address.redacted} ({what})"


def _sane(said_ns: int | None, after_ns: int, now_ns: int) -> int:
    """When a picture was taken: as its driver says where that can be, else now."""
    return said_ns if said_ns is not None and after_ns < said_ns <= now_ns else now_ns
