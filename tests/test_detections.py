"""Detections: shapes are checked, arrays are frozen, parts are cut alongside."""

from typing import Any

import numpy as np
import pytest

from streamer import Detections

LABELS = ("person", "car")


def three(**more: Any) -> Detections:
    given: dict[str, Any] = {
        "labels": LABELS,
        "xyxy": np.arange(12, dtype=np.float32).reshape(3, 4),
        "score": np.array([0.9, 0.5, 0.1], np.float32),
        "class_id": np.array([0, 1, 0], np.int32),
    }
    return Detections(**(given | more))


def test_lists_become_arrays_of_the_declared_types() -> None:
    seen = Detections(LABELS, [[1, 2, 3, 4]], [0.5], [1])  # type: ignore[arg-type]  # what scripts pass
    dtypes = [array.dtype.name for array in (seen.xyxy, seen.score, seen.class_id)]
    assert dtypes == ["float32", "float32", "int32"]
    assert len(seen) == 1
    assert seen.label(0) == "car"


@pytest.mark.parametrize("xyxy", [[], np.empty((0, 4)), np.empty((0,))])
def test_nothing_seen_has_the_right_shape_too(xyxy: Any) -> None:
    seen = Detections(LABELS, xyxy, [], [])  # type: ignore[arg-type]  # what scripts pass
    assert seen.xyxy.shape == (0, 4)
    assert len(seen) == len(Detections.none(LABELS)) == 0


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"xyxy": np.zeros((3, 5))}, r"xyxy must be \(N, 4\), not \(3, 5\)"),
        ({"xyxy": np.zeros(4)}, r"xyxy must be \(N, 4\), not \(4,\)"),
        ({"score": np.zeros(2)}, r"score must be \(3,\) like xyxy, not \(2,\)"),
        ({"score": np.zeros((3, 1))}, r"score must be \(3,\) like xyxy, not \(3, 1\)"),
        ({"class_id": np.zeros(4)}, r"class_id must be \(3,\) like xyxy, not \(4,\)"),
        ({"track_id": np.zeros(1, np.int64)}, r"track_id must be \(3,\) like xyxy, not \(1,\)"),
        ({"observed": np.zeros((3, 2), bool)}, r"observed must be \(3,\) like xyxy, not \(3, 2\)"),
        ({"extra": {"mask": np.zeros((2, 8, 8))}}, r"extra\['mask'\] must have 3 rows like xyxy, not 2"),
        ({"class_id": np.array([0, 2, 0])}, r"class_id must index labels \(0…1\), not 0…2"),
        ({"class_id": np.array([0, -1, 0])}, r"class_id must index labels \(0…1\), not -1…0"),
        ({"labels": ()}, r"class_id must index labels"),
    ],
)
def test_a_wrong_shape_is_refused_with_what_was_found(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        three(**wrong)


def test_every_array_is_read_only() -> None:
    seen = three(
        track_id=np.arange(3),
        observed=np.ones(3, bool),
        extra={"angle": np.zeros(3), "mask": np.zeros((3, 2, 2))},
    )
    arrays = [seen.xyxy, seen.score, seen.class_id, seen.track_id, seen.observed, *seen.extra.values()]
    for array in arrays:
        assert array is not None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_extra_is_its_own() -> None:
    extra = {"angle": np.zeros(3)}
    seen = three(extra=extra)
    extra["late"] = np.zeros(1)
    assert list(seen.extra) == ["angle"]


def test_is_frozen() -> None:
    with pytest.raises(AttributeError):
        three().labels = ()  # type: ignore[misc]  # that is what is tested


@pytest.mark.parametrize("seed", range(5))
def test_a_part_is_cut_alongside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    whole = Detections(
        LABELS,
        rng.random((n, 4), np.float32),
        rng.random(n, np.float32),
        rng.integers(0, 2, n, np.int32),
        track_id=np.arange(n),
        observed=rng.random(n) < 0.5,
        extra={"keypoints": rng.random((n, 17, 3)), "row": np.arange(n)},
    )
    mask = rng.random(n) < 0.5
    choices: list[Any] = [mask, np.flatnonzero(mask), rng.permutation(n), slice(n // 3, None), slice(0, 0)]
    for choice in choices:
        rows = np.arange(n)[choice]
        part = whole[choice]
        assert len(part) == len(rows)
        assert part.track_id is not None
        assert part.observed is not None
        assert part.track_id.tolist() == part.extra["row"].tolist() == rows.tolist()
        np.testing.assert_array_equal(part.xyxy, whole.xyxy[rows])
        np.testing.assert_array_equal(part.score, whole.score[rows])
        np.testing.assert_array_equal(part.class_id, whole.class_id[rows])
        np.testing.assert_array_equal(part.observed, np.asarray(whole.observed)[rows])
        np.testing.assert_array_equal(part.extra["keypoints"], whole.extra["keypoints"][rows])
        assert not part.xyxy.flags.writeable


def test_a_detector_may_use_its_arrays_again() -> None:
    boxes, scores = np.ones((2, 4), np.float32), np.ones(2, np.float32)
    seen = Detections(("thing",), boxes, scores, np.zeros(2, np.int32), track_id=[1, 2])  # type: ignore[arg-type]
    boxes[:] = 7
    scores[:] = 0
    assert (seen.xyxy == 1).all()
    assert (seen.score == 1).all()
    assert boxes.flags.writeable
    assert seen.track_id is not None
    assert seen.track_id.dtype == np.int64


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_boxes_are_numbers(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Detections(("thing",), np.full((1, 4), value), np.ones(1), np.zeros(1))
