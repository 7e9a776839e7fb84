"""What an .onnx file says of itself: is it a detection network that can be run, and how?"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from detectors.yolo.engine import check_labels
from streamer.errors import DetectorError

DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
SIDES = (32, 4096)  # pixels that a fixed input may have: from one stride to what fits into memory
LONGEST_METADATA = 1_000_000  # characters; a thousand labels are 20,000


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output as the file states it; a free side is a text, or None."""

    name: str
    type: str  # tensor(float) …
    shape: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Contents:
    """A detection network's only input, and what its metadata say."""

    input: str
    dtype: DTypeLike
    shape: tuple[int, int] | None  # height, width where they are fixed
    any_batch: bool
    stride: int
    labels: Sequence[str] | None

    @property
    def precision(self) -> str:
        """fp32 or fp16."""
        return "fp32" if self.dtype is np.float32 else "fp16"


def check(
    path: Path, inputs: Sequence[Value], outputs: Sequence[Value], metadata: Mapping[str, str]
) -> Contents:
    """Raises DetectorError where it is not a detection network with one picture input and one output."""
    shape = inputs[0].shape if len(inputs) == 1 else None
    if shape is None or len(shape) != 4 or shape[1] != 3 or inputs[0].type not in DTYPES:
        found = ", ".join(f"{one.name} {one.type} {list(one.shape)}" for one in inputs)
        raise DetectorError(f"{path} takes {found[:200]}; allowed is one float (batch, 3, height, width)")
    if len(outputs) != 1:
        raise DetectorError(f"{path} has {len(outputs)} outputs; a detection network has one")
    batch, _, height, width = shape
    if isinstance(height, int) != isinstance(width, int):
        raise DetectorError(f"{path} has one free and one fixed side, {list(shape)}; export it anew")
    fixed = (height, width) if isinstance(height, int) else None
    if fixed and not SIDES[0] <= min(fixed) <= max(fixed) <= SIDES[1]:
        text = f"{path} takes pictures of {width}x{height}"
        raise DetectorError(f"{text}; allowed are sides from {SIDES[0]} to {SIDES[1]}")
    if isinstance(batch, int) and batch != 1:
        raise DetectorError(f"{path} is made for batches of exactly {batch}; export it with 1")
    if metadata.get("task", "detect") != "detect":
        raise DetectorError(f"{path} is for the task {metadata['task'][:40]!r}; only 'detect' can be run")
    return Contents(
        input=inputs[0].name,
        dtype=DTYPES[inputs[0].type],
        shape=fixed,
        any_batch=not isinstance(batch, int),
        stride=_stride(path, metadata),
        labels=_labels(path, metadata),
    )


def _stride(path: Path, metadata: Mapping[str, str]) -> int:
    stride = metadata.get("stride", "32")
    if not stride.isdecimal() or len(stride) > 4 or not 1 <= int(stride) <= 1024:
        raise DetectorError(f"{path} states the stride {stride[:40]!r}; it must be a number")
    return max(int(stride), 32)


def _labels(path: Path, metadata: Mapping[str, str]) -> Sequence[str] | None:
    if "names" not in metadata:
        return None
    text = metadata["names"]
    try:
        names = ast.literal_eval(text) if len(text) <= LONGEST_METADATA else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        names = text
    return check_labels(names, str(path))
