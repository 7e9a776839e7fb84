"""What a detector saw in one frame, as a struct of arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N things seen in one frame. Arrays are made read-only; shapes are checked when it is made."""

    labels: Sequence[str]  # names that class_id indexes
    xyxy: NDArray[np.float32]  # (N, 4) pixels of the source frame, origin top left
    score: NDArray[np.float32]  # (N,) in [0, 1]
    class_id: NDArray[np.int32]  # (N,)
    track_id: NDArray[np.int64] | None = None  # (N,)
    observed: NDArray[np.bool_] | None = None  # (N,) False where the tracker predicts
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # each (N, …): masks, keypoints, …

    def __post_init__(self) -> None:
        as_type = {"xyxy": np.float32, "score": np.float32, "class_id": np.int32}
        for name, dtype in as_type.items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        if self.xyxy.size == 0:
            object.__setattr__(self, "xyxy", self.xyxy.reshape(0, 4))
        n = len(self.xyxy)
        if self.xyxy.shape != (n, 4):
            raise ValueError(f"xyxy must be (N, 4), not {self.xyxy.shape}")
        for name in ("score", "class_id", "track_id", "observed"):
            value = getattr(self, name)
            if value is not None and value.shape != (n,):
                raise ValueError(f"{name} must be ({n},) like xyxy, not {value.shape}")
        object.__setattr__(self, "extra", dict(self.extra))
        for name, value in self.extra.items():
            if len(value) != n:
                raise ValueError(f"extra[{name!r}] must have {n} rows like xyxy, not {len(value)}")
        if not (np.isfinite(self.xyxy).all() and np.isfinite(self.score).all()):
            raise ValueError("xyxy and score must be finite numbers")
        if n and not 0 <= int(self.class_id.min()) <= int(self.class_id.max()) < len(self.labels):
            raise ValueError(
                f"class_id must index labels (0…{len(self.labels) - 1}), "
                f"not {int(self.class_id.min())}…{int(self.class_id.max())}"
            )
        arrays = (self.xyxy, self.score, self.class_id, self.track_id, self.observed, *self.extra.values())
        for array in arrays:
            if array is not None:
                array.flags.writeable = False

    @classmethod
    def none(cls, labels: Sequence[str]) -> "Detections":
        """Nothing seen: absence is information."""
        return cls(labels, np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty(0, np.int32))

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, index: NDArray[Any] | slice) -> "Detections":
        """A part, chosen by a mask, an index array or a slice; `extra` is cut alongside."""
        cut: dict[str, Any] = {}
        for entry in fields(self):
            value = getattr(self, entry.name)
            cut[entry.name] = value[index] if isinstance(value, np.ndarray) else value
        cut["extra"] = {name: value[index] for name, value in self.extra.items()}
        return Detections(**cut)

    def label(self, i: int) -> str:
        """The name of thing `i`."""
        return self.labels[int(self.class_id[i])]
