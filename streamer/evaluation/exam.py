"""A dataset's pictures through the pipeline, and what the detector finds in each."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from streamer.camera import Camera
from streamer.contracts import Captured, Detector
from streamer.detections import Detections
from streamer.errors import Cause, ConfigError, DetectorError, SourceError
from streamer.evaluation.dataset import Dataset, LabelledPicture, some
from streamer.frame import ArrayPicture
from streamer.pipeline import Pipeline
from streamer.result import ModelInfo, Result
from streamer.sources.pictures import read_picture

# A score that no user would ask for: average precision asks how the whole order of scores does.
CONF = 0.001


@dataclass(frozen=True, slots=True)
class Looked:
    """What a detector found in a dataset. `seen` and `sizes` are in the order of its pictures."""

    labels: tuple[str, ...]
    model: ModelInfo
    seen: tuple[Detections, ...]
    sizes: tuple[tuple[int, int], ...]  # width and height of each picture as it was looked at
    network_ms: float  # on the device, of a picture or its share of a batch, median
    took_s: float  # from the first picture to the last


@dataclass(frozen=True, slots=True)
class _One:
    """What is kept of a result; its frame holds a whole picture."""

    seen: Detections
    size: tuple[int, int]
    network_ns: int


class _Pictures:
    """The source: every picture of a dataset, in its order. One that cannot be read is the end."""

    live = False
    ends = True

    def __init__(self, pictures: Sequence[LabelledPicture]) -> None:
        self._pictures = pictures

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        for one in self._pictures:
            captured_ns = time.monotonic_ns()
            try:
                pixels = read_picture(one.path)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) else error
                raise SourceError(Cause.DAMAGED, f"{one.path} cannot be read: {why}") from error
            yield Captured(ArrayPicture(pixels), captured_ns, keyframe=True)


class Exam:
    """One detector on one dataset: `run`, once; `begun` says whether anything was looked at.

    `accept` is told the labels before the first result counts, and raises ConfigError where they
    won't do; `progress` is told how many pictures are done. Both in a thread of the pipeline.
    """

    takes = Result

    def __init__(
        self,
        dataset: Dataset,
        detector: Detector,
        *,
        accept: Callable[[Sequence[str]], object],
        progress: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.begun = False
        self.dataset = dataset
        self._detector = detector
        self._accept, self._progress = accept, progress
        self._model = ModelInfo(type(detector).__name__)
        self._labels: tuple[str, ...] = ()
        self._found: dict[int, _One] = {}
        self._first_ns = self._last_ns = 0

    def run(self) -> Looked:
        """Look at every picture. Raises ConfigError, DetectorError, SourceError: it is all or nothing."""
        pictures = self.dataset.pictures
        pipeline = Pipeline(on_status=lambda _: None)
        pipeline.add(Camera("dataset", _Pictures(pictures)), self._detector)
        pipeline.sink(self, "evaluation", required=True)
        pipeline.run()
        lost = [one.path.name for index, one in enumerate(pictures) if index not in self._found]
        if lost:
            raise DetectorError(f"{len(lost)} pictures could not be looked at: {some(lost)}")
        found = [self._found[index] for index in range(len(pictures))]
        return Looked(
            self._labels,
            self._model,
            tuple(one.seen for one in found),
            tuple(one.size for one in found),
            float(np.median([one.network_ns for one in found])) / 1e6,
            (self._last_ns - self._first_ns) / 1e9,
        )

    # ---- the sink: what the pipeline shows for each picture, joined by the picture's number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def write(self, result: Result) -> None:
        """Keep what was seen. Raises ConfigError where picture or labels are not the dataset's."""
        frame, timing = result.frame, result.timing
        if not self.begun:
            self._labels, self._model = tuple(result.detections.labels), result.model
            self._accept(self._labels)
            self.begun, self._first_ns = True, timing.captured_ns
        picture = self.dataset.pictures[frame.index]
        if picture.size is not None and picture.size != frame.size:
            raise ConfigError(
                f"{picture.path} is {frame.size[0]}x{frame.size[1]} when it is upright, the dataset says "
                f"{picture.size[0]}x{picture.size[1]}: its boxes would be elsewhere"
            )
        network_ns = (timing.inferred_ns - timing.started_ns) // result.batch
        self._found[frame.index] = _One(result.detections, frame.size, network_ns)
        self._last_ns = timing.published_ns
        self._progress(len(self._found))
