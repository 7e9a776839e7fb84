"""From a network's output to boxes, held against slow and plain code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yolo_reference import iou

from detectors.yolo.postprocess import MAX_BOXES, Layout, decode, layout, suppress
from streamer.errors import DetectorError


def slow_suppression(xyxy: np.ndarray, score: np.ndarray, class_id: np.ndarray, limit: float) -> list[int]:
    kept: list[int] = []
    for i in np.argsort(-score, kind="stable"):
        same = [k for k in kept if class_id[k] == class_id[i]]
        if not (iou(xyxy[i], xyxy[same]) > limit).any():
            kept.append(int(i))
    return kept


def crowd(seed: int, count: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes in clusters, some left of and above the picture; scores with ties."""
    random = np.random.default_rng(seed)
    clusters = count // 5 + 1
    centre = random.uniform(-50, 600, (clusters, 2)).repeat(5, 0)[:count] + random.normal(0, 4, (count, 2))
    size = random.uniform(10, 100, (clusters, 2)).repeat(5, 0)[:count] * random.uniform(0.8, 1.2, (count, 2))
    xyxy = np.concatenate((centre - size / 2, centre + size / 2), 1).astype(np.float32)
    score = random.uniform(0, 1, count).round(2).astype(np.float32)
    return xyxy, score, random.integers(0, classes, count).astype(np.int32)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 120), st.integers(1, 4), st.sampled_from((0.3, 0.7)))
def test_suppression(seed: int, count: int, classes: int, limit: float) -> None:
    xyxy, score, class_id = crowd(seed, count, classes)
    assert suppress(xyxy, score, class_id, limit).tolist() == slow_suppression(xyxy, score, class_id, limit)


def test_a_box_at_the_limit_itself_stays() -> None:
    xyxy = np.array([[0, 0, 10, 10], [0, 0, 10, 5]], np.float32)
    score, class_id = np.array([0.9, 0.8], np.float32), np.zeros(2, np.int32)
    assert suppress(xyxy, score, class_id, 0.5).tolist() == [0, 1]
    assert suppress(xyxy, score, class_id, 0.49).tolist() == [0]


def classic_output(seed: int, count: int, classes: int) -> np.ndarray:
    xyxy, score, class_id = crowd(seed, count, classes)
    output = np.zeros((4 + classes, count), np.float32)
    output[:2] = (xyxy[:, :2] + xyxy[:, 2:]).T / 2
    output[2:4] = (xyxy[:, 2:] - xyxy[:, :2]).T
    output[4:] = np.random.default_rng(seed).uniform(0, 1, (classes, count)) * score * 0.9
    output[4 + class_id, np.arange(count)] = score
    return output


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120), st.sampled_from((0.0, 0.25, 0.9)), st.data())
def test_classic(seed: int, count: int, conf: float, data: st.DataObject) -> None:
    classes = 5
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=classes, max_size=classes)))
    output = classic_output(seed, count, classes)
    (found,) = decode(output[None], Layout.CLASSIC, conf, wanted)

    rows = []
    for x, y, width, height, *scores in output.T.astype(float):
        best = int(np.argmax(scores))
        if scores[best] > conf and wanted[best]:
            rows.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2, scores[best], best))
    table = np.array(rows).reshape(-1, 6)
    table = table[slow_suppression(table[:, :4], table[:, 4], table[:, 5], 0.7)]
    assert found.class_id.tolist() == table[:, 5].astype(int).tolist()
    np.testing.assert_allclose(found.score, table[:, 4], rtol=1e-6)
    np.testing.assert_allclose(found.xyxy, table[:, :4], atol=1e-3)


@given(st.integers(0, 10_000), st.sampled_from((0.0, 0.25, 0.9)), st.data())
def test_end_to_end(seed: int, conf: float, data: st.DataObject) -> None:
    wanted = np.array(data.draw(st.lists(st.booleans(), min_size=4, max_size=4)))
    xyxy, score, class_id = crowd(seed, 30, 4)
    rows = np.concatenate((xyxy, score[:, None], class_id[:, None]), 1, dtype=np.float32)
    rows = rows[np.argsort(-score, kind="stable")]
    (found,) = decode(rows[None], Layout.END_TO_END, conf, wanted)
    expected = np.array([row for row in rows if row[4] > conf and wanted[int(row[5])]]).reshape(-1, 6)
    assert np.array_equal(found.xyxy, expected[:, :4])
    assert np.array_equal(found.score, expected[:, 4])
    assert np.array_equal(found.class_id, expected[:, 5])


@pytest.mark.parametrize("kind", Layout)
def test_each_input_of_a_batch_has_its_own_boxes_and_at_most_300(kind: Layout) -> None:
    apart = np.zeros((6, 400), np.float32)
    apart[0], apart[2:4] = np.arange(400) * 20, 10
    apart[4] = np.linspace(0.9, 0.5, 400)
    if kind is Layout.END_TO_END:
        apart[5] = 0
    output = np.stack([apart, np.zeros_like(apart)])
    if kind is Layout.END_TO_END:
        output = output.transpose(0, 2, 1)
    full, empty = decode(output, kind, 0.25, np.ones(2, bool))
    assert len(full.score) == MAX_BOXES
    assert full.score[0] == pytest.approx(0.9)
    assert len(empty.score) == 0
    assert empty.xyxy.shape == (0, 4)


@pytest.mark.parametrize(
    ("shape", "classes", "expected"),
    [
        ((1, 84, 8400), 80, Layout.CLASSIC),
        ((2, 84, 5040), None, Layout.CLASSIC),
        ((1, 84, 21), 80, Layout.CLASSIC),
        ((1, 5, 8400), 1, Layout.CLASSIC),
        ((1, 300, 6), 80, Layout.END_TO_END),
        ((1, 300, 6), None, Layout.END_TO_END),
        ((1, 300, 6), 296, Layout.END_TO_END),
    ],
)
def test_layouts(shape: tuple[int, ...], classes: int | None, expected: Layout) -> None:
    assert layout(shape, classes) is expected


@pytest.mark.parametrize(
    ("shape", "classes"),
    [
        ((1, 3549, 85), None),  # YOLOX, YOLOv5: rows, with an objectness
        ((1, 25200, 85), 80),
        ((1, 116, 8400), 80),  # with masks
        ((1, 300, 38), 80),
        ((1, 1000), None),  # a classifier
        ((1, 4, 8400), None),
        ((1, 84, 20, 20), 80),
    ],
)
def test_other_layouts_are_refused(shape: tuple[int, ...], classes: int | None) -> None:
    with pytest.raises(DetectorError, match="shape"):
        layout(shape, classes)


@pytest.mark.parametrize("kind", Layout)
@pytest.mark.parametrize("where", [0, 4])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_an_error(kind: Layout, where: int, bad: float) -> None:
    output = np.full((1, 6, 6), 0.5, np.float32)
    output[0, where if kind is Layout.CLASSIC else 1, 1 if kind is Layout.CLASSIC else where] = bad
    with pytest.raises(DetectorError, match="not a number"):
        list(decode(output, kind, 0.25, np.ones(2, bool)))


@pytest.mark.parametrize("class_id", [-1, 2, 1e9])
def test_a_class_beyond_the_labels_is_an_error(class_id: float) -> None:
    output = np.array([[[0, 0, 5, 5, 0.9, class_id]]], np.float32)
    with pytest.raises(DetectorError, match="classes"):
        list(decode(output, Layout.END_TO_END, 0.25, np.ones(2, bool)))
