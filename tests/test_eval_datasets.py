"""Datasets as they are found: both formats, and everything that can be wrong with them."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from labelled import NAMES, Labelled, scattered

from streamer.errors import ConfigError
from streamer.evaluation import Dataset, read_dataset

GIVEN = Labelled(
    ((64, 48), (80, 60), (64, 64)),
    (((0, 10, 10, 20, 20), (1, 30, 5, 10.5, 30)), ((2, 0, 0, 80, 60),), ()),
)
Tree = dict[str, Any]


def refused(path: Path, images: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read_dataset(path, images)
    text = str(caught.value)
    assert len(text) < 3000
    return text


def things(dataset: Dataset) -> list[list[tuple[str, tuple[float, ...]]]]:
    """What is in each picture, in pixels, by the pictures' names."""
    by_name = sorted(dataset.pictures, key=lambda one: one.path.name, reverse=True)
    return [
        [
            (
                one.name,
                tuple(
                    round(value * (size if picture.fractions else 1), 6)
                    for value, size in zip(one.xywh, (*sizes, *sizes), strict=True)
                ),
            )
            for one in picture.things
        ]
        for picture, sizes in zip(by_name, GIVEN.sizes, strict=True)
    ]


WANTED = [[(NAMES[kind], tuple(map(float, box))) for kind, *box in rows] for rows in GIVEN.rows]


def test_cocos_form(tmp_path: Path) -> None:
    path = GIVEN.coco(tmp_path)
    assert things(read_dataset(tmp_path)) == WANTED  # the only file of its kind there
    dataset = read_dataset(path)
    assert things(dataset) == WANTED
    assert dataset.boxes == {"cat": 1, "dog": 1, "bird": 1}
    assert dataset.showing() == 2
    assert [one.size for one in dataset.pictures] == list(GIVEN.sizes)
    # Elsewhere, and beside the file.
    (tmp_path / "images").rename(tmp_path / "pictures")
    assert things(read_dataset(path, tmp_path / "pictures")) == WANTED
    moved = path.rename(tmp_path / "pictures" / "instances.json")
    assert things(read_dataset(moved)) == WANTED
    assert things(read_dataset(moved.parent)) == WANTED


def test_yolos_form(tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    assert things(read_dataset(path)) == WANTED
    assert things(read_dataset(tmp_path)) == WANTED
    assert things(read_dataset(tmp_path / "val")) == WANTED  # the names are above it
    listed = tmp_path / "val.txt"
    listed.write_text("".join(f"./val/images/{one.name}\n" for one in (tmp_path / "val/images").iterdir()))
    for told in (
        "val: val.txt\nnames: {0: cat, 1: dog, 2: bird}",
        "val: [val/images]\nnames: {'0': cat, '1': dog, '2': bird, '7': cow}\ndownload: |\n  import os",
        "val: ../val/images\nnames: [cat, dog, bird]",  # as Roboflow writes it
        "path: /where/it/was/made\nval: val/images\nnames: [cat, dog, bird]",
        "val: val\nnames: [cat, dog, bird]",
        "train: nowhere\ntest: val/images\nnames: [cat, dog, bird]",
    ):
        path.write_text(told)
        assert things(read_dataset(path)) == WANTED, told
    path.unlink()
    (tmp_path / "val/classes.txt").write_text("cat\ndog\nbird\n\n")
    assert things(read_dataset(tmp_path / "val")) == WANTED


def test_outlines_and_keypoints_become_boxes(tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    label = next((tmp_path / "val/labels").glob("p003.txt"))
    label.write_text("0 0.25 0.5 0.5 0.25 0.75 0.5 0.5 1.0\n")
    picture = next(one for one in read_dataset(path).pictures if one.path.stem == "p003")
    assert [one.xywh for one in picture.things] == [(0.25, 0.25, 0.5, 0.75)]
    label.write_text("0 0.5 0.5 0.5 0.5 0.1 0.2 2 0.3 0.4 2\n")
    path.write_text(path.read_text() + "kpt_shape: [2, 3]\n")
    picture = next(one for one in read_dataset(path).pictures if one.path.stem == "p003")
    assert [one.xywh for one in picture.things] == [(0.25, 0.25, 0.5, 0.5)]


def test_classes_are_called_as_the_model_calls_them(tmp_path: Path) -> None:
    dataset = read_dataset(GIVEN.coco(tmp_path))
    assert dataset.renamed({"dog": "animal", "cat": "animal"}).boxes == {"animal": 2, "bird": 1}
    some = dataset.only(["dog"])
    assert (some.boxes, len(some.pictures)) == ({"dog": 1}, 3)
    with pytest.raises(ConfigError, match=r"nothing of the class 'Dog' \(did you mean dog\?\)"):
        dataset.only(["Dog"])
    with pytest.raises(ConfigError, match="nothing of the class 'cow'"):
        dataset.renamed({"cow": "dog"})


def test_an_area_that_was_not_measured_is_that_of_the_box(tmp_path: Path) -> None:
    def areas(tree: Tree) -> None:
        tree["annotations"][0]["area"] = 0
        tree["annotations"][1]["area"] = 250.5

    things = read_dataset(GIVEN.coco(tmp_path, areas)).pictures[0].things
    assert [one.area for one in things] == [None, 250.5]


def test_every_picture_below_is_found_or_it_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = GIVEN.yolo(tmp_path / "here")
    other = GIVEN.yolo(tmp_path / "other")
    link = tmp_path / "here/val/images/more"
    link.symlink_to(other.parent / "val/images")
    assert "more is a link to a folder" in refused(path)
    link.unlink()
    link.mkdir()
    scandir = os.scandir

    def locked(folder: Any) -> Any:
        if Path(folder) == link:
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    with monkeypatch.context() as patched:  # root may read everything
        patched.setattr("os.scandir", locked)
        assert "more cannot be read: Permission denied" in refused(path)
    assert len(read_dataset(path).pictures) == 3


def test_a_picture_counts_once(tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    for where in ("[val/images, val]", "val.txt"):
        (tmp_path / "val.txt").write_text("val/images/p001.png\n./val/images/p001.png\n")
        path.write_text(f"val: {where}\nnames: [cat, dog, bird]\n")
        assert "val/images/p001.png stands there twice" in refused(path)


def test_pictures_for_training_are_told_apart(tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    told = path.read_text()
    path.write_text(f"{told}train: val/images\n")
    assert "train names the same pictures" in read_dataset(path).remarks[0]
    path.write_text(f"{told}train: nowhere\n")
    assert read_dataset(path).remarks == ()
    path.unlink()
    (tmp_path / "classes.txt").write_text("cat\ndog\nbird\n")
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
        (tmp_path / "val" / kind).rename(tmp_path / kind / "train")
    assert "images has a folder train, and what a model was trained on" in refused(tmp_path)


def test_missing_pictures_are_counted_and_named(tmp_path: Path) -> None:
    given = scattered(12)
    path = given.coco(tmp_path / "coco")
    for number in (3, 5, 8):
        (tmp_path / f"coco/images/p{number:03}.png").unlink()
    text = refused(path)
    assert "3 of 12 pictures are missing: " in text
    assert "p008.png, p005.png, p003.png; the first would be " in text
    assert text.endswith("images/p008.png; --images says where they are")
    assert "12 of 12 pictures are missing: p012.png, " in refused(path, tmp_path)
    os.mkfifo(tmp_path / "coco/images/p003.png")  # whoever opens it waits for ever
    assert "3 of 12 pictures are missing" in refused(path)
    path = given.yolo(tmp_path / "yolo")
    (tmp_path / "yolo/val/images/p003.png").unlink()
    text = refused(path)
    assert "1 of 12 pictures are missing: p003.*; the first would be " in text
    assert "--images" not in text
    path.write_text(path.read_text().replace("val/images", "list.txt"))
    (tmp_path / "yolo/list.txt").write_text("val/images/p003.png\nval/images/p004.png\n")
    text = refused(path)
    assert "1 of 2 pictures are missing: " in text
    assert "--images" not in text
    for line in ("/", "a\0b", "x" * 300):
        (tmp_path / "yolo/list.txt").write_text(f"{line}\n")
        assert refused(path)
    (tmp_path / "yolo/list.txt").unlink()
    os.mkfifo(tmp_path / "yolo/list.txt")
    assert "list.txt is no file" in refused(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no picture", "not a picture"),
        (b"", "not a picture"),
        (b"\x89PNG\r\n\x1a\n", "cut off in its header"),
        (b"BM" + bytes(12) + struct.pack("<III", 40, 60_000, 60_000), "60000x60000 pixels; allowed are"),
    ],
)
def test_pictures_that_are_none(content: bytes, said: str, tmp_path: Path) -> None:
    path = GIVEN.coco(tmp_path)
    (tmp_path / "images/p002.png").write_bytes(content)
    assert f"p002.png is no picture that can be read: {said}" in refused(path)


def test_pictures_of_another_size(tmp_path: Path) -> None:
    path = GIVEN.coco(tmp_path, lambda tree: tree["images"][1].update(width=160, height=120))
    assert "80x60 pixels, the dataset says 160x120" in refused(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: tree["images"].append(tree["images"][0]), "picture id 0 stands there twice"),
        (lambda tree: tree["images"][0].update(file_name="p002.png"), "picture p002.png stands there twice"),
        (
            lambda tree: tree["images"][0].update(file_name="./p002.png"),
            "picture p002.png stands there twice",
        ),
        (lambda tree: tree["images"][0].pop("width"), "missing required field `width`"),
        (
            lambda tree: tree["categories"].append({"id": 10, "name": "x"}),
            "category id 10 stands there twice",
        ),
        (lambda tree: tree["categories"].append({"id": 9, "name": "cat"}), "category cat stands there twice"),
        (lambda tree: tree["annotations"][0].update(id=2), "annotation id 2 stands there twice"),
        (
            lambda tree: tree["annotations"][0].update(image_id=99),
            "annotation 1: there is no picture with the id 99",
        ),
        (
            lambda tree: tree["annotations"][0].update(category_id=99),
            "annotation 1: there is no category with the id 99",
        ),
        (
            lambda tree: tree["annotations"][0].update(bbox=[60, 5, 40, 9]),
            "40x9 at 60, 5, lies outside of p003.png",
        ),
        (lambda tree: tree["annotations"][0].update(bbox=[-30, 5, 40, 9]), "lies outside"),
        (lambda tree: tree["annotations"][0].update(bbox=[0, 0, -4, 9]), "no dataset in COCO's format"),
        (lambda tree: tree["annotations"][0].update(bbox=[0, 0, 4]), "no dataset in COCO's format"),
        (lambda tree: tree["annotations"][0].update(bbox="all"), "no dataset in COCO's format"),
        (
            lambda tree: tree["annotations"][0].update(bbox=[0, 0, 4, float("inf")]),
            "no dataset in COCO's format",
        ),
        (lambda tree: tree["images"][0].update(width=-3), "no dataset in COCO's format"),
        (
            lambda tree: tree["images"][0].update(file_name="../../etc/passwd"),
            "leads out of the pictures' folder",
        ),
        (lambda tree: tree["images"][0].update(file_name="/etc/passwd"), "leads out of the pictures' folder"),
        (lambda tree: tree["images"][0].update(file_name=""), "leads out of the pictures' folder"),
        (lambda tree: tree["images"][0].update(file_name="a\0b"), "leads out of the pictures' folder"),
        (lambda tree: tree.update(images=[], annotations=[]), "has no pictures"),
        (lambda tree: tree.update(annotations=[]), "says of no picture what is in it"),
        (
            lambda tree: [one.update(iscrowd=1) for one in tree["annotations"]],
            "says of no picture what is in it",
        ),
        (lambda tree: tree.pop("categories"), "no dataset in COCO's format"),
    ],
)
def test_cocos_form_with_something_wrong(change: Callable[[Tree], object], said: str, tmp_path: Path) -> None:
    assert said in refused(GIVEN.coco(tmp_path, change))


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    given = scattered(40)
    text = refused(
        given.coco(tmp_path, lambda tree: [one.update(category_id=5) for one in tree["annotations"]])
    )
    count = sum(map(len, given.rows))
    assert f"labels.json: {count} problems:" in text
    assert f"… and {count - 5} more" in text
    assert len(text.splitlines()) == 7


@pytest.mark.parametrize("content", ["", "[]", "{", '{"images": [[[[[', "\ud800", "[" * 100_000])
def test_json_that_is_none(content: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    assert "is no dataset in COCO's format" in refused(path)
    assert "cannot be read: No such file" in refused(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2", "4 columns; allowed are 5"),
        ("0 0.5 0.5 0.2 0.2 0.9", "6 columns; allowed are 5"),
        ("0 0.5 0.5 0.2 x", "not all columns are numbers"),
        ("3 0.5 0.5 0.2 0.2", "class 3; data.yaml names 0 to 2"),
        ("-1 0.5 0.5 0.2 0.2", "class -1"),
        ("0.5 0.5 0.5 0.2 0.2", "class 0.5"),
        ("nan 0.5 0.5 0.2 0.2", "class nan"),
        ("0 0.5 0.5 -0.005 0.2", "a negative width"),
        ("0 320 240 100 100", "a coordinate that is not between 0 and 1"),
        ("0 nan 0.5 0.2 0.2", "a coordinate that is not between 0 and 1"),
        ("0 0.1 0.1 0.2 0.1 0.2 7", "a coordinate that is not between 0 and 1"),
    ],
)
def test_yolos_lines_with_something_wrong(line: str, said: str, tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    label = tmp_path / "val/labels/p003.txt"
    label.write_text(f"0 0.5 0.5 0.2 0.2\n\n{line}\n")
    text = refused(path)
    assert f"labels/p003.txt:3: {said}" in text


def test_what_yolos_form_leaves_open_is_said(tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    label = tmp_path / "val/labels/p003.txt"
    label.write_text("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n")
    (tmp_path / "val/labels/p001.txt").unlink()
    dataset = read_dataset(path)
    assert dataset.boxes == {"cat": 1, "bird": 1}
    assert dataset.remarks == (
        "pictures without a label file, in which nothing is said to be: 1",
        "boxes that stand there twice and count once: 1",
    )
    for one in (tmp_path / "val/labels").iterdir():
        one.unlink()
    text = refused(path)
    assert "none of its 3 pictures has a label file; that of " in text
    assert str(tmp_path / "val/labels/p001.txt") in text
    label.write_bytes(b"\xff\xfe0 0.5")
    assert "is no text" in refused(path)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(8)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no dataset: allowed is a mapping"),
        ("[val]", "no dataset: allowed is a mapping"),
        ("names: [cat]", "neither val nor test"),
        ("val: val/images", "names: allowed is a list"),
        ("val: val/images\nnames: cat", "names: allowed is a list"),
        ("val: val/images\nnames: [cat, 3]", "names: allowed is a list"),
        ("val: val/images\nnames: {zero: cat}", "names: allowed is a list"),
        ("val: val/images\nnames: [cat, cat]", "'cat' stands there twice"),
        ("val: 3\nnames: [cat]", "val: allowed is the path"),
        ("val: nowhere\nnames: [cat]", "nowhere cannot be read: No such file"),
        ("val: val/images\nval: val/images\nnames: [cat]", "twice"),
        ("val: !!python/name:os.system id\nnames: [cat]", "tagged value"),
        (BOMB, "too many values"),
        ("val: [" * 100, "nested"),
        ("val: val/images\nnames: [cat, dog, bird\n", "not YAML"),
        ("#" * 300_000, "too large"),
    ],
)
def test_data_yaml_with_something_wrong(text: str, said: str, tmp_path: Path) -> None:
    path = GIVEN.yolo(tmp_path)
    path.write_text(text)
    assert said in refused(path)


def test_what_is_no_dataset(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "film.mp4"):
        assert "is no dataset; allowed: a JSON file in COCO's format" in refused(path)
    (tmp_path / "images").mkdir()
    assert "nothing says what the classes are called" in refused(tmp_path)
    path = GIVEN.yolo(tmp_path / "yolo")
    assert "--images is for a dataset in COCO's format" in refused(path, tmp_path)
    coco = GIVEN.coco(tmp_path / "coco")
    large = json.dumps({"x": "y" * 1000})
    coco.write_text(large)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("streamer.evaluation.coco_file.LARGEST_FILE", 100)
        assert "is larger than" in refused(coco)
