"""What the sink and the window's process tell each other."""

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct

from streamer.detections import Detections

MOST_CAMERAS = 64
MOST_BOXES = 300
MOST_TEXT, MOST_LABEL = 1000, 60  # characters

Mode = Literal["exact", "predicted", "latest"]
Number = Annotated[int, Meta(ge=0, lt=MOST_CAMERAS)]
Side = Annotated[int, Meta(ge=0, le=1 << 14)]


class Boxes(Struct, frozen=True, array_like=True):
    """Detections, their arrays as bytes; coordinates are parts of the picture's width and height, 0…1."""

    labels: dict[int, str]
    xyxy: bytes
    score: bytes
    class_id: bytes
    track_id: bytes | None
    observed: bytes | None

    @classmethod
    def of(cls, seen: Detections, size: tuple[int, int]) -> "Boxes":
        """No more than MOST_BOXES, the surest of them."""
        if len(seen) > MOST_BOXES:
            seen = seen[np.sort(np.argsort(-seen.score, kind="stable")[:MOST_BOXES])]
        parts = seen.xyxy / np.array(size * 2, np.float32)
        return cls(
            {number: seen.labels[number][:MOST_LABEL] for number in set(seen.class_id.tolist())},
            parts.astype(np.float32).tobytes(),
            seen.score.tobytes(),
            seen.class_id.tobytes(),
            None if seen.track_id is None else seen.track_id.tobytes(),
            None if seen.observed is None else seen.observed.tobytes(),
        )

    def scaled(self, size: tuple[int, int], corner: tuple[int, int] = (0, 0)) -> Detections:
        """As they lie in a picture of this width and height whose top left corner lies there."""
        labels = [self.labels.get(number, "") for number in range(max(self.labels, default=-1) + 1)]
        return Detections(
            labels,
            np.frombuffer(self.xyxy, np.float32).reshape(-1, 4) * np.array(size * 2, np.float32)
            + np.array(corner * 2, np.float32),
            np.frombuffer(self.score, np.float32),
            np.frombuffer(self.class_id, np.int32),
            None if self.track_id is None else np.frombuffer(self.track_id, np.int64),
            None if self.observed is None else np.frombuffer(self.observed, np.bool_),
        )


class Shot(Struct, frozen=True, array_like=True):
    """The picture that is shown. Its pixels lie in the camera's room of the layout `generation`."""

    generation: int
    width: Side  # of the pixels there
    height: Side
    size: tuple[int, int]  # of the camera's picture
    index: int
    captured_ns: int  # monotonic
    lag_ns: int
    scene_ns: int
    live: bool


class Tile(Struct, frozen=True, array_like=True):
    """One camera as it is to be shown."""

    name: str
    state: str
    since_ns: int  # monotonic
    why: str
    quality: tuple[str, ...]
    shot: Shot | None
    boxes: Boxes | None
    unseen_ns: int | None  # scene time since the frame that was last looked at; None: none ever was
    unreadable: str = ""  # why newer pictures cannot be read
    region: tuple[tuple[tuple[float, float], ...], ...] = ()  # polygons, in parts as the boxes


class View(Struct, frozen=True, array_like=True):
    """What is true of all tiles."""

    mode: str
    cameras: Annotated[int, Meta(ge=0, le=MOST_CAMERAS)]
    snapshots: str  # the folder for them
    note: str  # to be read for a moment
    noted_ns: int


# ---- from the window's process


class Open(Struct, frozen=True, tag=True, array_like=True):
    """The window is there."""


class Failed(Struct, frozen=True, tag=True, array_like=True):
    """There can be no window, and why."""

    why: str


class Wanted(Struct, frozen=True, tag=True, array_like=True):
    """How much room each camera's picture has from now on, width and height; 0 where it is not shown.

    `paused`: nobody wants to see anything newer.
    """

    generation: int
    rooms: Annotated[tuple[tuple[Side, Side], ...], Meta(max_length=MOST_CAMERAS)]
    paused: bool


class Snap(Struct, frozen=True, tag=True, array_like=True):
    """A picture of this camera is to be kept, in full size."""

    camera: Number


class Quit(Struct, frozen=True, tag=True, array_like=True):
    """The window was closed, or somebody pressed `q`."""


Said = Open | Failed | Wanted | Snap | Quit

encode = msgspec.msgpack.Encoder().encode
_said: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)
_tile = msgspec.msgpack.Decoder(Tile)
_view = msgspec.msgpack.Decoder(View)


def said(message: bytes) -> Said:
    """What the window's process said. Raises msgspec.DecodeError."""
    return _said.decode(message)


def tile(message: bytes) -> Tile:
    """One camera. Raises msgspec.DecodeError."""
    return _tile.decode(message)


def view(message: bytes) -> View:
    """All of them. Raises msgspec.DecodeError."""
    return _view.decode(message)
