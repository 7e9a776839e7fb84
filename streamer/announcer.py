"""What people should hear of cameras while a pipeline runs."""

import logging

from streamer.camera import Camera
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
# A flag that comes and goes is said to come this often at most; packets are lost all the time.
QUIET_NS = 10_000_000_000
QUIET_DAMAGED_NS = 60_000_000_000


class Announcer:
    """Says once what somebody may want to act on: a camera that fails every second says it once.

    Called in the cameras' threads; each touches its own entries only.
    """

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._pictures: dict[str, Quality] = {}  # what was said to be wrong
        self._began_ns: dict[tuple[str, Quality], int] = {}  # when it was

    def __call__(self, camera: Camera) -> None:
        status = camera.status
        level, text = logging.INFO, ""
        if status.state in (State.RETRYING, State.FAILED):
            when = "trying again slowly" if status.state is State.FAILED else "trying again"
            level, text = logging.WARNING, f"{status.why}; {when}"
        elif camera.error is not None:
            level, text = logging.ERROR, str(camera.error)
        elif status.state in (State.LIVE, State.SILENT) and status.why:
            level, text = logging.WARNING, status.why
        elif status.state is State.LIVE:
            width, height = camera.size or (0, 0)
            text = f"{'live' if camera.source.live else 'reading'}, {width}×{height}"
        if text and self._said.get(camera.name) != text:
            self._said[camera.name] = text
            _log.log(level, "%s: %s", camera.name, text)

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
