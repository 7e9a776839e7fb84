"""Yolo: a detector round a network that Ultralytics made."""

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Self

from detectors.yolo.batch import Batch, Part, Place, by_shape
from detectors.yolo.cpu.loading import check_made, load_on_cpu
from detectors.yolo.cpu.reading import CpuReading
from detectors.yolo.devices import INT8, choose, max_batch
from detectors.yolo.engine import ReadingEngine, check_imgsz, choose_classes
from detectors.yolo.letterbox import Fit, fit, fit_fixed
from detectors.yolo.postprocess import Layout, Reading, layout
from detectors.yolo.weights import known_labels, private_copy, readable_labels, resolve
from streamer.contracts import Spread, one_after_another
from streamer.detections import Detections
from streamer.errors import ConfigError, DetectorError
from streamer.frame import View
from streamer.result import ModelInfo

SMALLEST_STRIDE = 32
LIBRARIES = {"onnx": "onnxruntime", "torch": "torch", "openvino": "openvino", INT8: "openvino"}
USUAL_SIZES = ((1920, 1080), (640, 480))  # of cameras
UNNAMED = 1000  # labels for an end-to-end model that states none: the classes cannot be counted


class Yolo:
    """Detects with YOLO26, YOLOv10, YOLO11, YOLOv8: .pt weights, or their .onnx.

    name_or_path: a name of the catalogue, which has to be in the cache, or a .pt or .onnx file.
    imgsz: the input's longer side; a multiple of 32. An .onnx of fixed size keeps its own.
    conf: the score that a box has to be above. classes: labels to look for; None is all.
    engine: auto, onnx (CPU), torch, openvino or openvino-int8 (CPU, an extra). device: auto, cpu or cuda:N.
    trust_weights: load .pt weights that the catalogue does not know, which is running their code.

    Detectors on the same `device` share a worker. The network is not loaded until entered, and `labels` are
    empty until then where the catalogue does not know the model. One thread, but `prepare` may run in
    another one meanwhile. Raises ConfigError, AssetError, DetectorError when made and when entered.
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
        check_made(self._engine_name, self._weights, imgsz)
        precision = "fp16" if self.device.startswith("cuda") else "int8" if engine == INT8 else "fp32"
        self.info = ModelInfo(self._weights.name, LIBRARIES[self._engine_name], imgsz, precision)
        self.labels: Sequence[str] = known_labels(self._weights)
        self.max_batch = max_batch(self.device)
        self._engine: ReadingEngine | None = None

    def stated_labels(self) -> Sequence[str]:
        """`labels`, or what the model's file says they are; the network is not loaded for it.

        Empty where the file does not say. Raises DetectorError where it is no network.
        """
        return self.labels or readable_labels(self._weights)

    def __enter__(self) -> Self:
        with self._named():
            self._engine = self._start()
        return self

    def _start(self) -> ReadingEngine:
        engine = self._load()
        with ExitStack() as loaded:
            loaded.callback(engine.close)
            self._begin(engine)
            loaded.pop_all()
        return engine

    def _begin(self, engine: ReadingEngine) -> None:
        if engine.shape is None:
            check_imgsz(self._imgsz, engine.stride)
        usual = list(dict.fromkeys(self._fit(engine, size).shape for size in USUAL_SIZES))
        shape = engine.probe(usual[0])
        kind = layout(shape, len(engine.labels) if engine.labels is not None else None)
        count = UNNAMED if kind is Layout.END_TO_END else shape[1] - 4
        self.labels = engine.labels or tuple(f"class{i}" for i in range(count))
        wanted = choose_classes(self.labels, self._classes)
        engine.start(Reading(kind, self._conf, wanted), usual)
        imgsz = max(engine.shape) if engine.shape else self._imgsz
        self.info = ModelInfo(self._weights.name, self.info.engine, imgsz, engine.precision)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _load(self) -> ReadingEngine:
        if self._engine_name != "torch":
            tuned = load_on_cpu(self._engine_name, self._weights, self._imgsz)
            self.max_batch = tuned.max_batch
            return CpuReading(tuned)
        # Each engine imports its heavy library: only the one that is used may.
        cuda = self.device.startswith("cuda")
        module = importlib.import_module(f"detectors.yolo.{'cuda.engine' if cuda else 'cpu.torch_engine'}")
        with private_copy(self._weights) as path:
            engine: ReadingEngine = (
                module.CudaEngine(path, self.device) if cuda else CpuReading(module.TorchEngine(path))
            )
        return engine

    def _fit(self, engine: ReadingEngine, size: tuple[int, int]) -> Fit:
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
        return self.prepare_spread(views, one_after_another)

    def prepare_spread(self, views: Sequence[View], spread: Spread) -> Batch:
        """The same with `spread` drawing the views side by side."""
        engine = self._entered()
        places = [Place.of(index, view, self._fit(engine, view.size)) for index, view in enumerate(views)]
        groups = list(by_shape(places, self.max_batch))
        canvases = [engine.canvas(len(group), group[0].fit.shape) for group in groups]
        spread(
            [
                partial(place.draw, views[place.index], picture)
                for group, canvas in zip(groups, canvases, strict=True)
                for place, picture in zip(group, canvas, strict=True)
            ]
        )
        parts = [Part(group, engine.stage(canvas)) for group, canvas in zip(groups, canvases, strict=True)]
        return Batch(len(views), parts)

    def wait(self, batch: Batch) -> None:
        """Return when the device is done with a batch and free for the next. Raises DetectorError."""
        engine = self._entered()
        with self._named():
            for part in batch.parts:
                engine.wait(part.staged)

    def read(self, batch: Batch) -> list[Detections]:
        """What is in the views of a batch that was waited for, in order; once. Raises DetectorError."""
        engine = self._entered()
        found: list[Detections] = [Detections.none(self.labels)] * batch.count
        with self._named():
            for part in batch.parts:
                for place, boxes in zip(part.places, engine.boxes(part.staged), strict=True):
                    found[place.index] = place.detections(boxes, self.labels)
        return found

    def infer(self, batch: Batch) -> list[Detections]:
        """What is in a prepared batch's views, in order; once. Raises DetectorError."""
        self.wait(batch)
        return self.read(batch)

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except DetectorError as error:
            raise DetectorError(
                f"model {self.info.name} ({self._engine_name}, {self.device}): {error}"
            ) from error

    def _entered(self) -> ReadingEngine:
        if self._engine is None:
            raise DetectorError("the detector is used outside its `with` block, where no network is loaded")
        return self._engine
