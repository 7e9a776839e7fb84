"""What people should hear of cameras while a pipeline runs."""

import logging

from streamer.camera import Camera
from streamer.status import State

_log = logging.getLogger("freshframe")


class Announcer:
    """Says once what somebody may want to act on: a camera that fails every second says it once.

    Called in the cameras' threads; each touches its own entry only.
    """

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def __call__(self, camera: Camera) -> None:
        status = camera.status
        level, text = logging.INFO, ""
        if status.state in (State.RETRYING, State.FAILED):
            when = "trying again slowly" if status.state is State.FAILED else "trying again"
            level, text = logging.WARNING, f"{status.why}; {when}"
        elif camera.error is not None:
            level, text = logging.ERROR, str(camera.error)
        elif status.state is State.LIVE and status.why:
            level, text = logging.WARNING, status.why
        elif status.state is State.LIVE:
            width, height = camera.size or (0, 0)
            text = f"{'live' if camera.source.live else 'reading'}, {width}×{height}"
        if text and self._said.get(camera.name) != text:
            self._said[camera.name] = text
            _log.log(level, "%s: %s", camera.name, text)
