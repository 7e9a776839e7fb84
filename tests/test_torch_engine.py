"""The CUDA engine's code on the CPU's torch, where it has no streams and no graphs: the same boxes."""

import importlib
import threading
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from boxes import Keeper, until
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_yolo_postprocess import crowd
from yolo_reference import pictures, random_network, ultralytics, view

from detectors.yolo import Yolo
from detectors.yolo.cpu.reading import CpuReading
from detectors.yolo.cpu.torch_engine import TorchEngine
from detectors.yolo.cuda import reading as device_reading
from detectors.yolo.cuda.engine import CudaEngine
from detectors.yolo.cuda.programs import KEPT, SIZES, padded
from detectors.yolo.cuda.reading import CANDIDATES, MATRIX, DeviceReading, found_in
from detectors.yolo.cuda.slots import Slots, slot_of
from detectors.yolo.engine import ReadingEngine
from detectors.yolo.letterbox import draw, fit
from detectors.yolo.postprocess import MAX_BOXES, Boxes, Layout, Reading, decode
from detectors.yolo.torch_network import TorchNetwork, decode_in_fp32
from streamer import Camera, LazyPicture, Pipeline
from streamer.contracts import Captured
from streamer.errors import DetectorError

pytestmark = pytest.mark.timeout(60)
CPU = torch.device("cpu")
Images = dict[int, NDArray[np.uint8]]


@pytest.fixture(scope="module", autouse=True)
def cache(yolo26n: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of this module's own, for ultralytics' settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHFRAME_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def output_of(seed: int, count: int, classes: int, places: int) -> NDArray[np.float32]:
    """A classic network's output with boxes in clusters and scores with ties, scattered over the places."""
    random = np.random.default_rng(seed)
    xyxy, score, class_id = crowd(seed, count, classes)
    output = np.zeros((4 + classes, places), np.float32)
    where = random.permutation(places)[:count]
    output[:2, where] = (xyxy[:, :2] + xyxy[:, 2:]).T / 2
    output[2:4, where] = (xyxy[:, 2:] - xyxy[:, :2]).T
    output[4:, where] = random.uniform(0, 1, (classes, count)) * score * 0.9
    output[4 + class_id, where] = score
    return output


def read(
    output: NDArray[np.float32], conf: float, wanted: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float32], Boxes | None]]:
    """Each picture's row, and what is found in it."""
    rows = DeviceReading(conf, wanted, CPU)(torch.from_numpy(output)).numpy()
    return [(row, found_in(row)) for row in rows]


def assert_equal(ours: Boxes, theirs: Boxes) -> None:
    assert np.array_equal(ours.xyxy, theirs.xyxy)
    assert np.array_equal(ours.score, theirs.score)
    assert np.array_equal(ours.class_id, theirs.class_id)
    assert ours.xyxy.dtype == np.float32
    assert ours.class_id.dtype == np.int32


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10_000),
    st.lists(
        st.sampled_from((0, 1, 7, 50, 200, MATRIX, MATRIX + 1, CANDIDATES, 900)), min_size=1, max_size=3
    ),
    st.sampled_from((0.0, 0.25, 0.9)),
    st.data(),
)
def test_the_boxes_are_those_of_decode(
    seed: int, counts: list[int], conf: float, data: st.DataObject
) -> None:
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=1, max_size=5)))
    output = np.stack([output_of(seed + i, count, len(wanted), 1000) for i, count in enumerate(counts)])
    expected = decode(output, Layout.CLASSIC, conf, wanted)
    for (row, ours), theirs in zip(read(output, conf, wanted), expected, strict=True):
        if ours is None:
            assert row[-3] > CANDIDATES
        else:
            assert_equal(ours, theirs)


def test_the_matrix_decides_where_it_can() -> None:
    """The other tests would hold, too, if everything were left to the CPU."""
    output = np.stack([output_of(seed, MATRIX, 4, 1000) for seed in range(40)])
    rows = [row for row, _ in read(output, 0.0, np.ones(4, bool))]
    assert all(row[-3] <= MATRIX for row in rows)
    assert sum(row[-2] for row in rows) > 35


def chain(length: int) -> NDArray[np.float32]:
    """Boxes in a row, each overlapping the next by 8/10 and the one after by less than 0.7."""
    output = np.zeros((5, 600), np.float32)
    output[0, :length] = 100 + np.arange(length) * 10 / 9
    output[1, :length], output[2:4, :length] = 50, 10
    output[4, :length] = np.linspace(0.9, 0.5, length)
    return output


@pytest.mark.parametrize("length", [2, 5, 7, 8, 9, 50])
def test_a_chain_that_takes_too_many_rounds_is_not_believed(length: int) -> None:
    output = chain(length)[None]
    ((row, ours),) = read(output, 0.25, np.ones(1, bool))
    assert row[-2] == (length <= device_reading.ROUNDS)
    assert ours is not None
    assert_equal(ours, next(decode(output, Layout.CLASSIC, 0.25, np.ones(1, bool))))
    assert len(ours.score) == (length + 1) // 2


@pytest.mark.parametrize(("side", "stays"), [(7.0, True), (np.nextafter(np.float32(7), 8), False)])
def test_the_limit_itself(side: float, stays: bool) -> None:
    """IoU of exactly 0.7, and the next number above it."""
    output = np.zeros((1, 5, 20), np.float32)
    output[0, :, 0] = (5, 5, 10, 10, 0.9)
    output[0, :, 1] = (5, side / 2, 10, side, 0.8)
    ((_, ours),) = read(output, 0.25, np.ones(1, bool))
    assert ours is not None
    assert_equal(ours, next(decode(output, Layout.CLASSIC, 0.25, np.ones(1, bool))))
    if stays:
        assert len(ours.score) == 2


def test_boxes_without_area() -> None:
    output = np.zeros((1, 6, 30), np.float32)
    output[0, :5, :4] = np.array(
        [(5, 5, 0, 4, 0.9), (50, 50, 4, 0, 0.8), (5, 5, 9, 9, 0.7), (9, 9, -3, 5, 0.6)]
    ).T
    ((_, ours),) = read(output, 0.25, np.ones(2, bool))
    assert ours is not None
    assert_equal(ours, next(decode(output, Layout.CLASSIC, 0.25, np.ones(2, bool))))


@pytest.mark.parametrize("where", [0, 3, 4, 5])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_left_to_decode(where: int, bad: float) -> None:
    output = np.stack([output_of(seed, 20, 2, 50) for seed in (1, 2)])
    best = output[1, 4:].max(0).argmax()
    output[1, where, best] = bad
    (_, fine), (_, odd) = read(output, 0.25, np.ones(2, bool))
    assert fine is not None
    if bad == -np.inf and where >= 4:  # a class that it surely is not
        assert odd is not None
    else:
        assert odd is None
        with pytest.raises(DetectorError, match="not a number"):
            list(decode(output, Layout.CLASSIC, 0.25, np.ones(2, bool)))


def test_at_most_300_boxes() -> None:
    output = np.zeros((1, 5, 500), np.float32)
    output[0, 0], output[0, 2:4] = np.arange(500) * 20, 10
    output[0, 4] = np.linspace(0.9, 0.5, 500)
    ((_, ours),) = read(output, 0.25, np.ones(1, bool))
    assert ours is not None
    assert len(ours.score) == MAX_BOXES
    assert_equal(ours, next(decode(output, Layout.CLASSIC, 0.25, np.ones(1, bool))))


# ---- the engine, with a real network


@pytest.fixture(scope="module")
def engine(yolo26n: Path) -> CudaEngine:
    return CudaEngine(yolo26n, "cpu")


def started(engine: CudaEngine, conf: float = 0.25) -> CudaEngine:
    engine.start(Reading(Layout.CLASSIC, conf, np.ones(80, bool)), [(384, 640)])
    return engine


def seen(engine: ReadingEngine, images: Sequence[NDArray[np.uint8]]) -> Sequence[Boxes]:
    """One batch of pictures, all of which are drawn into 384×640."""
    return finish(engine, begin(engine, images))


def begin(engine: ReadingEngine, images: Sequence[NDArray[np.uint8]]) -> Any:
    canvas = engine.canvas(len(images), (384, 640))
    for image, picture in zip(images, canvas, strict=True):
        draw(image, fit((1920, 1080), 640, 32), picture)
    return engine.stage(canvas)


def finish(engine: ReadingEngine, staged: Any) -> Sequence[Boxes]:
    engine.wait(staged)
    return engine.boxes(staged)


@pytest.fixture(scope="module")
def images(shared_data: Path) -> list[NDArray[np.uint8]]:
    return [
        np.asarray(cv2.resize(image, (1920, 1080)), np.uint8)
        for image in pictures(shared_data, every=20).values()
    ]


@pytest.mark.shared
@pytest.mark.parametrize("conf", [0.25, 0.001])  # at 0.001 there are too many candidates for the matrix
def test_real_pictures(
    conf: float, engine: CudaEngine, yolo26n: Path, images: list[NDArray[np.uint8]]
) -> None:
    plain = CpuReading(TorchEngine(yolo26n))
    plain.start(Reading(Layout.CLASSIC, conf, np.ones(80, bool)), [])
    started(engine, conf)
    total = 0
    for start in range(0, len(images), 3):
        batch = images[start : start + 3]
        for ours, theirs in zip(seen(engine, batch), seen(plain, batch), strict=True):
            if conf == 0.25:
                assert_equal(ours, theirs)
            else:  # looked at once more, alone, which changes the last bit
                np.testing.assert_allclose(ours.score, theirs.score, atol=1e-4)
                np.testing.assert_allclose(ours.xyxy, theirs.xyxy, atol=0.1)
            total += len(ours.score)
    assert total > 15


@pytest.mark.shared
def test_batches_in_flight_do_not_touch_each_other(
    engine: CudaEngine, images: list[NDArray[np.uint8]]
) -> None:
    started(engine)
    alone = [seen(engine, [image])[0] for image in images[:5]]
    with ThreadPoolExecutor(1) as preparing:
        waiting = [preparing.submit(begin, engine, [image]) for image in images[:5]]
        together = [finish(engine, staged.result())[0] for staged in waiting]
    for one, other in zip(alone, together, strict=True):
        assert_equal(one, other)


@pytest.mark.shared
def test_an_end_to_end_network(yolo26n: Path, tmp_path: Path, images: list[NDArray[np.uint8]]) -> None:
    model = ultralytics().YOLO(str(yolo26n)).model
    model.model[-1].end2end = True
    model.model[-1].fuse()
    importlib.import_module("torch").save({"model": model, "train_args": {}}, tmp_path / "mine.pt")
    both: list[ReadingEngine] = [
        CudaEngine(tmp_path / "mine.pt", "cpu"),
        CpuReading(TorchEngine(tmp_path / "mine.pt")),
    ]
    found = []
    for one in both:
        assert one.probe((384, 640)) == (1, 300, 6)
        one.start(Reading(Layout.END_TO_END, 0.25, np.ones(80, bool)), [(384, 640)])
        found.append(seen(one, images[:4]))
    for ours, theirs in zip(*found, strict=True):
        assert_equal(ours, theirs)
    assert sum(len(boxes.score) for boxes in found[0]) > 10


def test_a_failure_of_the_device_is_told_when_boxes_are_wanted(
    engine: CudaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(engine)

    def fail(_pixels: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    image = np.zeros((1080, 1920, 3), np.uint8)
    with monkeypatch.context() as patch:
        patch.setattr(engine._programs, "_work", fail)
        staged = begin(engine, [image])  # the frames are not to blame: preparing them does not fail
        with pytest.raises(DetectorError, match=r"\(1, 384, 640, 3\): CUDA out of memory"):
            engine.wait(staged)
    assert len(seen(engine, [image])) == 1


def test_anchors_that_a_graph_would_read_are_held(engine: CudaEngine) -> None:
    """The head replaces them with the next shape; a graph knows their addresses."""
    engine.probe((384, 640))
    held = engine._network.remembered()
    shapes = {tuple(one.shape) for one in held}
    assert (2, 5040) in shapes
    engine.probe((640, 640))
    assert (2, 8400) in {tuple(one.shape) for one in engine._network.remembered()}
    assert {tuple(one.shape) for one in held} == shapes


# ---- memory


def test_a_slot_is_used_again_only_when_it_was_given_back() -> None:
    slots = Slots(CPU, None)
    first, second = slots.take(100), slots.take(100)
    assert first is not second
    slots.give(first)
    assert slots.take(50) is first
    assert slots.take(50).size == 50


def test_the_smallest_slot_that_fits() -> None:
    slots = Slots(CPU, None, keep=2)
    small, large, larger = (slots.take(size) for size in (100, 1000, 2000))
    for slot in (larger, small, large):
        slots.give(slot)
    assert slots.take(100) is large  # the smallest of three was let go
    assert slots.take(100) is larger


def test_a_canvas_knows_its_slot_and_nothing_holds_a_canvas() -> None:
    slot = Slots(CPU, None).take(2 * 4 * 8 * 3)
    canvas = slot.canvas((2, 4, 8, 3))
    assert slot_of(canvas) is slot
    canvas[1] = 7
    assert int(slot.upload((2, 4, 8, 3))[1].float().mean()) == 7
    for other in (canvas.copy(), canvas[:1]):
        with pytest.raises(TypeError, match="staged as it came"):
            slot_of(other)
    alive = weakref.ref(slot)
    del slot, canvas, other
    assert alive() is None


def test_results_of_growing_size() -> None:
    slot = Slots(CPU, None).take(10)
    for shape in ((1, 4), (3, 5), (2, 2)):
        found = torch.arange(float(np.prod(shape))).view(shape)
        assert torch.equal(slot.download(found), found)


def test_sizes_of_programs() -> None:
    assert [padded(count) for count in (1, 2, 3, 5, 9, 17, 25, 32, 40)] == [1, 2, 4, 8, 16, 24, 32, 32, 40]
    assert 2 * len(SIZES) <= KEPT


def test_slots_from_many_threads() -> None:
    slots = Slots(CPU, None)
    clashes = []

    def use() -> None:
        for number in range(200):
            slot = slots.take(64)
            canvas = slot.canvas((64,))
            canvas[:] = number % 251
            if not (canvas == number % 251).all():
                clashes.append(number)
            slots.give(slot)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes


# ---- all together


class Album:
    """A recording of pictures."""

    live, ends = False, True

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = images

    def __enter__(self) -> "Album":
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        for index, image in enumerate(self._images):
            yield Captured(LazyPicture((image.shape[1], image.shape[0]), image.copy), 0, index * 10**7)


@pytest.mark.shared
def test_in_a_pipeline_with_helpers(
    yolo26n: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of several cameras and sizes, staged in one thread and read in another."""
    images = list(pictures(shared_data, every=18).values())
    before = threading.active_count()
    monkeypatch.setattr(Yolo, "_load", lambda self: CudaEngine(yolo26n, "cpu"))
    with Yolo(yolo26n, engine="torch", device="cpu", imgsz=320) as yolo:
        alone = [yolo.detect([view(image)])[0] for image in images]
    yolo.max_batch = 4
    keeper, pipeline = Keeper(), Pipeline()
    for number in range(3):
        pipeline.add(Camera(f"camera{number}", Album(images[number::3])), yolo)
    pipeline.sink(keeper)
    pipeline.run()
    for number in range(3):
        results = keeper.of(f"camera{number}")
        assert [result.frame.index for result in results] == list(range(len(images[number::3])))
        for result, expected in zip(results, alone[number::3], strict=True):
            assert result.detections.class_id.tolist() == expected.class_id.tolist()
            np.testing.assert_allclose(result.detections.xyxy, expected.xyxy, atol=0.1)
    assert max(result.batch for result in keeper.got) > 1
    until(lambda: threading.active_count() == before)


@pytest.mark.shared
@pytest.mark.parametrize("family", ["yolo26n", "yolov8n"])  # without and with a distribution of distances
def test_an_fp16_network_that_works_boxes_out_in_fp32(family: str, shared_data: Path, tmp_path: Path) -> None:
    some = list(pictures(shared_data, every=60).values())
    path = random_network(f"{family}.yaml", tmp_path / "random.pt", some)
    pixels = torch.from_numpy(np.stack([cv2.resize(image, (160, 160)) for image in some]))
    with torch.inference_mode():
        exact = TorchNetwork(path, "cpu")(pixels)
        network = TorchNetwork(path, "cpu")
        network._dtype = torch.float16
        network._model.half()
        decode_in_fp32(network._model.model[-1])
        output = network(pixels)
    assert output.dtype == torch.float32
    assert output.shape == exact.shape
    assert float((output[:, 4:] - exact[:, 4:]).abs().mean()) < 0.003
    # From 128 pixels on, fp16 has steps of an eighth.
    large = output[:, :2][output[:, :2] > 128]
    assert len(large)
    assert ((large * 8) % 1 != 0).any()
