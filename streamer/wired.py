"""The rings of one run: who is joined to whom, and how deep each lane is."""

from collections.abc import Hashable, Mapping, Sequence

from streamer.analysis import Analysis
from streamer.camera import Camera
from streamer.checkup import Checkup
from streamer.clock import Clock
from streamer.contracts import Detector
from streamer.frame import Frame
from streamer.leg import Leg
from streamer.ring import Ring, Writer
from streamer.worker import Inferred, Worker

# Depth buys staleness, not throughput: a live camera has one place, and the newest frame is in it.
LIVE_FRAMES = 1
# Analysis is quick; where it is late for once, what the device has worked out should not be lost.
LIVE_RESULTS = 2
# Frames of one recording between its decoder and its sinks: one each to decode, prepare, infer,
# analyse and write, and a few more so that none of them waits for another's hiccup.
RECORDED_FRAMES = 8


class Wired:
    """Made when a pipeline starts; starts nothing itself."""

    def __init__(
        self, cameras: Mapping[str, tuple[Camera, Detector]], legs: Sequence[Leg], clock: Clock
    ) -> None:
        inferred: Ring[Inferred] = Ring(clock, reason="analysis", carried=lambda item: item.lost)
        looking = {name: camera.looking for name, (camera, _) in cameras.items()}
        self.analysis = Analysis(inferred, [leg for leg in legs if leg.inbox.wants_results], looking, clock)
        self.viewers = [leg.inbox for leg in legs if leg.inbox.wants_frames]
        self.checkups = {camera: Checkup(clock) for camera in cameras}
        self.lanes: dict[str, Writer[Frame]] = {}
        self.results: dict[str, Writer[Inferred]] = {}
        self.worker_of: dict[str, Worker] = {}
        self.workers: dict[Hashable, tuple[Worker, list[Detector], dict[str, Writer[Inferred]]]] = {}
        for name, (camera, detector) in cameras.items():
            device = getattr(detector, "device", "cpu")
            if device not in self.workers:
                self.workers[device] = (Worker(Ring(clock), clock), [], {})
            worker, detectors, out = self.workers[device]
            worker.cameras[name] = (detector, camera.looking)
            if not any(detector is other for other in detectors):
                detectors.append(detector)
            live = camera.source.live
            recorded = max(RECORDED_FRAMES, 3 * int(getattr(detector, "max_batch", 1)))
            self.lanes[name] = worker.frames.writer(
                depth=LIVE_FRAMES if live else recorded, live=live, group=detector
            )
            self.results[name] = out[name] = inferred.writer(
                depth=LIVE_RESULTS if live else recorded, live=True
            )
            self.worker_of[name] = worker
            for leg in legs:
                leg.inbox.open_lane(name, depth=leg.backlog if live else recorded)
