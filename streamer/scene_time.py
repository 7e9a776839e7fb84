"""Time for analysis: what trackers, zones and rules count with, so that a replay gives the same events."""

from streamer.contracts import Captured

# Pictures without any time of their own (a folder of them) stand one second apart.
STEP_NS = 1_000_000_000
# Cameras' clocks run slow by up to 500 ppm: the least delay grows by that, and is no delay. Nothing
# tells it from a delay that grows or stays, so that is forgotten at the same rate, 36 ms a minute.
DRIFT_PPM = 600
# While nothing comes nothing is learnt about the clock either.
LONGEST_GAP_NS = 1_000_000_000
# A picture that is repeated or out of order does not mean that the clock was set or stands still.
STUMBLE_NS = 100_000_000
FROZEN_NS = 1_000_000_000


class SceneTime:
    """Scene time within one epoch. Used by the camera's thread only.

    Live: presentation time, anchored to the arrival of the frame that came with the least delay so
    far (monotonic ns): a picture cannot come before it was taken, so scene time is never ahead of
    arrival. The anchor gives way by 600 ppm, so that a clock that runs slow is not taken for a delay
    that grows; arrival minus scene time is therefore the least that the delay can be. In a recording:
    the file's own presentation time, from its start. It always grows.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._anchor_ns: int | None = None  # arrival minus presentation time
        self._captured_ns = 0  # the last arrival
        self._pts_ns: int | None = None  # the last presentation time
        self._still_ns: int | None = None  # the arrival that repeated it first
        self._last_ns: int | None = None

    def of(self, captured: Captured) -> int:
        """The scene time of the next frame, ns."""
        return self.at(captured.captured_ns, captured.pts_ns)

    def at(self, captured_ns: int, pts_ns: int | None) -> int:
        """The same, from its arrival and its presentation time."""
        scene_ns = self._anchored(captured_ns, pts_ns) if self._live else pts_ns
        if scene_ns is None:
            scene_ns = 0 if self._last_ns is None else self._last_ns + STEP_NS
        if self._last_ns is not None and scene_ns <= self._last_ns:
            back_ns, scene_ns = self._last_ns - scene_ns, self._last_ns + 1
            if self._live and back_ns > STUMBLE_NS:
                self._anchor_ns = None  # the camera's clock went back
                scene_ns = max(captured_ns, scene_ns)
        self._last_ns = scene_ns
        return scene_ns

    def _anchored(self, captured_ns: int, pts_ns: int | None) -> int:
        if pts_ns is None:
            return captured_ns
        if pts_ns != self._pts_ns:
            self._pts_ns, self._still_ns = pts_ns, None
        elif self._still_ns is None:
            self._still_ns = captured_ns
        elif captured_ns - self._still_ns > FROZEN_NS:
            self._anchor_ns = None  # a clock that stands still tells nothing
            return captured_ns
        gap_ns = min(max(captured_ns - self._captured_ns, 0), LONGEST_GAP_NS)
        self._captured_ns = captured_ns
        delay_ns = captured_ns - pts_ns
        if self._anchor_ns is None:
            self._anchor_ns = delay_ns
        self._anchor_ns = min(delay_ns, self._anchor_ns + gap_ns * DRIFT_PPM // 1_000_000)
        return self._anchor_ns + pts_ns
