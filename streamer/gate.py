"""Which frames the detector looks at, of those that a camera hands on."""

from typing import Protocol

from streamer.frame import Frame


class Gate(Protocol):
    """Asked for each frame, in order, in the camera's thread. `reason` is what is kept back is counted under.

    A gate before the detector keeps nothing from a display or a recorder.
    """

    reason: str

    def admits(self, frame: Frame) -> bool:
        """True where the frame is to be looked at."""


class Beat:
    """Admits no more than `fps` frames a second of scene time, evenly."""

    def __init__(self, fps: float, reason: str) -> None:
        self.reason = reason
        self._interval_ns = round(1e9 / fps)
        self._due_ns: int | None = None

    def admits(self, frame: Frame) -> bool:
        """Keep a steady beat: the next due time counts from the last one, unless the camera was away."""
        scene_ns = frame.scene_ns
        ahead_ns = 0 if self._due_ns is None else self._due_ns - scene_ns
        if 0 < ahead_ns <= self._interval_ns:
            return False
        steady = self._due_ns is not None and -self._interval_ns <= ahead_ns <= 0
        self._due_ns = scene_ns + self._interval_ns + (ahead_ns if steady else 0)
        return True
