"""Steps side by side: all of them once, the first one's error, and no thread left."""

import gc
import random
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from boxes import Keeper, Looker, StagedLooker, until

from streamer import Camera, Frame, LazyPicture, Pipeline, Quality, View
from streamer.contracts import Captured, Spread, SpreadDetector
from streamer.detections import Detections
from streamer.kinds import helpers
from streamer.spread import Crew

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(params=[0, 1, 3])
def crew(request: pytest.FixtureRequest) -> Iterator[Crew]:
    """A crew with so many helpers, gone at the end."""
    crew = Crew()
    threads = [threading.Thread(target=crew.help, daemon=True) for _ in range(request.param)]
    for thread in threads:
        thread.start()
    yield crew
    crew.dismiss()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_every_step_runs_once(crew: Crew) -> None:
    random_numbers = random.Random(1)
    for _ in range(300):
        done: list[int] = []
        count = random_numbers.randrange(12)
        crew.spread([partial(done.append, number) for number in range(count)])
        assert sorted(done) == list(range(count))


def test_all_run_although_some_fail_and_the_first_ones_error_is_raised(crew: Crew) -> None:
    done: Counter[int] = Counter()

    def step(number: int) -> None:
        done[number] += 1
        if number in (3, 5):
            raise ValueError(f"step {number}")

    for _ in range(50):
        with pytest.raises(ValueError, match="step 3"):
            crew.spread([partial(step, number) for number in range(8)])
    assert done == dict.fromkeys(range(8), 50)


def test_helpers_take_part() -> None:
    crew = Crew()
    threads = [threading.Thread(target=crew.help, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    together = threading.Barrier(4, timeout=5)
    crew.spread([together.wait] * 4)
    crew.dismiss()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    crew.spread([lambda: None] * 4)  # alone, from now on


def test_nobody_helps_where_frames_come_singly() -> None:
    assert helpers([Looker(1)]) == 0
    assert helpers([Looker(1), Looker(32)]) >= helpers([Looker(2)])


def test_no_more_help_than_the_control_group_has_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.cores._quota", lambda: 1.5)
    assert helpers([Looker(32)]) == 0


# ---- in a pipeline


class Shots:
    """A recording of pictures that are converted when somebody looks."""

    live = False
    ends = True

    def __init__(self, count: int, bad: Sequence[int] = (), threads: set[str] | None = None) -> None:
        self._count, self._bad = count, set(bad)
        self._threads = threads if threads is not None else set()

    def __enter__(self) -> "Shots":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        for index in range(self._count):
            yield Captured(LazyPicture((8, 8), partial(self._convert, index)), 0, index * 10**7)

    def _convert(self, index: int) -> np.ndarray:
        self._threads.add(threading.current_thread().name)
        if index in self._bad:
            raise ValueError(f"picture {index} is odd")
        return np.full((8, 8, 3), index, np.uint8)


class SpreadLooker(StagedLooker):
    """Draws its views in steps."""

    def prepare_spread(self, views: Sequence[View], spread: Spread) -> Sequence[View]:
        drawn: list[View | None] = [None] * len(views)

        def draw(number: int) -> None:
            views[number].bgr()
            drawn[number] = views[number]

        spread([partial(draw, number) for number in range(len(views))])
        assert None not in drawn
        return list(views)

    def prepare(self, views: Sequence[View]) -> Sequence[View]:
        raise AssertionError("prepare_spread is called instead")


@pytest.mark.parametrize("kind", [Looker, StagedLooker, SpreadLooker])
@pytest.mark.parametrize("seed", range(3))
def test_frames_that_cannot_be_prepared_cost_nobody_else_theirs(kind: type[Looker], seed: int) -> None:
    random_numbers = random.Random(seed)
    bad = {f"camera{number}": sorted(random_numbers.sample(range(40), 6)) for number in range(3)}
    before = threading.active_count()
    detector = kind(4)
    assert isinstance(detector, SpreadDetector) is (kind is SpreadLooker)
    keeper = Keeper()
    pipeline = Pipeline()
    for name, which in bad.items():
        pipeline.add(Camera(name, Shots(40, which)), detector)
    pipeline.sink(keeper)
    pipeline.run()
    for name, which in bad.items():
        assert [result.frame.index for result in keeper.of(name)] == [i for i in range(40) if i not in which]
        for result in keeper.of(name):
            assert result.detections.score[0] == pytest.approx(result.frame.index / 255)
    stats = {camera.name: camera for camera in pipeline.stats().cameras}
    assert all(camera.dropped == {"detector": 6} for camera in stats.values())
    until(lambda: threading.active_count() == before)


class Queue(StagedLooker):
    """A detector whose device works on its own: reading comes after the next batch may begin."""

    def __init__(self) -> None:
        super().__init__(4)
        self.calls: list[str] = []

    def wait(self, batch: Any) -> None:
        self.calls.append("wait")

    def read(self, batch: Any) -> list[Detections]:
        self.calls.append("read")
        if any(view.frame.index == 7 for view in batch):
            raise ValueError("unreadable")
        return super().infer(batch)

    def infer(self, batch: Any) -> list[Detections]:
        self.wait(batch)
        return self.read(batch)


def test_a_device_with_a_queue_of_its_own() -> None:
    detector, keeper = Queue(), Keeper()
    pipeline = Pipeline()
    pipeline.add(Camera("gate", Shots(20)), detector)
    pipeline.sink(keeper)
    pipeline.run()
    assert [result.frame.index for result in keeper.got] == [i for i in range(20) if i != 7]
    assert pipeline.stats().cameras[0].dropped == {"detector": 1}
    assert detector.calls[::2] == ["wait"] * (len(detector.calls) // 2)


def test_views_are_converted_by_several_threads() -> None:
    """Each conversion waits for another one: only side by side do they end."""
    crew = Crew()
    helper = threading.Thread(target=crew.help, daemon=True)
    helper.start()
    both = threading.Barrier(2, timeout=5)

    def convert() -> np.ndarray:
        both.wait()
        return np.zeros((4, 4, 3), np.uint8)

    frames = [
        Frame("gate", 0, i, 0, 0, None, None, True, Quality.FINE, LazyPicture((4, 4), convert))
        for i in range(2)
    ]
    crew.spread([View(frame).bgr for frame in frames])
    crew.dismiss()
    helper.join(5)


def test_helpers_of_a_thread_that_hangs_are_not_given_up(caplog: pytest.LogCaptureFixture) -> None:
    hangs, go_on = threading.Event(), threading.Event()

    def hang(_: object) -> None:
        hangs.set()
        go_on.wait(15)

    pipeline = Pipeline()
    pipeline.add(Camera("gate", Shots(20)), StagedLooker(4, unready=hang))
    pipeline.sink(Keeper())
    with pipeline:
        assert hangs.wait(10)
    given_up = [record.message for record in caplog.records if record.message.startswith("given up")]
    go_on.set()
    assert any("'prepare cpu'" in text for text in given_up)
    assert not any("+" in text for text in given_up)  # the helpers, who only wait


class Held:
    """Something large."""


def test_what_a_failed_step_held_is_let_go() -> None:
    """Without waiting for the garbage collector: pictures are large."""
    crew = Crew()
    picture = Held()
    known = weakref.ref(picture)

    def fail(held: Held) -> None:
        raise ValueError(f"{held!r} cannot be read")

    gc.disable()
    try:
        with pytest.raises(ValueError, match="cannot be read"):
            crew.spread([partial(fail, picture), partial(fail, picture)])
        del picture
        assert known() is None
    finally:
        gc.enable()
