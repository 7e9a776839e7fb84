"""The log of what was sent when, one JSON line a picture."""

import json
from typing import TextIO

from streamer.errors import SinkError


class Journal:
    """Writes a camera's lines. They are what a picture's true age is measured by."""

    def __init__(self, camera: int, log: TextIO | None) -> None:
        self._camera = camera
        self._log = log

    def note(self, frame: int, picture: int, sent_ns: int, fault: str, *, of_clip: bool) -> None:
        """A picture has left; nobody had it whole before `sent_ns`, monotonic. Raises SinkError."""
        if self._log is None:
            return
        more = f',"fault":{json.dumps(fault)}' if fault else ""
        more += "" if of_clip else ',"of_clip":false'
        entry = (
            f'{{"camera":{self._camera},"frame":{frame},"picture":{picture},'
            f'"sent_mono_ns":{sent_ns}{more}}}\n'
        )
        try:
            self._log.write(entry)
        except OSError as error:
            raise SinkError(f"the log {self._log.name} cannot be written: {error.strerror}") from error
