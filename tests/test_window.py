"""How long a batch waits for more cameras; how batches fill where nobody waits."""

import threading
from collections.abc import Sequence

import pytest
from boxes import Looker, picture, rest_of

from streamer import Frame, ManualClock, Quality, Ring, View
from streamer.window import TOGETHER_S, joining_s
from streamer.worker import Inferred, Worker

pytestmark = pytest.mark.timeout(20)
PICTURE = picture()
CAMERAS = [f"camera{number}" for number in range(32)]


@pytest.mark.parametrize(
    ("execution_s", "expected_s"),
    [
        (0.0, 0.0),  # nothing is known yet
        (0.001, 0.0005),
        (0.003, 0.0015),
        (0.004, TOGETHER_S),
        (0.1, TOGETHER_S),
    ],
)
def test_it_is_half_of_what_a_batch_takes_and_short(execution_s: float, expected_s: float) -> None:
    assert joining_s(execution_s) == pytest.approx(expected_s)


class Cameras:
    """A worker with 32 live cameras and one detector, on a clock that stands still."""

    def __init__(self, detector: Looker) -> None:
        self.clock = ManualClock()
        frames: Ring[Frame] = Ring(self.clock)
        self.worker = Worker(frames, self.clock)
        self.lanes = {name: frames.writer(depth=1, live=True, group=detector) for name in CAMERAS}
        self.results: Ring[Inferred] = Ring(self.clock)
        out = {name: self.results.writer(depth=1000, live=True) for name in CAMERAS}
        self.threads = [
            threading.Thread(target=self.worker.prepare, daemon=True),
            threading.Thread(target=self.worker.infer, args=([detector], out), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def put(self, name: str, index: int) -> None:
        now_ns = self.clock.now_ns()
        frame = Frame(name, 0, index, now_ns, now_ns, None, None, True, Quality.FINE, PICTURE)
        self.lanes[name].put(frame)

    def close(self) -> list[Inferred]:
        for lane in self.lanes.values():
            lane.revoke()
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()
        return rest_of(self.results)


def test_the_first_frame_is_not_kept_waiting_and_the_others_fill_one_batch() -> None:
    """Too many frames: 32 cameras must not be served one by one, though nobody waits for anybody."""
    busy, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def look(views: Sequence[View]) -> None:
        busy.release()
        assert go_on.acquire(timeout=5)
        bench.clock.advance(0.05)

    looker = Looker(32, busy=look)
    bench = Cameras(looker)
    bench.put(CAMERAS[0], 0)
    assert busy.acquire(timeout=5)  # alone, at once: the clock has not moved
    bench.put(CAMERAS[1], 0)  # the next batch begins to be prepared with what is there
    for round_ in range(1, 6):
        for name in CAMERAS:
            bench.put(name, round_)
        go_on.release()
        assert busy.acquire(timeout=5)
    go_on.release(100)
    bench.close()
    assert looker.batches[0] == 1
    assert min(looker.batches[3:6]) == 32


def test_one_camera_never_waits() -> None:
    """Every lane has something: the batch is complete, although it has room."""
    seen = threading.Semaphore(0)
    looker = Looker(32, busy=lambda views: seen.release())
    clock = ManualClock()
    frames: Ring[Frame] = Ring(clock)
    worker = Worker(frames, clock)
    lane = frames.writer(depth=1, live=True, group=looker)
    out: Ring[Inferred] = Ring(clock)
    writers = {"camera0": out.writer(depth=100, live=True)}
    threads = [
        threading.Thread(target=worker.prepare, daemon=True),
        threading.Thread(target=worker.infer, args=([looker], writers), daemon=True),
    ]
    for thread in threads:
        thread.start()
    for index in range(5):
        lane.put(Frame("camera0", 0, index, 0, 0, None, None, True, Quality.FINE, PICTURE))
        assert seen.acquire(timeout=5)  # on a clock that stands still, a wait would never end
    lane.revoke()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert looker.batches == [1] * 5
