"""One camera, as the sink knows it: what is newest of it, and what is to be drawn."""

import numpy as np
from numpy.typing import NDArray

from sinks.overlay import Polygons, draw
from sinks.window.carrying import SHOWN_NS, Motion, Seen
from sinks.window.messages import MOST_TEXT, Boxes, Shot, Tile
from streamer.detections import Detections
from streamer.frame import Frame
from streamer.health import Health
from streamer.result import Result


class Watched:
    """Used in the sink's thread."""

    def __init__(self, name: str, mode: str, now_ns: int, region: Polygons = ()) -> None:
        self.name = name
        self.region = tuple(map(tuple, region))
        self.frame: Frame | None = None  # the newest that may be shown
        self.shown: Frame | None = None  # the one that is shown
        self.boxes: Detections | None = None  # drawn on it; None where nobody knows
        self.unreadable = ""  # why its newest picture cannot be read
        self._mode = mode
        self._motion = Motion()
        self._unseen_ns: int | None = None
        self._health: Health | None = None
        self._since_ns = now_ns

    def take(self, item: Frame | Result | Health) -> None:
        """Something new of it."""
        if isinstance(item, Health):
            self._health = item
            return
        frame = item.frame if isinstance(item, Result) else item
        if isinstance(item, Result):
            self._motion.add(Seen.of(item))
        elif self._mode == "exact":
            return
        if self.frame is None or frame.index > self.frame.index:
            self.frame = frame

    def draw(self, frame: Frame) -> None:
        """Work out what is drawn on the frame that is shown from now on."""
        self.shown = frame
        self.boxes = self._motion.at(
            frame.epoch, frame.index, frame.scene_ns, moved=self._mode == "predicted"
        )
        seen = self._motion.newest
        if seen is None:
            self._unseen_ns = None
        else:
            same = seen.epoch == frame.epoch
            self._unseen_ns = max(0, frame.scene_ns - seen.scene_ns) if same else SHOWN_NS + 1

    def drawn(self, frame: Frame) -> NDArray[np.uint8]:
        """The frame that is shown in its full size, with what is drawn on it. May raise anything at all."""
        boxes = self.boxes if self.boxes is not None else Detections.none(())
        return draw(frame.picture.bgr(), boxes, region=self.region)

    def tile(self, shot: Shot | None) -> Tile:
        """As it is to be shown; `shot`: the frame that is shown, and where its pixels hang."""
        status = self._health.status if self._health else None
        frame, boxes = self.shown, self.boxes
        return Tile(
            name=self.name,
            state=status.state.value if status else "connecting",
            since_ns=status.since_ns if status else self._since_ns,
            why=status.why[:MOST_TEXT] if status else "",
            quality=tuple(self._health.quality.words) if self._health else (),
            shot=shot,
            boxes=Boxes.of(boxes, frame.size) if boxes is not None and frame is not None else None,
            unseen_ns=self._unseen_ns,
            unreadable=self.unreadable,
            region=self.region,
        )
