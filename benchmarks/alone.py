"""One frame after the other with nothing beside it: what a pipeline's times are compared with."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors.yolo import Yolo
from streamer import Captured, Frame, Quality, View
from streamer.sources import open_source, parse_address

WARM_UP = 20


def frame_of(captured: Captured) -> Frame:
    """A frame for a detector that has no pipeline round it."""
    return Frame("alone", 0, 0, 0, 0, 0, None, False, Quality.FINE, captured.picture)


def costs_ms(yolo: Yolo, path: Path, count: int) -> NDArray[np.float64]:
    """So many frames of a clip: until it is prepared, and until it is inferred as well; (N, 2), warm."""
    costs = []
    with yolo, open_source(parse_address(str(path))) as source:
        frames = iter(source)
        for _ in range(count):
            started_s = time.perf_counter()
            captured = next(frames, None)
            if captured is None:
                break
            batch = yolo.prepare([View(frame_of(captured))])
            prepared_s = time.perf_counter()
            yolo.infer(batch)  # gives the memory back as well, as it does in the pipeline
            costs.append((prepared_s - started_s, time.perf_counter() - started_s))
    return np.array(costs[WARM_UP:]) * 1e3
