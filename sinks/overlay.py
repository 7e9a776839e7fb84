"""Boxes and labels on a picture, readable on any background and at any size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.detections import Detections
from streamer.opencv import cv2

Colour = tuple[int, int, int]  # BGR
Polygons = Sequence[Sequence[tuple[float, float]]]  # x, y as parts of the picture's width and height, 0…1

# Each the farthest from all before it in CIELAB, among those bright (L* > 45) and colourful (C* > 38)
# enough for boxes: any two of the first 12 are 43 apart, of all 24 32; hues in equal steps have twins at 12.
COLOURS: Sequence[Colour] = (
    *((34, 255, 34), (255, 0, 170), (0, 68, 255), (255, 204, 0), (34, 119, 102), (187, 119, 255)),
    *((0, 238, 255), (221, 102, 51), (187, 255, 68), (119, 170, 255), (153, 238, 221), (34, 170, 34)),
    *((68, 51, 204), (204, 17, 238), (255, 187, 221), (119, 153, 34), (0, 170, 255), (85, 255, 187)),
    *((238, 119, 204), (255, 255, 0), (0, 85, 170), (187, 119, 0), (0, 170, 170), (255, 85, 102)),
)

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)

_REGULAR = 400


def draw(
    pixels: NDArray[np.uint8], seen: Detections, *, caption: str | None = None, region: Polygons = ()
) -> NDArray[np.uint8]:
    """A copy of the picture, (H, W, 3) uint8 BGR, with boxes, labels and a caption at the top left.

    Below them lies the outline of the region. Lines and letters grow with the picture's shorter side. A
    colour belongs to a class, or to a track where there is one. Boxes that a tracker only predicts are
    dashed. Labels keep clear of each other while there is room.
    """
    picture = pixels.copy()
    side = min(picture.shape[:2])
    outline(picture, region, max(1, round(side / 480)))
    draw_on(picture, seen, max(1, round(side / 240)), max(11, round(side / 34)), caption)
    return picture


def draw_on(
    picture: NDArray[np.uint8], seen: Detections, line: int, letter: int, caption: str | None = None
) -> None:
    """The same on the picture itself, with lines and letters of these sizes in pixels."""
    height, width = picture.shape[:2]
    plates = Plates(picture, letter=letter)
    # Large boxes first, so that small ones lie on top.
    limits = np.array((width - 1, height - 1) * 2)
    boxes = np.clip(np.round(seen.xyxy), 0, limits).astype(int)
    sizes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.argsort(-sizes, kind="stable").tolist()
    for i in order:
        predicted = seen.observed is not None and not seen.observed[i]
        draw_box = _dashed_box if predicted else _box
        draw_box(picture, boxes[i].tolist(), _colour(seen, i), line)
    if caption:
        plates.add(caption, (0, 0, width, height), BLACK)
    for i in order:
        x1, y1, x2, y2 = boxes[i].tolist()
        plates.add(_label(seen, i), (x1, y1, x2, y2), _colour(seen, i))


def outline(picture: NDArray[np.uint8], region: Polygons, line: int) -> None:
    """The edges of a region on the picture itself, (H, W, 3) uint8 BGR: a thin line of this many pixels."""
    if not region:
        return
    last = np.array((picture.shape[1] - 1, picture.shape[0] - 1))
    polygons = [np.round(np.array(points) * last).astype(np.int32) for points in region]
    for ink, width in ((BLACK, line + 2), (WHITE, line)):  # readable on any background
        cv2.polylines(picture, polygons, True, ink, width, cv2.LINE_AA)


def colour(number: int) -> Colour:
    """The colour of a class or track, always the same one."""
    return COLOURS[number % len(COLOURS)]


def _colour(seen: Detections, i: int) -> Colour:
    return colour(int(seen.class_id[i] if seen.track_id is None else seen.track_id[i]))


def _label(seen: Detections, i: int) -> str:
    track = "" if seen.track_id is None else f" #{int(seen.track_id[i])}"
    return f"{seen.label(i)} {float(seen.score[i]):.2f}{track}"


def _box(picture: NDArray[np.uint8], box: Sequence[int], colour: Colour, line: int) -> None:
    x1, y1, x2, y2 = box
    # A dark rim shows the box on a background of its own colour.
    cv2.rectangle(picture, (x1, y1), (x2, y2), BLACK, line + 2)
    cv2.rectangle(picture, (x1, y1), (x2, y2), colour, line)


def _dashed_box(picture: NDArray[np.uint8], box: Sequence[int], colour: Colour, line: int) -> None:
    x1, y1, x2, y2 = box
    cv2.rectangle(picture, (x1, y1), (x2, y2), BLACK, line + 2)
    # Every other stretch of an edge at once: a call of OpenCV for each dash costs ten times as much.
    across, down = (np.arange(end - start + 1) // (4 * line) % 2 == 0 for start, end in ((x1, x2), (y1, y2)))
    before, after = line // 2, line - line // 2
    for y in (y1, y2):
        picture[max(0, y - before) : y + after, x1 : x2 + 1][:, across] = colour
    for x in (x1, x2):
        picture[y1 : y2 + 1, max(0, x - before) : x + after][down] = colour


class Plates:
    """Texts on filled plates, always inside the picture; each keeps clear of those before it if it can."""

    def __init__(self, picture: NDArray[np.uint8], *, letter: int) -> None:
        self._picture = picture
        self._letter = letter
        # Comes with OpenCV and has more than Latin letters. One for each picture (a few µs): drawing sets
        # its size, so that two threads with one font get each other's (seen with OpenCV 5.0.0).
        self._font = cv2.FontFace("sans")
        self._taken: list[tuple[int, int, int, int]] = []

    def add(self, text: str, box: tuple[int, int, int, int], fill: Colour) -> None:
        """Write a text at a box: on its top edge, below it, or inside it, wherever there is room."""
        text = "".join(letter if letter.isprintable() else "·" for letter in text)
        letter, pad = self._letter, max(2, self._letter // 5)
        _, _, text_width, _ = cv2.getTextSize((0, 0), text, (0, 0), self._font, letter, _REGULAR)
        x, y = self._place(text_width + 2 * pad, letter + 2 * pad, box)
        corner = x + text_width + 2 * pad, y + letter + 2 * pad
        self._taken.append((x, y, *corner))
        cv2.rectangle(self._picture, (x, y), corner, fill, cv2.FILLED)
        blue, green, red = fill
        # Brightness as people see it (ITU-R BT.601). From 100 on black is the better ink by WCAG's measure:
        # on any of COLOURS the contrast is 4:1 or more.
        ink = BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 100 else WHITE
        base = x + pad, y + pad + round(0.82 * letter)
        cv2.putText(self._picture, text, base, ink, self._font, letter, _REGULAR, wrap=(0, 1 << 20))

    def _place(self, width: int, height: int, box: tuple[int, int, int, int]) -> tuple[int, int]:
        x1, y1, x2, y2 = box
        wanted = [(x1, y1 - height), (x2 - width, y1 - height), (x1, y2), (x2 - width, y2), (x1, y1)]
        inside = [self._inside(x, y, width, height) for x, y in wanted]
        # What had to be pushed back into the picture comes after what fits where it is wanted.
        inside.sort(key=lambda place: place not in wanted)
        free = (place for place in inside if not self._meets(*place, width, height))
        return next(free, inside[0])

    def _inside(self, x: int, y: int, width: int, height: int) -> tuple[int, int]:
        bottom, right = self._picture.shape[:2]
        return max(0, min(x, right - width)), max(0, min(y, bottom - height))

    def _meets(self, x: int, y: int, width: int, height: int) -> bool:
        return any(x < x2 and x1 < x + width and y < y2 and y1 < y + height for x1, y1, x2, y2 in self._taken)
