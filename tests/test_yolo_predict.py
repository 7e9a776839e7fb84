"""Ours against Ultralytics' `predict`, one picture at a time: the same boxes, and the same accuracy."""

import importlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import yolo_reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from yolo_reference import average_precision, equal_share, export, pictures, predict, random_network, view

from detectors.yolo import Yolo
from detectors.yolo.letterbox import draw, fit, fit_fixed
from streamer.detections import Detections

pytestmark = [pytest.mark.shared, pytest.mark.timeout(300), pytest.mark.usefixtures("hardly_tuned")]
ENGINES = ("onnx", "torch")
FAMILIES = ("yolo26n", "yolov10n", "yolo11n", "yolov8n")


@pytest.fixture(scope="module", autouse=True)
def cache(yolo26n: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Exports of this module, none of them from an earlier run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRESHFRAME_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def images(shared_data: Path) -> dict[int, NDArray[np.uint8]]:
    return pictures(shared_data, every=2)


def detect(yolo: Yolo, images: list[NDArray[np.uint8]]) -> list[Detections]:
    return [yolo.detect([view(image)])[0] for image in images]


@pytest.fixture(scope="module")
def reference(yolo26n: Path, images: dict[int, NDArray[np.uint8]]) -> list[Detections]:
    labels = list(yolo_reference.ultralytics().YOLO(str(yolo26n)).names.values())
    return predict(yolo26n, list(images.values()), labels, 0.001, imgsz=640)


@pytest.mark.parametrize("engine", ENGINES)
def test_boxes_and_accuracy_are_those_of_predict(
    engine: str,
    yolo26n: Path,
    images: dict[int, NDArray[np.uint8]],
    reference: list[Detections],
    shared_data: Path,
) -> None:
    with Yolo(yolo26n, engine=engine, device="cpu", conf=0.001) as yolo:
        assert list(yolo.labels) == list(reference[0].labels)
        ours = detect(yolo, list(images.values()))
    share, count = equal_share(ours, reference, 0.25)
    assert count > 500
    assert share >= 0.99
    theirs = average_precision(shared_data, dict(zip(images, reference, strict=True)))
    assert theirs > 0.4
    mine = average_precision(shared_data, dict(zip(images, ours, strict=True)))
    assert mine == pytest.approx(theirs, abs=0.001)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_batch_gives_what_single_pictures_give(
    engine: str, yolo26n: Path, images: dict[int, NDArray[np.uint8]]
) -> None:
    some = list(images.values())[::3]
    with Yolo(yolo26n, engine=engine, device="cpu") as yolo:
        single = detect(yolo, some)
        yolo.max_batch = 4
        views = [view(image) for image in some]
        parts = yolo.prepare(views).parts
        assert len({part.staged.shape for part in parts}) > 2
        assert max(len(part.places) for part in parts) == 4
        batched = yolo.detect(views)
        assert yolo.detect([]) == []
    for one, other in zip(single, batched, strict=True):
        assert one.class_id.tolist() == other.class_id.tolist()
        np.testing.assert_allclose(one.score, other.score, atol=1e-3)
        np.testing.assert_allclose(one.xyxy, other.xyxy, atol=0.1)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_next_batch_is_prepared_while_one_is_inferred(
    engine: str, yolo26n: Path, images: dict[int, NDArray[np.uint8]]
) -> None:
    some = list(images.values())[:12]
    with Yolo(yolo26n, engine=engine, device="cpu") as yolo, ThreadPoolExecutor(1) as other_thread:
        alone = detect(yolo, some)
        waiting = [other_thread.submit(yolo.prepare, [view(image)]) for image in some]
        together = [yolo.infer(batch.result())[0] for batch in waiting]
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.xyxy, other.xyxy)
        assert np.array_equal(one.score, other.score)


def test_a_part_of_a_frame(yolo26n: Path, images: dict[int, NDArray[np.uint8]]) -> None:
    image = next(iter(images.values()))
    height, width = image.shape[:2]
    region = (40, 30, width, height)
    with Yolo(yolo26n, engine="onnx") as yolo:
        whole = yolo.detect([view(image[30:, 40:].copy())])[0]
        part = yolo.detect([view(image, region)])[0]
    assert len(part)
    np.testing.assert_allclose(part.xyxy, whole.xyxy + np.float32([40, 30, 40, 30]))


def test_only_the_wanted_classes(yolo26n: Path, images: dict[int, NDArray[np.uint8]]) -> None:
    some = list(images.values())[:8]
    with Yolo(yolo26n, engine="onnx", classes=["person", "chair"]) as yolo:
        ours, labels = detect(yolo, some), yolo.labels
    wanted = [labels.index("person"), labels.index("chair")]
    theirs = predict(yolo26n, some, labels, 0.25, imgsz=640, classes=wanted)
    share, count = equal_share(ours, theirs, 0.25)
    assert count > 20
    assert share >= 0.99


@pytest.fixture(scope="module")
def end_to_end(yolo26n: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same network with its one-to-one head only: as weights, and as a user's own .onnx."""
    model = yolo_reference.ultralytics().YOLO(str(yolo26n)).model
    head = model.model[-1]
    head.end2end = True
    head.fuse()
    weights = tmp_path_factory.mktemp("end2end") / "mine.pt"
    importlib.import_module("torch").save({"model": model, "train_args": {}}, weights)
    return {"torch": weights, "onnx": export(weights, imgsz=640, dynamic=True, nms=False)}


def test_the_end_to_end_head(
    end_to_end: dict[str, Path], yolo26n: Path, images: dict[int, NDArray[np.uint8]]
) -> None:
    some = list(images.values())[::2]
    theirs = None
    for engine in ENGINES:
        with Yolo(end_to_end[engine], engine=engine, device="cpu", trust_weights=True) as yolo:
            ours = detect(yolo, some)
        theirs = theirs or predict(yolo26n, some, yolo.labels, 0.25, imgsz=640, nms=False)
        share, count = equal_share(ours, theirs, 0.25)
        assert count > 250
        assert share >= 0.99


@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, tmp_path: Path, images: dict[int, NDArray[np.uint8]]) -> None:
    some = list(images.values())[::6]
    weights = random_network(f"{family}.yaml", tmp_path / f"{family}.pt", some)
    theirs = None
    for engine in ENGINES:
        with Yolo(weights, engine=engine, device="cpu", imgsz=320, trust_weights=True) as yolo:
            ours = detect(yolo, some)
        theirs = theirs or predict(weights, some, yolo.labels, 0.25, imgsz=320)
        share, count = equal_share(ours, theirs, 0.25)
        assert count > 500
        assert share >= 0.99


def test_an_onnx_of_fixed_size(yolo26n: Path, tmp_path: Path, images: dict[int, NDArray[np.uint8]]) -> None:
    some = list(images.values())[:10]
    weights = tmp_path / "fixed.pt"
    weights.write_bytes(yolo26n.read_bytes())
    exported = export(weights, imgsz=(256, 416))
    with Yolo(exported) as yolo:
        assert (yolo.info.name, yolo.info.imgsz, yolo.max_batch) == ("fixed", 416, 1)
        ours = yolo.detect([view(image) for image in some])
    share, count = equal_share(ours, predict(exported, some, yolo.labels, 0.25), 0.25)
    assert count > 80
    assert share >= 0.99


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 700), st.integers(1, 700), st.sampled_from((64, 320, 640)), st.booleans())
def test_the_network_sees_the_same_pixels(width: int, height: int, imgsz: int, rectangular: bool) -> None:
    letterbox = yolo_reference.ultralytics().data.augment.LetterBox
    noise = np.random.default_rng(width).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    image = cv2.resize(noise, (width, height))
    shape = (imgsz, imgsz) if rectangular else (imgsz, imgsz + 96)
    theirs = letterbox(shape, auto=rectangular, stride=32)(image=image)
    size = (width, height)
    where = fit(size, imgsz, 32) if rectangular else fit_fixed(size, shape)
    ours = np.empty((*where.shape, 3), np.uint8)
    draw(image, where, ours)
    assert ours.shape == theirs.shape
    assert (ours == theirs).all()
