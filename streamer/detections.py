"""What a detector saw in one frame, as a struct of arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES: Mapping[str, type] = {
    "xyxy": np.float32,
    "score": np.float32,
    "class_id": np.int32,
    "track_id": np.int64,
    "observed": np.bool_,
}


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """N things seen in one frame. It keeps copies, read-only; shapes are checked when it is made."""

    labels: Sequence[str]  # names that class_id indexes
    xyxy: NDArray[np.float32]  # (N, 4) pixels of the source frame, origin top left
    score: NDArray[np.float32]  # (N,) in [0, 1]
    class_id: NDArray[np.int32]  # (N,)
    track_id: NDArray[np.int64] | None = None  # (N,)
    observed: NDArray[np.bool_] | None = None  # (N,) False where the tracker predicts
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # each (N, …): masks, keypoints, …

    def __post_init__(self) -> None:
        # Copies: a detector may use its arrays again while these boxes are still on their way.
        for name, dtype in _TYPES.items():
            value = getattr(self, name)
            if value is not None:
                self._keep(name, np.array(value, dtype))
        self._keep("extra", {name: np.array(value) for name, value in self.extra.items()})
        self._keep("labels", tuple(self.labels))
        if self.xyxy.size == 0:
            self._keep("xyxy", self.xyxy.reshape(0, 4))
        if self.xyxy.ndim != 2 or self.xyxy.shape[1] != 4:
            raise ValueError(f"xyxy must be (N, 4), not {self.xyxy.shape}")
        self._check(len(self.xyxy))
        for array in self._arrays():
            array.flags.writeable = False

    def _check(self, n: int) -> None:
        for name in ("score", "class_id", "track_id", "observed"):
            value = getattr(self, name)
            if value is not None and value.shape != (n,):
                raise ValueError(f"{name} must be ({n},) like xyxy, not {value.shape}")
        for name, value in self.extra.items():
            rows = len(value) if value.ndim else "none"
            if rows != n:
                raise ValueError(f"extra[{name!r}] must have {n} rows like xyxy, not {rows}")
        if not (np.isfinite(self.xyxy).all() and np.isfinite(self.score).all()):
            raise ValueError("xyxy and score must be finite numbers")
        if n and not 0 <= float(self.score.min()) <= float(self.score.max()) <= 1:
            raise ValueError(f"score must be in 0…1, not {self.score.min()}…{self.score.max()}")
        if n and not 0 <= int(self.class_id.min()) <= int(self.class_id.max()) < len(self.labels):
            raise ValueError(
                f"class_id must index labels (0…{len(self.labels) - 1}), "
                f"not {int(self.class_id.min())}…{int(self.class_id.max())}"
            )
        for class_id in set(self.class_id.tolist()):
            if not isinstance(self.labels[class_id], str):
                raise ValueError(f"labels must be texts, not {self.labels[class_id]!r}")  # noqa: TRY004

    def _arrays(self) -> list[NDArray[Any]]:
        given = (self.xyxy, self.score, self.class_id, self.track_id, self.observed, *self.extra.values())
        return [array for array in given if array is not None]

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

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
