"""From what a source yields to what goes downstream: its place, its times, its flags, and whether it goes."""

import logging
import threading
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

PACE = "max_fps"  # the reason of frames that nobody gets; what another gate keeps back is still shown


class Intake:
    """One camera's, over all its connections. Used by one reader at a time; `pictures` is shared.

    `late` is True while pictures are late and nothing newer is to be had. Where a reader that was left
    behind still hangs in the watch or in a gate, its successor goes without: they are for one thread.
    """

    def __init__(self, camera: str, gates: Sequence[Gate], pictures: Pictures) -> None:
        self.pictures = pictures
        self._camera = camera
        self._gates = list(gates)
        self._gate_failed = False
        self._backlog = Backlog()
        self._live = self._ends = False
        self._times = SceneTime(live=False)
        self._anew = False  # the watch has not heard of this connection yet
        self._looking = threading.Lock()  # held by whoever is in the watch or in a gate

    @property
    def late(self) -> bool:
        """Pictures come late, and a new connection would not help."""
        return self._backlog.late

    def connected(self, *, live: bool, ends: bool) -> None:
        """A new connection begins: times are anchored anew."""
        self._live, self._ends = live, ends
        self._times = SceneTime(live=live)
        self._backlog.connected()
        self._anew = True

    def judge(self, captured: Captured, epoch: int, index: int) -> tuple[Frame, Verdict, Quality]:
        """The next picture as a frame, what the drop-to-live rule says, and what its watch says."""
        live = self._live
        scene_ns = self._times.of(captured)
        lag_ns = max(0, captured.captured_ns - scene_ns) if live else 0
        verdict = self._judge(lag_ns, captured)
        # From here on nothing of a camera is touched but what the lock is for: it may take for ever.
        shows = self._shows(captured, scene_ns)
        late, damaged, quality = verdict is Verdict.LATE, captured.damaged, shows
        if damaged:
            quality |= Quality.DAMAGED
        if late:
            quality |= Quality.LATE
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
            live=live,
        )
        return frame, verdict, shows

    def kept_back_by(self, frame: Frame) -> str | None:
        """The reason of the gate that is shut; None where the frame is to be looked at."""
        if not self._gates or not self._looking.acquire(blocking=False):
            return None
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
        finally:
            self._looking.release()
        return None

    def _shows(self, captured: Captured, scene_ns: int) -> Quality:
        if not self._looking.acquire(blocking=False):
            return self.pictures.shows
        try:
            if self._anew:
                self._anew = False
                self.pictures.connected()
            return self.pictures.look(captured, scene_ns)
        finally:
            self._looking.release()

    def _judge(self, lag_ns: int, captured: Captured) -> Verdict:
        if self._ends:
            return Verdict.LIVE
        if captured.segmented:  # newer ones come with the next segment, and not any sooner
            return Verdict.LATE if lag_ns > LATE_NS else Verdict.LIVE
        return self._backlog.judge(lag_ns, captured.captured_ns)
