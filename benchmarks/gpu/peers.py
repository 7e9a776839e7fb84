"""Ultralytics' `predict`, as its users call it, with pictures that lie in memory."""

import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np


class Predict:
    """One model in fp32 or half. Raises ImportError or RuntimeError where it does not run."""

    def __init__(self, weights: Path, device: str, imgsz: int, *, half: bool) -> None:
        self._model: Any = importlib.import_module("ultralytics").YOLO(str(weights))
        self._options = {"device": device, "imgsz": imgsz, "half": half, "verbose": False, "save": False}

    def pictures_per_s(self, pictures: list[np.ndarray], batch: int, seconds: float) -> float:
        """Calls with so many pictures each, one after the other; results are there when a call returns."""
        some = [pictures[index % len(pictures)] for index in range(batch)]
        for _ in range(2):
            self._model.predict(some, **self._options)
        count, started = 0, time.perf_counter()
        while time.perf_counter() - started < seconds:
            self._model.predict(some, **self._options)
            count += batch
        return count / (time.perf_counter() - started)
