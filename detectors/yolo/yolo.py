"""Yolo: a detector round a network that Ultralytics made."""

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from detectors.yolo.devices import choose, max_batch
from detectors.yolo.engine import Engine, check_imgsz, choose_classes
from detectors.yolo.letterbox import Fit, draw, fit, fit_fixed
from detectors.yolo.postprocess import Boxes, Layout, decode, layout
from detectors.yolo.weights import discard, exported, private_copy, resolve
from streamer.detections import Detections
from streamer.errors import ConfigError, DetectorError
from streamer.frame import View
from streamer.result import ModelInfo

SMALLEST_STRIDE = 32
ENGINE_NAMES = {"onnx": "onnxruntime", "torch": "torch"}
UNNAMED = 1000  # labels for an end-to-end model that states none: the classes cannot be counted


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the batch one view is, and where in its frame."""

    index: int
    fit: Fit
    corner: tuple[int, int]  # of the view in its frame


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Views whose inputs have one shape."""

    places: Sequence[Place]
    staged: Any  # what the engine made of their pixels


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Views made ready for the device; to be inferred once."""

    count: int
    parts: Sequence[Part]


class Yolo:
    """Detects with YOLO26, YOLOv10, YOLO11, YOLOv8: .pt weights, or their .onnx.

    name_or_path: a name of the catalogue, which has to be in the cache, or a .pt or .onnx file.
    imgsz: the input's longer side; a multiple of 32. An .onnx of fixed size keeps its own.
    conf: the score that a box has to be above. classes: labels to look for; None is all.
    engine: auto, onnx (CPU) or torch. device: auto, cpu or cuda:N.
    trust_weights: load .pt weights that the catalogue does not know, which is running their code.

    Detectors on the same `device` share a worker. `labels` is empty and the network not loaded until
    entered. One thread, but `prepare` may run in another one meanwhile. Raises ConfigError,
    AssetError, DetectorError when made and when entered.
    """

    def __init__(
        self,
        name_or_path: str | os.PathLike[str] = "yolo26n",
        *,
        imgsz: int = 640,
        conf: float = 0.25,
        classes: Sequence[str] | None = None,
        engine: str = "auto",
        device: str = "auto",
        trust_weights: bool = False,
    ) -> None:
        check_imgsz(imgsz, SMALLEST_STRIDE)
        if not 0 <= conf <= 1:
            raise ConfigError(f"conf must be between 0 and 1, not {conf}")
        if isinstance(classes, str):
            raise ConfigError(f"classes must be a list of labels, not {classes!r}")
        if classes is not None and not classes:
            raise ConfigError("classes must name at least one label; leave it out for all")
        self._imgsz, self._conf, self._classes = imgsz, conf, classes
        self._weights = resolve(name_or_path, trust_weights=trust_weights)
        self._engine_name, self.device = choose(engine, device, self._weights.suffix)
        precision = "fp16" if self.device.startswith("cuda") else "fp32"
        self.info = ModelInfo(self._weights.name, ENGINE_NAMES[self._engine_name], imgsz, precision)
        self.labels: Sequence[str] = ()
        self.max_batch = max_batch(self.device)
        self._engine: Engine | None = None

    def __enter__(self) -> Self:
        with self._named():
            self._engine = self._start()
        return self

    def _start(self) -> Engine:
        engine = self._load()
        if engine.shape is None:
            check_imgsz(self._imgsz, engine.stride)
        # One picture of each usual shape goes through before anybody waits for it; the first shows
        # what the output is.
        shape = self._warm(engine, (self._imgsz, self._imgsz))
        self._warm(engine, (1920, 1080))
        self._layout = layout(shape, len(engine.labels) if engine.labels is not None else None)
        count = UNNAMED if self._layout is Layout.END_TO_END else shape[1] - 4
        self.labels = engine.labels or tuple(f"class{i}" for i in range(count))
        self._wanted = choose_classes(self.labels, self._classes)
        imgsz = max(engine.shape) if engine.shape else self._imgsz
        self.info = ModelInfo(self._weights.name, self.info.engine, imgsz, engine.precision)
        return engine

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._engine = None

    def _load(self) -> Engine:
        # Each engine imports its heavy library: only the one that is used may.
        module = importlib.import_module(f"detectors.yolo.{self._engine_name}_engine")
        engine: Engine
        if self._engine_name == "torch":
            with private_copy(self._weights) as path:
                engine = module.TorchEngine(path, self.device)
        else:
            engine = self._load_onnx(module.OnnxEngine)
        return engine

    def _load_onnx(self, engine: Callable[[Path], Engine]) -> Engine:
        if self._weights.sha256 is None:
            return engine(self._weights.path)
        path = exported(self._weights, self._imgsz)
        try:
            return engine(path)
        except DetectorError:  # a disk that was full, a write that was cut off: it can be made again
            discard(path)
        return engine(exported(self._weights, self._imgsz))

    def _warm(self, engine: Engine, size: tuple[int, int]) -> tuple[int, ...]:
        canvas = engine.canvas(1, self._fit(engine, size).shape)
        canvas[...] = 0
        return engine.run(engine.stage(canvas)).shape

    def _fit(self, engine: Engine, size: tuple[int, int]) -> Fit:
        if engine.shape is not None:
            return fit_fixed(size, engine.shape)
        return fit(size, self._imgsz, engine.stride)

    def detect(self, views: Sequence[View]) -> list[Detections]:
        """One Detections for each view, in order, in pixels of the view's frame."""
        return self.infer(self.prepare(views))

    def prepare(self, views: Sequence[View]) -> Batch:
        """Scale the views into inputs; views of one input shape go together. Any thread.

        Raises Stale where a picture is gone.
        """
        engine = self._entered()
        by_shape: dict[tuple[int, int], list[Place]] = {}
        for index, view in enumerate(views):
            where = self._fit(engine, view.size)
            corner = view.region[:2] if view.region else (0, 0)
            by_shape.setdefault(where.shape, []).append(Place(index, where, corner))
        parts = []
        for shape, same in by_shape.items():
            for start in range(0, len(same), self.max_batch):
                places = same[start : start + self.max_batch]
                canvas = engine.canvas(len(places), shape)
                for place, picture in zip(places, canvas, strict=True):
                    draw(views[place.index].bgr(), place.fit, picture)
                parts.append(Part(places, engine.stage(canvas)))
        return Batch(len(views), parts)

    def infer(self, batch: Batch) -> list[Detections]:
        """What is in a prepared batch's views, in order. Raises DetectorError."""
        engine = self._entered()
        found: list[Detections] = [Detections.none(self.labels)] * batch.count
        with self._named():
            for part in batch.parts:
                output = engine.run(part.staged)
                inputs = decode(output, self._layout, self._conf, self._wanted)
                for place, boxes in zip(part.places, inputs, strict=True):
                    found[place.index] = self._place(boxes, place)
        return found

    def _place(self, boxes: Boxes, place: Place) -> Detections:
        xyxy = place.fit.to_picture(boxes.xyxy)
        # What lies in the border only, or has no area, is nothing in the picture.
        kept = (xyxy[:, 0] < xyxy[:, 2]) & (xyxy[:, 1] < xyxy[:, 3])
        xyxy = xyxy[kept] + np.array(place.corner * 2, np.float32)
        return Detections(self.labels, xyxy, boxes.score[kept], boxes.class_id[kept])

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except DetectorError as error:
            raise DetectorError(
                f"model {self.info.name} ({self._engine_name}, {self.device}): {error}"
            ) from error

    def _entered(self) -> Engine:
        if self._engine is None:
            raise DetectorError("the detector is used outside its `with` block, where no network is loaded")
        return self._engine
