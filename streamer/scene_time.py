"""Time for analysis: what trackers, zones and rules count with, so that a replay gives the same events."""

from streamer.contracts import Captured

# Pictures without any time of their own (a folder of them) stand one second apart.
STEP_NS = 1_000_000_000


class SceneTime:
    """Scene time within one epoch. Used by the camera's thread only.

    Live: presentation time, anchored to the arrival of the frame that came with the least delay so
    far (monotonic ns): a picture cannot come before it was taken, so scene time is never ahead of
    arrival. In a recording: the file's own presentation time, from its start. It always grows.
    """

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._anchor_ns: int | None = None  # arrival minus presentation time
        self._last_ns: int | None = None

    def of(self, captured: Captured) -> int:
        """The scene time of the next frame, ns."""
        scene_ns = self._anchored(captured) if self._live else captured.pts_ns
        if scene_ns is None:
            scene_ns = 0 if self._last_ns is None else self._last_ns + STEP_NS
        if self._last_ns is not None and scene_ns <= self._last_ns:
            self._anchor_ns = None  # the camera's clock went back
            scene_ns = max(captured.captured_ns, self._last_ns + 1) if self._live else self._last_ns + 1
        self._last_ns = scene_ns
        return scene_ns

    def _anchored(self, captured: Captured) -> int:
        if captured.pts_ns is None:
            return captured.captured_ns
        delay_ns = captured.captured_ns - captured.pts_ns
        if self._anchor_ns is None or delay_ns < self._anchor_ns:
            self._anchor_ns = delay_ns
        return self._anchor_ns + captured.pts_ns
