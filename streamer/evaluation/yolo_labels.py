"""The text file that says what is in one picture, as YOLO's tools write it.

A line is a class and a box (centre x, centre y, width, height) or the corners of an outline, all in
parts of the picture's sides: https://docs.ultralytics.com/datasets/detect/.
"""

from collections.abc import Mapping
from pathlib import Path

from streamer.errors import ConfigError
from streamer.evaluation.dataset import Thing

LARGEST_LABELS = 1_000_000  # bytes of one picture's file
# Boxes are rounded when they are written; what is further out was never a part of the side.
SLACK = 0.01


def read_labels(
    file: Path, names: Mapping[int, str], *, pose: bool, problems: list[str]
) -> list[Thing] | None:
    """What a label file says, boxes in parts of the picture; None where there is none.

    pose: keypoints follow the box. What is wrong with a line goes to `problems`; raises ConfigError
    where the file cannot be read.
    """
    if not file.is_file():
        return None
    things = []
    for number, line in enumerate(read_text(file, LARGEST_LABELS).splitlines(), 1):
        columns = line.split()
        if not columns:
            continue
        try:
            things.append(_thing(columns, names, pose=pose))
        except ValueError as error:
            problems.append(f"{file}:{number}: {error}")
    return things


def _thing(columns: list[str], names: Mapping[int, str], *, pose: bool) -> Thing:
    """One line. Raises ValueError that says what is wrong with it."""
    if not (len(columns) == 5 or (pose and len(columns) > 5) or (len(columns) >= 7 and len(columns) % 2)):
        raise ValueError(
            f"{len(columns)} columns; allowed are 5 (class, centre x, centre y, width, height), or a class "
            "and the x and y of three corners or more"
        )
    try:
        kind, *numbers = map(float, columns)
    except ValueError:
        raise ValueError("not all columns are numbers") from None
    if kind not in names:
        raise ValueError(f"class {columns[0][:20]}; data.yaml names {min(names)} to {max(names)}")
    if pose:
        numbers = numbers[:4]
    if not all(-SLACK <= value <= 1 + SLACK for value in numbers):  # what is no number is neither
        raise ValueError("a coordinate that is not between 0 and 1; allowed are parts of the picture's sides")
    if len(numbers) == 4:
        x, y, width, height = numbers
        if width < 0 or height < 0:
            raise ValueError("a negative width or height")
        box = x - width / 2, y - height / 2, width, height
    else:
        across, down = numbers[::2], numbers[1::2]
        box = min(across), min(down), max(across) - min(across), max(down) - min(down)
    return Thing(names[int(kind)], box)


def read_text(file: Path, most: int) -> str:
    """A file of at most so many bytes. Raises ConfigError."""
    try:
        if not file.is_file() and file.exists():
            raise ConfigError(f"{file} is no file")  # a pipe would never end
        with file.open("rb") as stream:
            content = stream.read(most + 1)
        if len(content) > most:
            raise ConfigError(f"{file} is larger than {most // 10**6} MB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is no text (UTF-8)") from None
