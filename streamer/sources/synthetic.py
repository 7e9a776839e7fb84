"""A camera that needs no camera: moving shapes whose boxes are known, with number and time painted in.

For people, and as a watermark where the picture is large enough: `freshframe watermark` reads it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from streamer.clock import Clock
from streamer.contracts import Captured
from streamer.errors import ConfigError
from streamer.frame import LazyPicture
from streamer.opencv import cv2
from streamer.sources.pattern import MIN_SIDE_PX, Pattern
from streamer.sources.schedule import Schedule
from streamer.watermark import Mark, layout_of, paint
from streamer.watermark.mark import CAMERAS, FRAMES

Box = tuple[str, int, int, int, int]

_SHAPES = 5
# Saturated, far from each other and from the grey behind them; BGR.
_COLOURS = ((40, 40, 230), (230, 80, 30), (40, 200, 40), (20, 210, 230), (220, 40, 200))


@dataclass(frozen=True, slots=True)
class _Shape:
    label: str
    size: tuple[int, int]  # pixels
    start: tuple[float, float]  # where it would be at picture 0 if it never bounced
    step: tuple[float, float]  # pixels a picture


class Scene:
    """What a synthetic camera sees: a pure function of size, seed and the picture's index."""

    def __init__(self, size: tuple[int, int], seed: int) -> None:
        self.size = size
        width, height = size
        self._camera = seed % CAMERAS
        self._bands = _bands(size)
        top, self._floor = self._bands or (0, height)
        self._strip = slice(top, top + max(12, (self._floor - top) // 12))  # for the time
        self._ceiling = self._strip.stop  # shapes move from here to the floor
        random_numbers = random.Random(seed)
        self._shapes = [self._shape(random_numbers, number) for number in range(_SHAPES)]
        texture = np.random.default_rng(seed).integers(70, 150, (height // 16 + 2, width // 16 + 2), np.uint8)
        grey = cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC)
        self._background = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
        self._background[self._strip] = 0

    @property
    def watermarked(self) -> bool:
        """Whether the picture is large enough to carry a watermark, and shapes besides."""
        return self._bands is not None

    def _shape(self, random_numbers: random.Random, number: int) -> _Shape:
        width, height = self.size
        unit = min(width, self._floor - self._ceiling)
        across = random_numbers.randint(unit // 8, unit // 3) | 1  # odd, so that a disc has a middle
        label = "disc" if number % 2 == 0 else "rectangle"
        tall = across if label == "disc" else random_numbers.randint(unit // 8, unit // 3)
        speeds = [random_numbers.choice((-1, 1)) * random_numbers.uniform(0.002, 0.01) for _ in range(2)]
        start = random_numbers.uniform(0, 2 * width), random_numbers.uniform(0, 2 * height)
        return _Shape(label, (across, tall), start, (speeds[0] * width, speeds[1] * height))

    def boxes(self, index: int) -> list[Box]:
        """Label and x1, y1, x2, y2 in pixels of each shape in picture `index`, x2 and y2 exclusive.

        The order is that of painting: later ones cover earlier ones.
        """
        width = self.size[0]
        boxes = []
        for shape in self._shapes:
            across, tall = shape.size
            x = _bounce(shape.start[0] + shape.step[0] * index, width - across)
            room = self._floor - self._ceiling - tall
            y = self._ceiling + _bounce(shape.start[1] + shape.step[1] * index, room)
            boxes.append((shape.label, x, y, x + across, y + tall))
        return boxes

    def paint(self, index: int, seconds: float, due_ns: int | None = None) -> NDArray[np.uint8]:
        """Picture `index`, (H, W, 3) uint8 BGR, with its number and time in a strip on top.

        The watermark says `seed` modulo 256 as the camera, the index, and, where it is given, when the
        picture was due, monotonic.
        """
        pixels = self._background.copy()
        for (label, x1, y1, x2, y2), colour in zip(self.boxes(index), _COLOURS, strict=True):
            if label == "disc":
                radius = (x2 - x1) // 2
                cv2.circle(pixels, (x1 + radius, y1 + radius), radius, colour, cv2.FILLED)
            else:
                cv2.rectangle(pixels, (x1, y1), (x2 - 1, y2 - 1), colour, cv2.FILLED)
        text, font = f"{index:06d} {seconds:9.3f} s", cv2.FONT_HERSHEY_SIMPLEX
        (wide, tall), _ = cv2.getTextSize(text, font, 1.0, 1)
        height = self._strip.stop - self._strip.start
        scale = min(0.7 * height / tall, 0.95 * self.size[0] / wide)
        at = 2, self._strip.start + (height + round(tall * scale)) // 2
        cv2.putText(pixels, text, at, font, scale, (255, 255, 255), 1, cv2.LINE_AA)
        painted = np.asarray(pixels, np.uint8)
        if self.watermarked:
            paint(painted, Mark(self._camera, index % FRAMES, due_ns))
        return painted


def _bands(size: tuple[int, int]) -> tuple[int, int] | None:
    """Where the upper band ends and the lower one begins; None where too little would be left."""
    try:
        layout = layout_of(size)
    except ConfigError:
        return None
    return (layout.height, layout.bottom) if layout.between >= MIN_SIDE_PX else None


def _bounce(position: float, room: int) -> int:
    """There and back between 0 and `room`."""
    return round(room - abs(position % (2 * room) - room)) if room else 0


class SyntheticRecording:
    """`count` pictures, as fast as they are taken. `scene` tells their boxes."""

    live = False
    ends = True

    def __init__(self, pattern: Pattern, clock: Clock) -> None:
        self.scene = Scene(pattern.size, pattern.seed)
        self._pattern = pattern
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        for index in range(self._pattern.count or 0):
            yield _captured(self.scene, index, self._pattern.fps, self._clock.now_ns(), None)


class SyntheticCamera:
    """Never ends and never waits for anybody: a picture that nobody asked for in time is left out.

    `scene` tells the boxes; the picture's index there is its presentation time times the frame rate.
    """

    live = True
    ends = False

    def __init__(self, pattern: Pattern, clock: Clock) -> None:
        self.scene = Scene(pattern.size, pattern.seed)
        self._fps = pattern.fps
        self._clock = clock
        self._schedule = Schedule(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        pass

    def __iter__(self) -> Iterator[Captured]:
        started_ns, index = self._clock.now_ns(), 0
        while self._schedule.wait_until(due_ns := started_ns + round(index * 1e9 / self._fps)):
            yield _captured(self.scene, index, self._fps, due_ns, due_ns)
            behind = int((self._clock.now_ns() - started_ns) * self._fps / 1e9)
            index = max(index + 1, behind)

    def stop(self) -> None:
        """End the iteration, also while it waits. From any thread."""
        self._schedule.stop()


def _captured(scene: Scene, index: int, fps: float, captured_ns: int, due_ns: int | None) -> Captured:
    picture = LazyPicture(scene.size, partial(scene.paint, index, index / fps, due_ns))
    return Captured(picture, captured_ns, round(index * 1e9 / fps), keyframe=True)
