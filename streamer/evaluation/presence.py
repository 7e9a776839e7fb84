"""Which file is a dataset, and whether all of its pictures are there, before anything is looked at."""

from collections.abc import Iterator
from pathlib import Path

from streamer.errors import ConfigError
from streamer.evaluation.coco_file import read_coco
from streamer.evaluation.dataset import Dataset, LabelledPicture, refusal, some
from streamer.evaluation.yolo_folder import IMAGES, LABELS, YAML, read_yolo
from streamer.sources.listing import printable
from streamer.sources.pictures import encoded

COCO = "instances.json"
ALLOWED = (
    f"a JSON file in COCO's format, a data.yaml of YOLO's, or a folder with one JSON file or {COCO}, "
    "with data.yaml, or with images and labels"
)


def read_dataset(path: Path, images: Path | None = None) -> Dataset:
    """Read a dataset in COCO's or YOLO's format, all of whose pictures are there.

    images: the folder with the pictures of a COCO file, where they are not beside it. A figure over
    fewer pictures would be another figure, so a missing one is an error. Raises ConfigError.
    """
    try:
        dataset = _read(path, images)
        missing = [one.path for one in dataset.pictures if not one.path.is_file()]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if not dataset.pictures:
        raise ConfigError(f"{path} has no pictures")
    if not dataset.boxes:
        raise ConfigError(f"{path} says of no picture what is in it: nothing can be measured")
    if missing:
        hint = "" if dataset.pictures[0].fractions else "; --images says where they are"
        raise ConfigError(
            f"{path}: {len(missing)} of {len(dataset.pictures)} pictures are missing: "
            f"{some([one.name for one in missing])}; the first would be {printable(str(missing[0]))}{hint}"
        )
    if problems := [text for one in dataset.pictures for text in _wrong_with(one)]:
        raise refusal(str(path), problems)
    return dataset


def _read(path: Path, images: Path | None) -> Dataset:
    if path.is_dir():
        if not any((path / name).is_file() for name in YAML):
            found = list(path.glob("*.json"))
            if path / COCO in found:
                return read_coco(path / COCO, images)
            if len(found) == 1 and not (path / LABELS).is_dir():
                return read_coco(found[0], images)
        if not any((path / name).exists() for name in (*YAML, IMAGES)):
            raise ConfigError(f"{path} is no dataset; allowed: {ALLOWED}")
    elif path.suffix.lower() == ".json":
        return read_coco(path, images)
    elif path.suffix.lower() not in (".yaml", ".yml"):
        raise ConfigError(f"{path} is no dataset; allowed: {ALLOWED}")
    if images is not None:
        raise ConfigError("--images is for a dataset in COCO's format; YOLO's data.yaml says where they are")
    return read_yolo(path)


def _wrong_with(picture: LabelledPicture) -> Iterator[str]:
    """What can be told of a picture without decoding it."""
    path = printable(str(picture.path))
    try:
        _, (width, height) = encoded(picture.path)
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}"
        return
    except ValueError as error:
        yield f"{path} is no picture that can be read: {error}"
        return
    # It may lie on its side.
    if picture.size is not None and picture.size not in ((width, height), (height, width)):
        said = "x".join(map(str, picture.size))
        yield f"{path}: {width}x{height} pixels, the dataset says {said}"
