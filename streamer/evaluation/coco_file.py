"""A dataset in COCO's format: one JSON file, with the pictures beside it.

What each key means: https://cocodataset.org/#format-data, "Object Detection".
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from itertools import islice
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from streamer.errors import ConfigError
from streamer.evaluation.dataset import MOST_PICTURES, MOST_PROBLEMS, Dataset, LabelledPicture, Thing, refusal
from streamer.sources.listing import printable

LARGEST_FILE = 500_000_000  # bytes; COCO itself says in 470 MB what is in 118,000 pictures

Length = Annotated[float, msgspec.Meta(ge=0)]
Side = Annotated[int, msgspec.Meta(ge=1)]


class _Category(msgspec.Struct):
    id: int
    name: str


class _Picture(msgspec.Struct):
    id: int
    file_name: str
    width: Side
    height: Side


class _Box(msgspec.Struct):
    image_id: int
    category_id: int
    bbox: tuple[float, float, Length, Length]  # left, top, width, height
    id: int | None = None
    area: Length | None = None
    iscrowd: int = 0


class _Tree(msgspec.Struct):
    """What is read of such a file; it holds more."""

    images: list[_Picture]
    categories: list[_Category]
    annotations: list[_Box]


def read_coco(file: Path, images: Path | None) -> Dataset:
    """Read it. images: the folder that its `file_name`s count from, by default found.

    Raises ConfigError that says all that is wrong with it; whether the pictures are there is not looked at.
    """
    tree = _decoded(file)
    if problems := list(islice(_problems(tree), MOST_PROBLEMS)):
        raise refusal(str(file), problems)
    names = {one.id: one.name for one in tree.categories}
    things: dict[int, list[Thing]] = {one.id: [] for one in tree.images}
    for one in tree.annotations:
        area = one.area or None  # tools that know no outlines write 0
        things[one.image_id].append(Thing(names[one.category_id], one.bbox, area, crowd=one.iscrowd != 0))
    folder = images or _folder(file, tree.images)
    return Dataset(
        str(file),
        tuple(
            LabelledPicture(folder / one.file_name, tuple(things[one.id]), (one.width, one.height))
            for one in tree.images
        ),
    )


def _decoded(file: Path) -> _Tree:
    try:
        if not file.is_file() and file.exists():
            raise ConfigError(f"{file} is no file")  # a pipe would never end
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_FILE:
        raise ConfigError(f"{file} is larger than {LARGEST_FILE // 10**6} MB")
    try:
        return msgspec.json.decode(content, type=_Tree)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ConfigError(f"{file} is no dataset in COCO's format (JSON): {error}") from error


def _problems(tree: _Tree) -> Iterator[str]:
    if len(tree.images) > MOST_PICTURES:
        yield f"{len(tree.images)} pictures; allowed are {MOST_PICTURES}"
        return
    yield from _twice("picture id", (one.id for one in tree.images))
    yield from _twice("picture", (str(PurePosixPath(one.file_name)) for one in tree.images))
    yield from _twice("category id", (one.id for one in tree.categories))
    yield from _twice("category", (one.name for one in tree.categories))
    yield from _twice("annotation id", (one.id for one in tree.annotations if one.id is not None))
    for picture in tree.images:
        path = PurePosixPath(picture.file_name)
        if path.is_absolute() or ".." in path.parts or not path.name or "\0" in picture.file_name:
            yield (
                f"picture {picture.file_name[:60]!r}: a path that leads out of the pictures' folder; "
                "allowed is one below it"
            )
    pictures = {one.id: one for one in tree.images}
    categories = {one.id for one in tree.categories}
    for number, box in enumerate(tree.annotations):
        what = f"annotation {number if box.id is None else box.id}"
        if box.image_id not in pictures:
            yield f"{what}: there is no picture with the id {box.image_id}"
        elif not all(map(isfinite, box.bbox)):
            yield f"{what}: its box is {box.bbox}; allowed are finite numbers"
        elif _outside(box, pictures[box.image_id]):
            picture = pictures[box.image_id]
            x, y, width, height = box.bbox
            yield (
                f"{what}: its box, {width:g}x{height:g} at {x:g}, {y:g}, lies outside of "
                f"{printable(picture.file_name[:60])}, which is {picture.width}x{picture.height}"
            )
        if box.category_id not in categories:
            yield f"{what}: there is no category with the id {box.category_id}"


def _outside(box: _Box, picture: _Picture) -> bool:
    x, y, width, height = box.bbox
    return not (0 <= x + width / 2 <= picture.width and 0 <= y + height / 2 <= picture.height)


def _twice(what: str, values: Iterable[Hashable]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            often = "twice" if count == 2 else f"{count} times"
            yield f"{what} {printable(str(value)[:60])} stands there {often}"


def _folder(file: Path, pictures: list[_Picture]) -> Path:
    """Beside the file, or in `images` beside it: where the first picture is."""
    beside = file.parent
    if pictures and not (beside / pictures[0].file_name).is_file():
        return beside / "images"
    return beside
