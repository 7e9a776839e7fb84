"""Cameras that change their picture's size, rate and codec: nobody downstream meets a misshaped frame."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from detectors.yolo import Yolo
from sinks.jsonl import JsonLines
from sinks.video import AnnotatedVideo
from streamer import ArrayPicture, Camera, Captured, Detections, Pipeline, Result, View, wire
from streamer.errors import Cause, SourceError
from streamer.fakecam import FakeCam
from streamer.gate import Beat, Gate
from streamer.motion import Motion
from streamer.sources import open_source, parse_address
from tests.boxes import Keeper, Scripted, assert_gaps_explained, until
from tests.source_clips import make_clip

pytestmark = pytest.mark.timeout(60)

CHANGES = 1_000
Size = tuple[int, int]


def telling(size: Size, number: int) -> ArrayPicture:
    """A picture that says in its pixels how large it was made."""
    pixels = np.full((size[1], size[0], 3), number % 256, np.uint8)
    pixels[0, 0], pixels[-1, -1] = code(size), code(size)
    return ArrayPicture(pixels)


def code(size: Size) -> tuple[int, int, int]:
    width, height = size
    return width % 256, height % 256, width // 256 * 16 + height // 256


class Shapes:
    """Notes each picture that somebody was shown; complains of one that is not what it says it is."""

    def __init__(self) -> None:
        self.sizes: dict[tuple[str, int], set[Size]] = defaultdict(set)  # of each camera's epoch
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def look(self, view: View) -> None:
        frame = view.frame
        pixels = frame.picture.bgr()
        shape = (frame.size[1], frame.size[0], 3)
        first, last = tuple(map(int, pixels[0, 0])), tuple(map(int, pixels[-1, -1]))
        if pixels.shape != shape or view.size != frame.size or {first, last} != {code(frame.size)}:
            self.wrong.append(f"{frame.camera}/{frame.index}: {frame.size}, {pixels.shape}, {first}, {last}")
        self.sizes[frame.camera, frame.epoch].add(frame.size)
        self.seen[frame.camera] += 1

    def assert_none_wrong(self) -> None:
        assert not self.wrong
        assert all(len(sizes) == 1 for sizes in self.sizes.values()), "one size in each epoch"


class Surveyor:
    """A detector in two steps that sees each picture's frame, and keeps account of shapes in both."""

    labels: Sequence[str] = ("picture",)

    def __init__(self, max_batch: int = 1) -> None:
        self.max_batch = max_batch
        self.prepared = Shapes()
        self.inferred = Shapes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def detect(self, views: Sequence[View]) -> list[Detections]:
        return self.infer(self.prepare(views))

    def prepare(self, views: Sequence[View]) -> list[View]:
        for view in views:
            self.prepared.look(view)
        return list(views)

    def infer(self, batch: list[View]) -> list[Detections]:
        for view in batch:
            self.inferred.look(view)
        return [self._seen(view) for view in batch]

    def _seen(self, view: View) -> Detections:
        box = np.array([[0, 0, *view.size]], np.float32)
        return Detections(self.labels, box, np.ones(1, np.float32), np.zeros(1, np.int32))


def assert_consistent(results: Sequence[Result]) -> None:
    """Each result is about one picture: its frame's, its boxes', its message's."""
    shapes = Shapes()
    for number, result in enumerate(results):
        shapes.look(View(result.frame))
        message = wire.decode(wire.encode(wire.message(result, number)))
        assert isinstance(message, wire.DetectionsMessage)
        assert (message.width, message.height) == result.frame.size
        assert [tuple(map(int, box)) for box in result.detections.xyxy] == [(0, 0, *result.frame.size)]
    shapes.assert_none_wrong()


def sizes(rng: random.Random, count: int, most: int = 300) -> list[Size]:
    """Never the same twice in a row; the smallest and very long ones too."""
    found: list[Size] = [(16, 16)]
    while len(found) < count:
        size = rng.choice([(rng.randint(16, most), rng.randint(16, most)), (16, most), (most, 16)])
        if size != found[-1]:
            found.append(size)
    return found


def pictures(wanted: Sequence[Size], rng: random.Random, start: int = 0) -> Iterator[Captured]:
    """One to three of each size, at a rate that changes with it."""
    pts_ns = number = start
    for size in wanted:
        step_ns = round(1e9 / rng.choice([1, 5, 25, 30, 60, 240]))
        for of_size in range(rng.randint(1, 3)):
            yield Captured(telling(size, number), 0, pts_ns, keyframe=of_size == 0)
            pts_ns += step_ns
            number += 1


def assert_account_balances(pipeline: Pipeline) -> None:
    for camera in pipeline.stats().cameras:
        assert camera.in_flight == 0
        assert camera.captured == camera.processed + sum(camera.dropped.values()), camera


@pytest.mark.parametrize("cameras", [1, 3])
def test_a_thousand_sizes_in_mid_stream(tmp_path: Path, cameras: int) -> None:
    """Of recordings, so that none is left out; three of them share their batches."""
    pipeline, surveyor, keeper = Pipeline(), Surveyor(max_batch=cameras), Keeper()
    for number in range(cameras):
        rng = random.Random(number)
        script = list(pictures(sizes(rng, CHANGES + 1), rng))
        source = Scripted([script], live=False, ends=True)
        pipeline.add(Camera(f"cam{number}", source), surveyor)
    pipeline.sink(keeper)
    pipeline.sink(JsonLines(tmp_path / "out.jsonl"))
    pipeline.run()
    surveyor.prepared.assert_none_wrong()
    surveyor.inferred.assert_none_wrong()
    assert_consistent(keeper.got)
    assert_account_balances(pipeline)
    shown = [(m.camera, m.frame, (m.width, m.height)) for m in wire.read_jsonl(tmp_path / "out.jsonl")]
    for number in range(cameras):
        results = keeper.of(f"cam{number}")
        assert len({result.frame.epoch for result in results}) == CHANGES + 1
        assert [result.frame.index for result in results] == list(range(len(results)))
        of_camera = [(index, size) for camera, index, size in shown if camera == f"cam{number}"]
        assert of_camera == [(result.frame.index, result.frame.size) for result in results]


class Changing:
    """A live camera with another size in each picture, and a rate that changes; cut off now and then."""

    live, ends = True, False

    def __init__(self, seed: int, changes: int, connections: int) -> None:
        self._rng = random.Random(seed)
        self._left = [sizes(self._rng, changes // connections) for _ in range(connections)]
        self.shown = 0
        self.done = threading.Event()
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def stop(self) -> None:
        self._stop.set()

    def __iter__(self) -> Iterator[Captured]:
        if not self._left:
            self.done.set()
            self._stop.wait()
            return
        start_ns, period_s = time.monotonic_ns(), 0.001
        for number, size in enumerate(self._left.pop()):
            if number % 10 == 0:
                period_s = self._rng.choice([0.0003, 0.001, 0.003])
            if self._stop.wait(period_s):
                return
            self.shown += 1
            now_ns = time.monotonic_ns()
            yield Captured(telling(size, number), now_ns, now_ns - start_ns, keyframe=True)
        raise SourceError(Cause.NETWORK, "cut off")


@pytest.mark.slow
def test_a_thousand_sizes_live_and_over_reconnects() -> None:
    """The newest frame wins and gates shut frames out; what is left has its own shape and epoch."""
    gates: dict[str, list[Gate]] = {"free": [], "motion": [Motion()], "beat": [Beat(100.0, "detect_fps")]}
    pipeline, surveyor, keeper = Pipeline(on_status=lambda _: None), Surveyor(max_batch=3), Keeper()
    sources = {name: Changing(seed, CHANGES, connections=10) for seed, name in enumerate(gates)}
    for seed, name in enumerate(gates):
        pipeline.add(Camera(name, sources[name], gates=gates[name], seed=seed), surveyor)
    pipeline.sink(keeper)
    with pipeline:
        for source in sources.values():
            assert source.done.wait(30)
        pipeline.stop()
    surveyor.prepared.assert_none_wrong()
    surveyor.inferred.assert_none_wrong()
    assert_consistent(keeper.got)
    assert_account_balances(pipeline)
    for camera in pipeline.stats().cameras:
        assert camera.captured == sources[camera.name].shown == CHANGES
        assert camera.epoch >= CHANGES - 1
        assert_gaps_explained(keeper.of(camera.name))
        assert len({result.frame.size for result in keeper.of(camera.name)}) >= 50


def test_yolo_gets_sizes_and_shapes_of_all_kinds(yolo26n: Path) -> None:
    """Its buffers are kept from batch to batch: none may hold anything of the picture before."""
    rng = random.Random(7)
    pipeline, keeper = Pipeline(), Keeper()
    yolo = Yolo(yolo26n, imgsz=320, conf=0.001)
    scripts = [list(pictures(sizes(rng, 12, 700), rng)) for _ in range(2)]
    for number, script in enumerate(scripts):
        pipeline.add(Camera(f"cam{number}", Scripted([script], live=False, ends=True)), yolo)
    pipeline.sink(keeper)
    pipeline.run()
    assert_account_balances(pipeline)
    assert len(keeper.got) == sum(map(len, scripts))
    assert any(len(result.detections) for result in keeper.got)
    for result in keeper.got:
        width, height = result.frame.size
        boxes = result.detections.xyxy
        assert (boxes >= 0).all()
        assert (boxes[:, 2] <= width).all()
        assert (boxes[:, 3] <= height).all()


def test_each_size_has_a_film_of_its_own(tmp_path: Path) -> None:
    wanted = [(64, 48), (48, 64), (128, 96), (65, 47), (64, 48), (320, 240)] * 5
    script = list(pictures(wanted, random.Random(3)))
    pipeline, keeper = Pipeline(), Keeper()
    pipeline.add(Camera("gate", Scripted([script], live=False, ends=True)), Surveyor())
    pipeline.sink(AnnotatedVideo(tmp_path / "{camera}.mp4"))
    pipeline.sink(keeper)
    pipeline.run()
    films = sorted(
        tmp_path.glob("gate*.mp4"), key=lambda path: int(path.stem.removeprefix("gate").strip("-") or 1)
    )
    found: list[tuple[int, Size]] = []
    for path in films:
        with av.open(str(path)) as film:
            seen = [(frame.width, frame.height) for frame in film.decode(video=0)]
        assert len(set(seen)) == 1
        found.append((len(seen), seen[0]))
    epochs = Counter(result.frame.epoch for result in keeper.got)
    shown = [(epochs[epoch], size) for epoch, size in zip(sorted(epochs), wanted, strict=True)]
    # H.264 with 4:2:0 has even sizes only: a line is added.
    assert found == [(count, (width + width % 2, height + height % 2)) for count, (width, height) in shown]


# ---- out of a real decoder


def segment(path: Path, size: Size, codec: str, fps: int, start_s: float) -> float:
    """A few pictures in a transport stream; returns when the next one is to begin."""
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size, stream.max_b_frames = 4, 0
        for index in range(4):
            picture = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 90, np.uint8), format="bgr24")
            picture.pts = round(start_s * fps) + index
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return start_s + 4 / fps


class Plain(Surveyor):
    """A Surveyor of pictures that went through a codec: only their shapes can be told."""

    def prepare(self, views: Sequence[View]) -> list[View]:
        for view in views:
            pixels = view.bgr()
            assert pixels.shape == (view.frame.size[1], view.frame.size[0], 3)
            self.prepared.sizes[view.frame.camera, view.frame.epoch].add(view.frame.size)
        return list(views)

    def infer(self, batch: list[View]) -> list[Detections]:
        return [self._seen(view) for view in batch]


def test_a_decoder_whose_stream_changes(tmp_path: Path) -> None:
    """One transport stream, sizes and rates new with each keyframe: as a camera that is reconfigured."""
    rng = random.Random(9)
    wanted = [(2 * rng.randint(16, 160), 2 * rng.randint(16, 160)) for _ in range(60)]
    whole, start_s = b"", 0.0
    for number, size in enumerate(wanted):
        part = tmp_path / f"{number}.ts"
        start_s = segment(part, size, "libx264", rng.choice([5, 25, 30]), start_s)
        whole += part.read_bytes()
    clip = tmp_path / "whole.ts"
    clip.write_bytes(whole)
    pipeline, plain, keeper = Pipeline(), Plain(), Keeper()
    camera = Camera("gate", open_source(parse_address(str(clip))))
    pipeline.add(camera, plain)
    pipeline.sink(keeper)
    pipeline.run()
    assert_account_balances(pipeline)
    plain.prepared.assert_none_wrong()
    shown = [result.frame.size for result in keeper.got]
    assert len(shown) == 4 * len(wanted)
    assert [shown[n] for n in range(0, len(shown), 4)] == wanted


@pytest.mark.slow
def test_real_cameras_that_are_reconfigured(tmp_path: Path) -> None:
    """Sizes from the next keyframe on, connections cut off in between, everything written down."""
    wanted = [(64, 48), (320, 240), (48, 64), (160, 120)]
    pipeline, plain, keeper = Pipeline(on_status=lambda _: None), Plain(max_batch=4), Keeper()
    clip = make_clip(tmp_path / "clip.mp4", 20, bf="0", g="5")
    with FakeCam([clip] * len(wanted)) as fake, ThreadPoolExecutor(len(wanted)) as hands:
        cameras = [
            Camera(f"cam{n}", open_source(parse_address(url)), seed=n) for n, url in enumerate(fake.urls)
        ]
        for camera in cameras:
            pipeline.add(camera, plain)
        pipeline.sink(keeper)
        pipeline.sink(JsonLines(tmp_path / "out.jsonl"))
        pipeline.sink(AnnotatedVideo(tmp_path / "{camera}.mp4"))

        def change(number: int, size: Size, way: str | None) -> None:
            before = len(keeper.of(f"cam{number}"))
            fake.fault(number, "size", f"{size[0]}x{size[1]}")
            if way:
                fake.fault(number, way)
            until(lambda: size in {result.frame.size for result in keeper.of(f"cam{number}")[before:]})

        with pipeline:
            until(lambda: {result.frame.camera for result in keeper.got} == {"cam0", "cam1", "cam2", "cam3"})
            for turn, way in enumerate([None, "drop", None, "reset", None]):
                done = [hands.submit(change, n, wanted[(turn + n) % 4], way) for n in range(4)]
                for each in done:
                    each.result()
            pipeline.stop()
    assert_account_balances(pipeline)
    plain.prepared.assert_none_wrong()
    sizes_of = {(result.frame.camera, result.frame.index): result.frame.size for result in keeper.got}
    for camera in cameras:
        assert_gaps_explained(keeper.of(camera.name))
        assert sum(camera.reconnects.values()) == 2
        assert camera.epoch >= 4
    for result in keeper.got:
        width, height = result.frame.size
        assert result.frame.picture.bgr().shape == (height, width, 3)
        assert [tuple(map(int, box)) for box in result.detections.xyxy] == [(0, 0, width, height)]
    written = list(wire.read_jsonl(tmp_path / "out.jsonl"))
    for message in written:  # either sink may have missed one that the other has
        size = message.width, message.height
        assert sizes_of.get((message.camera, message.frame), size) == size
    assert len(written) >= len(sizes_of) / 2
    for path in tmp_path.glob("cam*.mp4"):
        with av.open(str(path)) as film:
            assert len({(frame.width, frame.height) for frame in film.decode(video=0)}) == 1
