"""One camera's tile: a bar with what is to be known, and the picture below it with its boxes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinks.overlay import BLACK, WHITE, Colour, draw_on, outline
from sinks.window import wording
from sinks.window.layout import fit
from sinks.window.lettering import cut, lines, width_of, write
from sinks.window.messages import Tile
from streamer.opencv import cv2

GREY: Colour = (48, 48, 48)
FAINT: Colour = (190, 190, 190)
AMBER: Colour = (0, 176, 255)
RED: Colour = (60, 60, 235)
DIMMED = 0.3  # of its brightness: nobody takes it for a live one
MOST_LINES = 5


@dataclass(frozen=True, slots=True)
class Look:
    """How a tile is to be seen at one moment."""

    tile: Tile
    number: int  # of its key, from 1
    headline: str  # why it is not live; empty where it is
    sentence: str
    fps: float | None
    age_ns: int | None
    mode: str


def bar_for(letter: int) -> int:
    """The height of a bar with letters of this height."""
    return letter + 2 * pad_for(letter)


def label_for(letter: int, room: tuple[int, int]) -> int:
    """The height of labels at boxes: smaller than the bar's letters where they would hide the picture."""
    return max(11, round(0.6 * letter), min(letter, round(min(room) / 22)))


def pad_for(letter: int) -> int:
    """The room round a text."""
    return max(3, letter // 4)


def paint(canvas: NDArray[np.uint8], look: Look, pixels: NDArray[np.uint8] | None, letter: int) -> None:
    """Paint a tile all over `canvas`, (H, W, 3) uint8 BGR, a part of the view; `pixels` is its picture."""
    bar = bar_for(letter)
    _paint_bar(canvas[:bar], look, letter)
    room = canvas[bar:]
    room[:] = 0
    if not room.size:
        return
    height, width = room.shape[:2]
    bottom_left = 0, height
    if pixels is not None:
        across, down = fit((pixels.shape[1], pixels.shape[0]), (width, height))
        x, y = (width - across) // 2, (height - down) // 2
        place = room[y : y + down, x : x + across]
        if pixels.shape == place.shape:
            place[:] = pixels
        else:
            cv2.resize(pixels, (across, down), dst=place, interpolation=cv2.INTER_LINEAR)
        if look.headline:
            cv2.convertScaleAbs(place, dst=place, alpha=DIMMED)
        else:
            small = label_for(letter, (width, height))
            outline(place, look.tile.region, max(1, small // 12))
            if look.tile.boxes is not None:
                # On all of the room: a label may be wider than the picture of an upright camera.
                draw_on(room, look.tile.boxes.scaled((across, down), (x, y)), max(1, small // 6), small)
        bottom_left = x, y + down
    if look.headline:
        _paint_trouble(room, look, letter)
    else:
        _paint_warnings(room, bottom_left, wording.warnings(look.tile), letter)


def _paint_bar(bar: NDArray[np.uint8], look: Look, letter: int) -> None:
    fill = GREY
    if look.headline:
        fill = RED if look.tile.state == "failed" else AMBER
    ink, faint = (WHITE, FAINT) if fill == GREY else (BLACK, BLACK)
    bar[:] = fill
    pad = pad_for(letter)
    room = bar.shape[1] - 2 * pad
    name = f"{look.number} {look.tile.name}" if look.number <= 9 else look.tile.name
    # What stands on the right may take what the name leaves, and half of the bar in any case.
    space = max(room - width_of(name, letter) - 2 * letter, room // 2)
    words = [look.tile.state] if look.headline else wording.facts(look.tile, look.fps, look.age_ns)
    if not look.headline and look.tile.shot is not None:
        words.append(look.mode)
    said = ""
    for count in range(len(words), 0, -1):  # whole words only: half of a number is another number
        text = "  ".join(reversed(words[:count]))
        if width_of(text, letter) <= space:
            said = text
            break
    taken = width_of(said, letter) if said else 0
    write(bar, (pad + room - taken, pad), said, letter, faint)
    write(bar, (pad, pad), cut(name, room - taken - (letter if said else 0), letter), letter, ink)


def _paint_trouble(room: NDArray[np.uint8], look: Look, letter: int) -> None:
    """In the middle: what is the matter, as large as there is room for, and why."""
    height, width = room.shape[:2]
    pad = pad_for(letter)
    across = width - 4 * pad
    large = letter
    while large < 2 * letter and width_of(look.headline, large + 1) < across // 2:
        large += 1
    most = min(MOST_LINES, (height - 2 * pad - large) // (letter + pad) - 1)
    texts = [(text, large, AMBER) for text in lines(look.headline, across, large, 2)]
    if look.sentence and most > 0:
        texts += [(text, letter, WHITE) for text in lines(look.sentence, across, letter, most)]
    age = look.age_ns
    if look.tile.shot is not None and age is not None and most > 1:
        texts.append((cut(f"last picture {wording.span(age)} old", across, letter), letter, FAINT))
    y = max(pad, (height - sum(size + pad for _, size, _ in texts)) // 2)
    for text, size, ink in texts:
        if y + size > height:
            break
        write(room, ((width - width_of(text, size)) // 2, y), text, size, ink)
        y += size + pad


def _paint_warnings(room: NDArray[np.uint8], corner: tuple[int, int], words: list[str], letter: int) -> None:
    """At the bottom left of the picture, on a plate each."""
    pad = pad_for(letter)
    left, bottom = corner
    for word in words:
        text = cut(word, room.shape[1] - 2 * pad, letter)
        across = width_of(text, letter) + 2 * pad
        top, x = bottom - letter - 2 * pad, min(left, max(0, room.shape[1] - across))
        if not text or top < 0:
            break
        room[top:bottom, x : x + across] = AMBER
        write(room, (x + pad, top + pad), text, letter, BLACK)
        bottom = top - 1
