"""How accuracy is measured: figures that theory knows, COCO's and YOLO's form alike, and chance."""

import json
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from faster_coco_eval import COCO, COCOeval_faster
from labelled import NAMES, Knower, Labelled, Row, scattered

from streamer import ModelInfo
from streamer.cli.eval_page import Outcome, page, tree
from streamer.errors import ConfigError, DetectorError, SourceError
from streamer.evaluation import (
    Dataset,
    Exam,
    Judged,
    LabelledPicture,
    Looked,
    Thing,
    judged,
    margin,
    read_dataset,
)
from streamer.evaluation.answers import answers
from streamer.evaluation.chance import Curve
from streamer.evaluation.matches import Matches, matches
from streamer.evaluation.precision import precision
from streamer.sources.pictures import read_picture

pytestmark = pytest.mark.timeout(60)


def sat(path: Path | str, detector: Knower) -> tuple[Looked, Judged]:
    """A detector that was examined."""
    dataset = read_dataset(Path(path))
    looked = Exam(dataset, detector, accept=lambda _: None).run()
    return looked, judged(dataset, looked)


def guessing(given: Labelled, seed: int, noise: float = 2.0) -> Knower:
    """Finds most things roughly, and some that are not there."""

    def find(number: int) -> Iterator[tuple[Row, float]]:
        random = np.random.default_rng((seed, number))
        for kind, *box in given.rows[number]:
            if random.random() < 0.8:
                x, y, w, h = np.array(box) + random.normal(0, noise, 4)
                yield (kind, x, y, max(w, 1), max(h, 1)), random.random()
        for _ in range(5):
            x, y, w, h = random.uniform(1, 40, 4)
            yield (int(random.integers(len(NAMES))), x, y, w, h), random.random() * 0.7

    return Knower(find)


def test_what_is_found_exactly_is_one_in_every_figure(tmp_path: Path) -> None:
    given = scattered(9)
    looked, result = sat(
        given.coco(tmp_path), Knower(lambda number: ((row, 0.9) for row in given.rows[number]))
    )
    figures = result.precision
    assert (figures.ap, figures.ap50, figures.ap75) == pytest.approx((1, 1, 1))
    assert {one.ap for one in figures.classes} == {figures.ap}
    assert [(one.name, one.boxes) for one in figures.classes] == [
        (name, sum(row[0] == NAMES.index(name) for rows in given.rows for row in rows))
        for name in sorted(NAMES)
    ]
    assert looked.sizes == given.sizes
    assert looked.model.name == "knower"


@pytest.mark.parametrize(("shift", "levels"), [(0.05, 9), (0.1, 7), (0.2, 4), (0.3, 1), (0.4, 0)])
def test_boxes_beside_their_things_count_up_to_the_iou_that_they_have(
    shift: float, levels: int, tmp_path: Path
) -> None:
    """Moved by a part f of its width, a box has IoU (1 - f) / (1 + f)."""
    given = Labelled(((90, 60),) * 4, (((0, 10, 10, 40, 30),),) * 4)
    moved = Knower(lambda _: iter([((0, 10 + 40 * shift, 10, 40, 30), 0.9)]))
    figures = sat(given.coco(tmp_path), moved)[1].precision
    assert figures.ap == pytest.approx(levels / 10)
    assert figures.ap50 == pytest.approx(float(levels > 0))


def test_half_of_the_things_and_as_many_errors(tmp_path: Path) -> None:
    given = Labelled(((90, 60),) * 10, (((0, 10, 10, 40, 30),),) * 10)
    (row,) = given.rows[0]
    half = Knower(lambda number: iter([(row, 0.5)] if number % 2 else []))
    path = given.coco(tmp_path)
    # Precision 1 up to recall 0.5: 51 of the 101 places where the curve is read.
    assert sat(path, half)[1].precision.ap == pytest.approx(51 / 101)
    wrong = Knower(lambda number: iter([(row, 0.5), ((0, 60, 40, 20, 15), 0.6)]))
    assert sat(path, wrong)[1].precision.ap == pytest.approx(0.5)
    assert sat(path, Knower(lambda _: iter([])))[1].precision.ap == 0


def direct(given: Labelled, looked: Looked) -> list[float]:
    """The library asked by hand."""
    truth = COCO(json.loads(json.dumps(given.tree([str(i) for i in range(len(given.sizes))]))))
    for one in truth.anns.values():
        one.setdefault("area", one["bbox"][2] * one["bbox"][3])
    category = {one["name"]: one["id"] for one in truth.cats.values()}
    rows = [
        {
            "image_id": 7 * number,
            "category_id": category[seen.label(i)],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": float(seen.score[i]),
        }
        for number, seen in enumerate(looked.seen)
        for i, (x1, y1, x2, y2) in enumerate(seen.xyxy.tolist())
    ]
    judge = COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=lambda *_: None)
    judge.run()
    return [float(value) for value in judge.stats[:6]]


def test_figures_are_those_of_the_library_and_the_same_in_both_forms(tmp_path: Path) -> None:
    given = scattered(30)
    detector = guessing(given, 3)
    looked, coco = sat(given.coco(tmp_path / "coco"), detector)
    figures = coco.precision
    assert [figures.ap, figures.ap50, figures.ap75] == pytest.approx(direct(given, looked)[:3], abs=1e-9)
    assert 0.1 < (figures.ap or 0) < 0.9
    # Its pictures come in another order.
    yolo = sat(given.yolo(tmp_path / "yolo"), detector)[1].precision
    for name in ("ap", "ap50", "ap75", "small", "medium", "large"):
        assert getattr(yolo, name) == pytest.approx(getattr(figures, name), abs=1e-6), name
    for one, other in zip(yolo.classes, figures.classes, strict=True):
        assert (one.name, one.boxes) == (other.name, other.boxes)
        assert (one.ap, one.ap50) == pytest.approx((other.ap, other.ap50), abs=1e-6)


def test_drawn_pictures_count_as_if_they_stood_there_so_often(tmp_path: Path) -> None:
    given = scattered(25, seed=4)

    def crowded(tree: dict[str, list[dict[str, object]]]) -> None:
        for one in tree["annotations"][::4]:
            one["iscrowd"] = 1

    path = given.coco(tmp_path, crowded)
    dataset = read_dataset(path)
    assert dataset.crowds > 5
    looked = Exam(dataset, guessing(given, 8, noise=1.0), accept=lambda _: None).run()
    classes, given_answers = answers(dataset, looked)
    curve = Curve(matches(len(classes), given_answers))
    random = np.random.default_rng(2)
    for times in (
        np.ones(25, np.intp),
        *(np.bincount(random.integers(0, 25, 25), minlength=25) for _ in range(8)),
    ):
        drawn = [one for one, n in zip(given_answers, times.tolist(), strict=True) for _ in range(n)]
        assert curve.ap(times) == pytest.approx(precision(classes, drawn).ap, abs=1e-9)


def test_chance_is_told_from_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.evaluation.chance.DRAWS", 200)
    given = scattered(60, seed=6)
    path = given.coco(tmp_path)
    one, same, other, worse = (
        sat(path, guessing(given, seed, noise))[1] for seed, noise in ((1, 1.0), (1, 1.0), (2, 1.0), (3, 4.0))
    )
    assert margin(one.matches, same.matches) == 0
    assert 0.01 < margin(one.matches) < 0.2
    ap = one.precision.ap or 0
    assert abs(ap - (other.precision.ap or 0)) < margin(one.matches, other.matches)
    assert ap - (worse.precision.ap or 0) > margin(one.matches, worse.matches)
    assert margin(one.matches, other.matches) == margin(one.matches, other.matches)  # seeded


def test_it_is_every_picture_or_an_error(tmp_path: Path) -> None:
    given = scattered(12)

    def stumbling(number: int) -> Iterator[tuple[Row, float]]:
        if number == 5:
            raise ValueError("not this one")
        return iter([])

    path = given.coco(tmp_path)
    exam = Exam(read_dataset(path), Knower(stumbling), accept=lambda _: None)
    with pytest.raises(DetectorError, match=r"1 pictures could not be looked at: p007\.png"):
        exam.run()
    dataset = read_dataset(path)
    broken = dataset.pictures[9].path
    content = broken.read_bytes()
    begin = content.index(b"IDAT") + 4
    broken.write_bytes(content[:begin] + bytes(8) + content[begin + 8 :])
    exam = Exam(dataset, Knower(lambda _: iter([])), accept=lambda _: None)
    with pytest.raises(SourceError, match=f"{broken.name} cannot be read"):
        exam.run()
    assert exam.begun


def test_a_model_without_the_words_is_refused_at_the_first_picture(tmp_path: Path) -> None:
    given = scattered(12)
    heard: list[object] = []

    def accept(labels: object) -> None:
        heard.append(labels)
        raise ConfigError("no such words")

    exam = Exam(
        read_dataset(given.coco(tmp_path)), Knower(lambda _: iter([]), ("x", "y", "z")), accept=accept
    )
    with pytest.raises(ConfigError, match="no such words"):
        exam.run()
    assert heard == [("x", "y", "z")]
    assert not exam.begun


def test_a_picture_that_lies_on_its_side(tmp_path: Path) -> None:
    """It is turned upright before it is looked at: YOLO's boxes are of that, COCO's are not."""
    upright: Row = (0, 10, 20, 20, 30)
    given = Labelled(((48, 64),) * 2, ((upright,),) * 2)
    path = given.yolo(tmp_path)
    for picture in (tmp_path / "val/images").iterdir():
        lying = cv2.rotate(read_picture(picture), cv2.ROTATE_90_COUNTERCLOCKWISE)
        good, jpeg = cv2.imencode(".jpg", lying)
        assert good
        exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 0)
        segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
        content = jpeg.tobytes()
        picture.with_suffix(".jpg").write_bytes(content[:2] + segment + content[2:])
        picture.unlink()
    knower = Knower(lambda _: iter([(upright, 0.9)]))
    looked, result = sat(path, knower)
    assert looked.sizes == given.sizes
    assert result.precision.ap == pytest.approx(1)
    names = sorted(one.name for one in (tmp_path / "val/images").iterdir())
    tree = Labelled(((64, 48),) * 2, given.rows).tree(names)  # as it is stored
    labels = tmp_path / "val/labels.json"
    labels.write_text(json.dumps(tree))
    with pytest.raises(ConfigError, match="is 48x64 when it is upright, the dataset says 64x48"):
        sat(labels, knower)


def test_two_detectors_that_are_equally_good_are_seldom_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both miss and err at random; how far their figures lie apart is as far as was said it may be."""
    monkeypatch.setattr("streamer.evaluation.chance.DRAWS", 60)
    differences, margins = [], []
    for trial in range(50):
        given = scattered(24, seed=trial)
        pair = [seen_by(given, guessing(given, 1000 + 2 * trial + which)) for which in range(2)]
        aps = [Curve(one).ap(np.ones(24, np.intp)) for one in pair]
        differences.append(aps[1] - aps[0])
        margins.append(margin(*pair))
    wrongly = sum(abs(difference) > off for difference, off in zip(differences, margins, strict=True))
    assert wrongly <= 6
    assert np.mean(margins) == pytest.approx(1.96 * np.std(differences), rel=0.25)


def seen_by(given: Labelled, detector: Knower) -> Matches:
    """The same without a pipeline and without pictures."""
    pictures = tuple(
        LabelledPicture(Path(), tuple(Thing(NAMES[kind], (x, y, w, h)) for kind, x, y, w, h in rows), size)
        for rows, size in zip(given.rows, given.sizes, strict=True)
    )
    seen = tuple(detector.seen(number) for number in range(len(pictures)))
    looked = Looked(NAMES, detector.info, seen, given.sizes, 0.0, 0.0)
    classes, all_answers = answers(Dataset("scattered", pictures), looked)
    return matches(len(classes), all_answers)


@pytest.mark.parametrize(
    ("models", "engines", "titles"),
    [
        (("a/best.pt", "a/last.pt"), ("onnx", "onnx"), ("best", "last")),
        (("a/best.pt", "a/best.pt"), ("onnx", "openvino-int8"), ("onnx", "openvino-int8")),
        (("runs/train/w/best.pt", "runs/train2/w/best.pt"), ("onnx", "onnx"), ("train", "train2")),
        (("best.pt", "older/best.pt"), ("onnx", "onnx"), ("best.pt", "older")),
        (("a" * 40 + ".pt", "b" * 40 + ".pt"), ("onnx", "onnx"), ("a" * 12 + "…", "b" * 12 + "…")),
    ],
)
def test_a_page_fits_a_terminal_and_tells_two_models_apart(
    models: tuple[str, str], engines: tuple[str, str], titles: tuple[str, str], tmp_path: Path
) -> None:
    name = "bird with a name that has no end in sight"
    given = scattered(12)
    dataset = read_dataset(given.coco(tmp_path)).renamed({"bird": name})
    outcomes = []
    for seed, (model, engine) in enumerate(zip(models, engines, strict=True)):
        detector = guessing(given, seed)
        detector.labels = ("cat", "dog", name)
        detector.info = ModelInfo(Path(model).stem, "onnxruntime", 640, "fp32")
        looked = Exam(dataset, detector, accept=lambda _: None).run()
        outcomes.append(Outcome(model, engine, "0123456789abcdef", looked, judged(dataset, looked)))
    lines = page(dataset, outcomes, 0.5).splitlines()
    assert [line for line in lines[4:] if len(line) > 80 and not line.startswith(titles[1])] == []
    assert [*titles, "difference"] in [line.split() for line in lines]
    first, second = (next(one for one in each.precision.classes if one.name == name) for each in outcomes)
    assert first.ap is not None
    assert second.ap is not None
    row = next(line for line in lines if line.startswith("bird"))
    assert row.split()[-3:] == [f"{first.ap:.4f}", f"{second.ap:.4f}", f"{second.ap - first.ap:+z.4f}"]
    assert "this cannot be told from chance." in "\n".join(lines)
    assert "this is more than chance." in page(dataset, outcomes, 1e-6)
    assert tree(dataset, outcomes, 0.5)["difference_margin_95"] == 0.5


def test_one_of_each_is_no_plural(tmp_path: Path) -> None:
    given = scattered(12)
    dataset = read_dataset(given.coco(tmp_path))
    thing = next(one for picture in dataset.pictures for one in picture.things if not one.crowd)
    picture = replace(dataset.pictures[0], things=(thing, replace(thing, crowd=True)))
    looked, one = sat(dataset.where, guessing(given, 1))
    one = replace(one, precision=replace(one.precision, classes=one.precision.classes[:1]))
    text = page(replace(dataset, pictures=(picture,)), [Outcome("a", "onnx", "", looked, one)], None)
    assert "\n1 picture, 1 box of 1 class\n1 crowd counts neither way\n" in text
    assert "\n1 picture says little of others: " in text


def test_what_differs_by_nothing_that_is_shown_does_not_differ(tmp_path: Path) -> None:
    """Engines round differently: 1e-9 is no news, however sure it is."""
    given = scattered(12)
    dataset = read_dataset(given.coco(tmp_path))
    looked, one = sat(dataset.where, guessing(given, 1))
    assert one.precision.ap is not None
    other = replace(one, precision=replace(one.precision, ap=one.precision.ap + 1e-9))
    outcomes = [Outcome("a", "onnx", "", looked, one), Outcome("a", "torch", "", looked, other)]
    assert "\nIn AP onnx and torch do not differ.\n" in page(dataset, outcomes, 1e-12)
    assert "\nIn AP onnx and torch do not differ, give or take 0.0200 (95 %).\n" in page(
        dataset, outcomes, 0.02
    )
