"""From what a source yields to what goes downstream: its place, its times, its flags, and whether it goes."""

import logging
from collections.abc import Sequence

from streamer.backlog import LATE_NS, Backlog, Verdict
from streamer.camera.pictures import Pictures
from streamer.contracts import Captured
from streamer.errors import Stale
from streamer.frame import Frame, Quality
from streamer.gate import Gate
from streamer.scene_time import SceneTime

_log = logging.getLogger("freshframe")

_FINE = Quality.FINE


class Intake:
    """One camera's, over all its connections. Used by one reader at a time; `pictures` is shared.

    `late` is True while pictures are late and nothing newer is to be had.
    """

    def __init__(self, camera: str, gates: Sequence[Gate], pictures: Pictures) -> None:
        self.pictures = pictures
        self._camera = camera
        self._gates = list(gates)
        self._gate_failed = False
        self._backlog = Backlog()
        self._live = self._ends = False
        self._times = SceneTime(live=False)

    @property
    def late(self) -> bool:
        """Pictures come late, and a new connection would not help."""
        return self._backlog.late

    def connected(self, *, live: bool, ends: bool) -> None:
        """A new connection begins: times are anchored anew."""
        self._live, self._ends = live, ends
        self._times = SceneTime(live=live)
        self._backlog.connected()
        self.pictures.connected()

    def judge(self, captured: Captured, epoch: int, index: int, now_ns: int) -> tuple[Frame, Verdict, bool]:
        """The next picture as a frame, what the drop-to-live rule says, and whether quality has changed."""
        scene_ns = self._times.of(captured)
        shows = self.pictures.look(captured, scene_ns)
        lag_ns = max(0, captured.captured_ns - scene_ns) if self._live else 0
        verdict = self._judge(lag_ns, captured)
        late, damaged, quality = verdict is Verdict.LATE, captured.damaged, shows
        if damaged:
            quality |= Quality.DAMAGED
        if late:
            quality |= Quality.LATE
        changed = self.pictures.came(shows, damaged, late, now_ns)
        frame = Frame(
            camera=self._camera,
            epoch=epoch,
            index=index,
            captured_ns=captured.captured_ns,
            scene_ns=scene_ns,
            pts_ns=captured.pts_ns,
            source_ns=captured.source_ns,
            keyframe=captured.keyframe,
            quality=quality,
            picture=captured.picture,
            live=self._live,
        )
        return frame, verdict, changed

    def kept_back_by(self, frame: Frame) -> str | None:
        """The reason of the gate that is shut; None where the frame is to be looked at."""
        try:
            for gate in self._gates:
                if not gate.admits(frame):
                    return gate.reason
        except Stale:
            return None  # overwritten before it was seen: whoever looks next will say so, and it is counted
        except Exception:  # a picture that cannot be read: it is the detector's to fail on, and counted there
            if not self._gate_failed:
                self._gate_failed = True
                _log.exception("camera %s: a gate failed, the frame is looked at", self._camera)
        return None

    def _judge(self, lag_ns: int, captured: Captured) -> Verdict:
        if self._ends:
            return Verdict.LIVE
        if captured.segmented:  # newer ones come with the next segment, and not any sooner
            return Verdict.LATE if lag_ns > LATE_NS else Verdict.LIVE
        return self._backlog.judge(lag_ns, captured.captured_ns)
