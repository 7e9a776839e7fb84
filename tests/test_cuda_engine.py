"""The CUDA engine's order of things, with streams, events and graphs that only note what they are told.

No GPU is needed, and none of this shows that CUDA agrees: that is what benchmarks/gpu is for.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from detectors.yolo.cuda import engine as cuda_engine
from detectors.yolo.cuda import programs, slots
from detectors.yolo.cuda.engine import CudaEngine
from detectors.yolo.cuda.programs import SIGHTINGS, Programs
from detectors.yolo.postprocess import Layout, Reading
from streamer.errors import DetectorError

pytestmark = pytest.mark.timeout(30)
SHAPE = (32, 64)


class Device:
    """Notes what happens on which stream."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.stream = "default"
        self.recording: Any = None
        self.refuses_graphs = False
        self.room_for = 1000  # pictures in a graph

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        before, self.stream = self.stream, stream.name
        yield
        self.stream = before

    def note(self, what: str) -> None:
        self.log.append(f"{self.stream}: {what}")


class Stream:
    def __init__(self, device: Device, name: str) -> None:
        self._device, self.name = device, name

    def wait_event(self, event: "Event") -> None:
        assert event.recorded
        self._device.log.append(f"{self.name}: waits for {event.name}")

    def synchronize(self) -> None:
        self._device.log.append(f"host: waits for {self.name}")


class Event:
    def __init__(self, device: Device, blocking: bool = False) -> None:
        self._device, self.name, self.recorded = device, "done" if blocking else "uploaded", False

    def record(self) -> None:
        self.recorded = True
        self._device.note(self.name)

    def synchronize(self) -> None:
        assert self.recorded
        self._device.log.append(f"host: waits for {self.name}")


class Graph:
    """Runs again what was run while it was recorded."""

    def __init__(self) -> None:
        self.pixels = self.found = torch.empty(0)
        self.work: Any = None
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        self.found.copy_(self.work(self.pixels))


class Network:
    """Says of each picture how bright it is, as an end-to-end output with one box."""

    device = torch.device("cpu")
    labels, stride, precision = ("thing",), 32, "fp16"

    def __init__(self, *_: object) -> None:
        self.runs: list[int] = []

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        self.runs.append(len(pixels))
        bright = pixels.float().mean((1, 2, 3)) / 255
        rows = torch.zeros((len(pixels), 1, 6))
        rows[:, 0, 2:4], rows[:, 0, 4] = 8, bright
        return rows

    def remembered(self) -> list[torch.Tensor]:
        return []


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    device = Device()

    @contextmanager
    def record(graph: Graph, *, pool: object, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        assert (pool, capture_error_mode, stream.name, device.stream) == (
            ("pool", "thread_local", "computing", "computing")
        )
        if device.refuses_graphs:
            raise RuntimeError("operation not permitted when stream is capturing")
        device.recording = graph
        try:
            yield
        finally:
            device.recording = None

    cuda = SimpleNamespace(
        stream=device.on,
        device=lambda _: nullcontext(),
        OutOfMemoryError=torch.cuda.OutOfMemoryError,
        synchronize=lambda where: device.note(f"waits for all of {where}"),
        graph=record,
        CUDAGraph=Graph,
        graph_pool_handle=lambda: "pool",
        Event=lambda blocking=False: Event(device, blocking),
        Stream=Stream,
    )
    for module in (cuda_engine, programs, slots):
        monkeypatch.setattr(module, "torch", SimpleNamespace(**{**vars(torch), "cuda": cuda}))
    work = Programs._work

    def recorded(self: Programs, pixels: torch.Tensor) -> torch.Tensor:
        found = work(self, pixels)
        if device.recording is not None and len(pixels) > device.room_for:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        if device.recording is not None:
            graph = device.recording
            graph.pixels, graph.found, graph.work = pixels, found, lambda pixels: work(self, pixels)
        return found

    monkeypatch.setattr(Programs, "_work", recorded)
    for name in ("upload", "download"):
        plain = getattr(slots.Slot, name)

        def noted(self: slots.Slot, what: Any, plain: Any = plain, name: str = name) -> torch.Tensor:
            device.note(name)
            here: torch.Tensor = plain(self, what)
            return here

        monkeypatch.setattr(slots.Slot, name, noted)
    return device


@pytest.fixture
def engine(device: Device, monkeypatch: pytest.MonkeyPatch) -> CudaEngine:
    monkeypatch.setattr(cuda_engine, "TorchNetwork", Network)
    engine = CudaEngine(Path("none.pt"), "cuda:0")
    # A slot that has events but lies in ordinary memory.
    streams: Any = Stream(device, "copying"), Stream(device, "computing")
    engine._copying, engine._computing = streams
    take = engine._slots.take

    def with_events(size: int) -> slots.Slot:
        slot = take(size)
        events: Any = Event(device), Event(device, blocking=True)
        slot.uploaded, slot.done = events
        return slot

    monkeypatch.setattr(engine._slots, "take", with_events)
    assert engine.probe(SHAPE) == (1, 1, 6)
    device.log.clear()
    return engine


def start(engine: CudaEngine, *shapes: tuple[int, int]) -> None:
    engine.start(Reading(Layout.END_TO_END, 0.01, np.ones(1, bool)), shapes)


def stage(engine: CudaEngine, *values: int, shape: tuple[int, int] = SHAPE) -> Any:
    canvas = engine.canvas(len(values), shape)
    for picture, value in zip(canvas, values, strict=True):
        picture[...] = value
    return engine.stage(canvas)


def scores(engine: CudaEngine, staged: Any) -> list[float]:
    engine.wait(staged)
    return [round(float(boxes.score[0]) * 255) for boxes in engine.boxes(staged)]


def test_upload_then_network_then_download_each_on_its_stream(engine: CudaEngine, device: Device) -> None:
    start(engine, SHAPE)
    device.log.clear()
    staged = stage(engine, 10, 20)
    assert device.log == [
        "copying: upload",
        "copying: uploaded",
        "computing: waits for uploaded",
        "computing: download",
        "computing: done",
    ]  # and nobody has waited
    assert scores(engine, staged) == [10, 20]
    assert device.log[5:] == ["host: waits for done"]


def test_a_batch_is_padded_to_the_next_size_and_keeps_its_own_pixels(engine: CudaEngine) -> None:
    start(engine, SHAPE)
    first, second = stage(engine, 50, 60, 70), stage(engine, 80)
    third = stage(engine, 90, 100, 110)
    assert scores(engine, second) == [80]
    assert scores(engine, first) == [50, 60, 70]
    assert scores(engine, third) == [90, 100, 110]
    network: Any = engine._network
    assert network.runs[-3:] == [4, 1, 4]


def test_memory_is_used_again_only_after_its_batch_was_waited_for(engine: CudaEngine) -> None:
    start(engine, SHAPE)
    first, second = stage(engine, 10), stage(engine, 20)
    assert first.slot is not second.slot
    assert stage(engine, 30).slot not in (first.slot, second.slot)
    scores(engine, first)
    assert stage(engine, 40).slot is first.slot
    assert scores(engine, second) == [20]


def test_a_shape_is_recorded_when_it_keeps_coming(engine: CudaEngine) -> None:
    start(engine)
    for _ in range(SIGHTINGS + 2):
        assert scores(engine, stage(engine, 30, 40)) == [30, 40]
    assert engine._programs is not None
    (program,) = engine._programs._programs.values()
    graph: Any = program.graph
    assert graph.replays == 3  # from the third time on


def test_no_more_programs_than_may_be_kept(
    engine: CudaEngine, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "KEPT", 2)
    start(engine)
    for side in (32, 64, 96, 128):
        for _ in range(SIGHTINGS):
            assert scores(engine, stage(engine, 5, shape=(32, side))) == [5]
    assert engine._programs is not None
    assert list(engine._programs._programs) == [(1, 32, 96), (1, 32, 128)]
    assert "host: waits for computing" in device.log


def test_where_graphs_cannot_be_recorded_it_says_so_once_and_works(
    engine: CudaEngine, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.refuses_graphs = True
    start(engine, SHAPE, (64, 64))
    for _ in range(SIGHTINGS + 1):
        assert scores(engine, stage(engine, 7, 8)) == [7, 8]
    assert [record.message for record in caplog.records] == [
        "CUDA graphs cannot be used here, so small batches are slower: operation not permitted when stream "
        "is capturing"
    ]


def test_what_there_is_no_memory_for_runs_without_a_graph_and_the_rest_with_one(
    engine: CudaEngine, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    device.room_for = 2
    start(engine, SHAPE)
    for _ in range(SIGHTINGS + 1):
        assert scores(engine, stage(engine, 7, 8, 9)) == [7, 8, 9]
        assert scores(engine, stage(engine, 7)) == [7]
    kept = engine._programs
    assert kept is not None
    assert sorted(kept._programs) == [(1, *SHAPE), (2, *SHAPE)]
    assert len(kept._failed) == 5, "torch may go on asking them"
    assert [record.message for record in caplog.records] == [
        f"no memory for a CUDA graph of {size} × 64×32: it runs without" for size in (32, 24, 16, 8, 4)
    ]


def test_memory_that_ends_while_a_recording_is_ended(
    engine: CudaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(engine)
    kept = engine._programs
    assert kept is not None

    def fail(_pixels: torch.Tensor) -> torch.Tensor:
        try:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    with monkeypatch.context() as patch:
        patch.setattr(kept, "_work", fail)
        assert kept.record((4, *SHAPE)) is None
    with engine._on(engine._computing):
        kept.prepare(SHAPE)
    assert (2, *SHAPE) in kept._programs, "the others are still recorded"


def test_one_recording_at_a_time_in_a_process(engine: CudaEngine) -> None:
    start(engine)
    kept = engine._programs
    assert kept is not None
    with ThreadPoolExecutor(1) as others, engine._on(engine._computing):
        with programs._RECORDING:
            waiting = others.submit(kept.record, (1, *SHAPE))
            with pytest.raises(TimeoutError):
                waiting.result(0.05)
        assert waiting.result(10) is not None


def test_weights_have_arrived_before_anything_runs(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    class OnDevice(Network):
        device = torch.device("cuda:0")

    monkeypatch.setattr(cuda_engine, "TorchNetwork", OnDevice)
    monkeypatch.setattr(cuda_engine, "_stream", lambda _: None)
    CudaEngine(Path("none.pt"), "cuda:0")
    assert device.log == ["default: waits for all of cuda:0"]


def test_what_fails_on_the_device_is_told_by_wait(engine: CudaEngine) -> None:
    start(engine, SHAPE)
    staged = stage(engine, 1)

    def fail() -> None:
        raise RuntimeError("an illegal memory access was encountered")

    staged.slot.done.synchronize = fail
    with pytest.raises(DetectorError, match=r"\(1, 32, 64, 3\): an illegal memory access"):
        engine.wait(staged)
    engine.close()
    assert engine._programs is None
