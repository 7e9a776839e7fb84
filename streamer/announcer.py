"""What people should hear of cameras while a pipeline runs."""

import logging
import re
from dataclasses import dataclass

from streamer.camera import Camera
from streamer.errors import followed_by, text_of
from streamer.frame import Quality
from streamer.health import Health
from streamer.status import State

_log = logging.getLogger("freshframe")

# LATE has its words in the status.
PICTURES = {
    Quality.DAMAGED: ("pictures are damaged", "pictures are whole again"),
    Quality.FROZEN: ("the picture is frozen", "the picture is no longer frozen"),
    Quality.DARK: ("the picture is dark", "the picture is no longer dark"),
    Quality.COVERED: ("the lens is covered", "the lens is no longer covered"),
    Quality.DEFOCUSED: ("the picture is out of focus", "the picture is no longer out of focus"),
    Quality.MOVED: ("the camera looks somewhere else", "the camera looks where it did before"),
}
# A camera that flaps says the same again and again. Other numbers (seconds, ports) make nothing else of it.
QUIET_STATUS_NS = 10_000_000_000
MOST_SAID = 8  # different things of one camera within that time
_NUMBER = re.compile(r"[0-9]+(?:[.:][0-9]+)*")
# A flag that comes and goes is said to come this often at most; packets are lost all the time.
QUIET_NS = 10_000_000_000
QUIET_DAMAGED_NS = 60_000_000_000


@dataclass(slots=True)
class Said:
    """When something was said of a camera, and how often it was held back since."""

    at_ns: int
    held_back: int = 0


class Announcer:
    """Says once what somebody may want to act on: a camera that fails every second says it once.

    One that flaps says each thing once in ten seconds, and how often it was true meanwhile. Called in the
    cameras' threads at each change, and every few seconds besides, so that what stays is said; each touches
    its own entries only.
    """

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}
        self._said: dict[str, dict[str, Said]] = {}
        self._pictures: dict[str, Quality] = {}  # what was said to be wrong
        self._began_ns: dict[tuple[str, Quality], int] = {}  # when it was

    def __call__(self, camera: Camera, health: Health, *, news: bool) -> None:
        """Say how it stands, unless that was said. `news`: its status is another than at the call before."""
        status = health.status
        level, text = logging.INFO, ""
        if status.state in (State.RETRYING, State.FAILED):
            when = "trying again slowly" if status.state is State.FAILED else "trying again"
            level, text = logging.WARNING, followed_by(status.why, when)
        elif camera.error is not None:
            level, text = logging.ERROR, text_of(camera.error)
        elif status.state in (State.LIVE, State.SILENT) and status.why:
            level, text = logging.WARNING, status.why
        elif status.state is State.LIVE:
            width, height = camera.size or (0, 0)
            text = f"{'live' if camera.source.live else 'reading'}, {width}×{height}"
        if text and self._latest.get(camera.name) != text:
            again = self._again(camera.name, text, health.at_ns, news=news, last=level == logging.ERROR)
            if again is not None:
                self._latest[camera.name] = text
                _log.log(
                    level, "%s: %s%s", camera.name, text, f" ({again} times more meanwhile)" if again else ""
                )

    def _again(self, camera: str, text: str, now_ns: int, *, news: bool, last: bool) -> int | None:
        """How often it was held back since it was said; None where it is to be held back now."""
        key, said = _NUMBER.sub("#", text), self._said.setdefault(camera, {})
        entry = said.get(key)
        if not last and entry is not None and now_ns - entry.at_ns < QUIET_STATUS_NS:
            entry.held_back += news
            return None
        if entry is None and len(said) >= MOST_SAID:
            for old in [old for old, other in said.items() if now_ns - other.at_ns >= QUIET_STATUS_NS]:
                del said[old]
            if len(said) >= MOST_SAID and not last:
                return None
        said[key] = Said(now_ns)
        return entry.held_back if entry is not None else 0

    def pictures(self, health: Health) -> None:
        """Say what began or ended to be wrong with a camera's pictures."""
        camera = health.camera
        said = self._pictures.get(camera, Quality.FINE)
        if said == health.quality:
            return
        for flag, (began, ended) in PICTURES.items():
            if flag in health.quality and flag not in said:
                quiet_ns = QUIET_DAMAGED_NS if flag is Quality.DAMAGED else QUIET_NS
                last_ns = self._began_ns.get((camera, flag))
                if last_ns is None or health.at_ns - last_ns >= quiet_ns:
                    self._began_ns[camera, flag] = health.at_ns
                    said |= flag
                    _log.warning("%s: %s", camera, began)
            elif flag in said and flag not in health.quality:
                said &= ~flag
                _log.info("%s: %s", camera, ended)
        self._pictures[camera] = said
