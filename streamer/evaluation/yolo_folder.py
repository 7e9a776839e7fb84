"""A dataset as YOLO's tools write it: a text file for each picture, and data.yaml with the classes.

https://docs.ultralytics.com/datasets/detect/
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streamer.config.document import parse
from streamer.config.load import refusal as refused_configuration
from streamer.config.load import text_of
from streamer.errors import ConfigError
from streamer.evaluation.dataset import MOST_PICTURES, MOST_PROBLEMS, Dataset, LabelledPicture, refusal
from streamer.evaluation.yolo_labels import read_labels, read_text
from streamer.sources.address import PICTURE_SUFFIXES

LARGEST_LIST = 50_000_000  # bytes of a file that lists pictures
YAML = ("data.yaml", "data.yml", "dataset.yaml")
NAMES = "classes.txt"
SPLITS = ("val", "test")  # in this order: what a model was trained on says nothing about it
IMAGES, LABELS = "images", "labels"


@dataclass(frozen=True, slots=True)
class _Told:
    """What a data.yaml says."""

    names: dict[int, str]
    where: tuple[Path, ...]  # folders or lists of pictures
    pose: bool = False  # lines go on with keypoints
    trained: bool = False  # the same pictures are to be trained on


def read_yolo(path: Path) -> Dataset:
    """Read a data.yaml, the folder that it is in, or a folder with `images` and `labels`.

    Raises ConfigError that says what is wrong, file and line named; whether pictures can be read is not
    looked at.
    """
    told = _from_yaml(path) if path.is_file() else _from_folder(path)
    problems: list[str] = []
    unlabelled = twice = 0
    pictures: list[LabelledPicture] = []
    known: set[Path] = set()
    for file in _pictures(told):
        if len(pictures) >= MOST_PICTURES:
            raise ConfigError(f"{path}: more than {MOST_PICTURES} pictures")
        if file in known:
            problems.append(f"picture {file} stands there twice")
        known.add(file)
        things = read_labels(_labels_of(file), told.names, pose=told.pose, problems=problems)
        unlabelled += things is None
        kept = tuple(dict.fromkeys(things or ()))
        twice += len(things or ()) - len(kept)
        pictures.append(LabelledPicture(file, kept, fractions=True))
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise refusal(str(path), problems)
    if pictures and unlabelled == len(pictures):
        raise ConfigError(
            f"{path}: none of its {len(pictures)} pictures has a label file; that of {pictures[0].path} "
            f"would be {_labels_of(pictures[0].path)}"
        )
    remarks = []
    if told.trained:
        remarks.append(
            "train names the same pictures: a model that was trained on them seems better than it is"
        )
    if unlabelled:
        remarks.append(f"pictures without a label file, in which nothing is said to be: {unlabelled}")
    if twice:
        remarks.append(f"boxes that stand there twice and count once: {twice}")
    return Dataset(str(path), tuple(pictures), tuple(remarks))


def _from_folder(folder: Path) -> _Told:
    for name in YAML:
        if (folder / name).is_file():
            return _from_yaml(folder / name)
    if (folder / IMAGES / "train").is_dir():
        raise ConfigError(
            f"{folder / IMAGES} has a folder train, and what a model was trained on says nothing about it; "
            f"say in {folder / YAML[0]} what is val"
        )
    for place in (folder, folder.parent):
        for name in YAML:
            if (place / name).is_file():
                told = _from_yaml(place / name)
                return replace(told, where=(folder / IMAGES,), trained=False)
        if (place / NAMES).is_file():
            lines = [line.strip() for line in text_of(str(place / NAMES)).splitlines()]
            while lines and not lines[-1]:
                lines.pop()
            return _Told(_names(lines, place / NAMES), (folder / IMAGES,))
    raise ConfigError(
        f"{folder}: nothing says what the classes are called; wanted is data.yaml or {NAMES}, in it or above"
    )


def _from_yaml(file: Path) -> _Told:
    document = parse(text_of(str(file)), str(file))
    if document.problems:
        raise refused_configuration(str(file), document, list(document.problems))
    tree = document.tree
    if not isinstance(tree, dict):
        raise ConfigError(f"{file}: no dataset: allowed is a mapping with path, val and names")
    split = next((name for name in SPLITS if tree.get(name)), None)
    if split is None:
        raise ConfigError(f"{file}: neither val nor test says where the pictures are")
    entries = tree[split] if isinstance(tree[split], list) else [tree[split]]
    root = file.parent
    if tree.get("path") is not None and (below := root / _text(tree["path"], file, "path")).is_dir():
        root = below  # else it is of the machine where the dataset was made, and counts from the file
    where = tuple(_place(root, _text(entry, file, split)) for entry in entries)
    return _Told(
        _names(tree.get("names"), file),
        where,
        pose=tree.get("kpt_shape") is not None,
        trained=tree.get("train") == tree[split],
    )


def _text(value: Any, file: Path, key: str) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(
            f"{file}: {key}: allowed is the path of a folder with pictures, or of a list of them"
        )
    return value


def _place(root: Path, text: str) -> Path:
    """A path as data.yaml has it. Exports of Roboflow say `../valid` and mean `valid`."""
    place = root / text
    if not place.exists() and text.startswith("../") and (root / text[3:]).exists():
        return root / text[3:]
    return place


def _names(value: Any, file: Path) -> dict[int, str]:
    """The classes: a list of names, or a mapping from number to name."""
    named: dict[int, str] = {}
    if isinstance(value, list):
        named = {number: name for number, name in enumerate(value) if isinstance(name, str) and name}
    elif isinstance(value, dict):
        named = {
            int(number): name
            for number, name in value.items()
            if number.isdecimal() and len(number) < 7 and isinstance(name, str) and name
        }
    if not named or len(named) != len(value):
        raise ConfigError(
            f"{file}: names: allowed is a list of texts, or a mapping from 0, 1, 2 … to texts; quote what "
            "looks like something else"
        )
    if len(set(named.values())) != len(named):
        twice = next(name for name in named.values() if list(named.values()).count(name) > 1)
        raise ConfigError(f"{file}: names: {twice[:60]!r} stands there twice")
    return named


def _pictures(told: _Told) -> Iterator[Path]:
    """The pictures' files, in order; then those that are not there, of which only the label file is."""
    for place in told.where:
        if place.suffix.lower() == ".txt":
            yield from _listed(place)
            continue
        found = sorted(_files(place, PICTURE_SUFFIXES))
        if not found:
            raise ConfigError(f"{place}: no pictures there; allowed are {' '.join(PICTURE_SUFFIXES)}")
        yield from found
        labels = _labels_of(place / "any.jpg").parent
        if labels != place and labels.is_dir():
            have = {file.with_suffix("").relative_to(place) for file in found}
            for file in sorted(_files(labels, (".txt",))):
                if file.name != NAMES and file.with_suffix("").relative_to(labels) not in have:
                    yield place / file.relative_to(labels).with_suffix(".*")


def _files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Files below a folder; hidden ones are not looked at. Raises ConfigError where it can't see all."""
    count = 0
    for here, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if (link := Path(here, name)).is_symlink():  # they may lead in a circle
                raise ConfigError(f"{link} is a link to a folder; name the folders in val, each")
        for name in files:
            if not name.startswith(".") and name.lower().endswith(suffixes):
                count += 1
                if count > MOST_PICTURES:
                    raise ConfigError(f"{folder}: more than {MOST_PICTURES} files")
                yield Path(here) / name


def _unreadable(error: OSError) -> None:
    raise ConfigError(f"{error.filename} cannot be read: {error.strerror}") from error


def _listed(file: Path) -> Iterator[Path]:
    for line in read_text(file, LARGEST_LIST).splitlines():
        picture = file.parent / line.strip()
        if line.strip() and not picture.name:
            raise ConfigError(f"{file}: {line[:60]!r} is no picture's path")
        if line.strip():
            yield picture


def _labels_of(picture: Path) -> Path:
    """The label file of a picture: the last `images` in its path is `labels`."""
    parts = list(picture.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == IMAGES:
            parts[place] = LABELS
            break
    return Path(*parts).with_suffix(".txt")
