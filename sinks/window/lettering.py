"""Text that fits: cut off or broken into lines where it is too long. Sizes in pixels."""

import numpy as np
from numpy.typing import NDArray

from sinks.overlay import Colour
from streamer.opencv import cv2

_REGULAR = 400
MORE = "…"


def letter_for(height: int) -> int:
    """The height of letters in a view of this height: readable in a small one, in proportion otherwise."""
    return min(max(12, round(height / 52)), 44)


def printable(text: str) -> str:
    """On one line, without what cannot be seen."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def width_of(text: str, letter: int) -> int:
    """How wide it is."""
    return int(cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), letter, _REGULAR)[2])


def cut(text: str, room: int, letter: int) -> str:
    """As much of the text as there is room for; what is cut off ends in an ellipsis."""
    text = printable(text)
    if width_of(text, letter) <= room:
        return text
    shortest, longest = 0, len(text)
    while shortest < longest:  # the longest beginning that fits
        middle = (shortest + longest + 1) // 2
        if width_of(text[:middle].rstrip() + MORE, letter) <= room:
            shortest = middle
        else:
            longest = middle - 1
    return text[:shortest].rstrip() + MORE if shortest else ""


def lines(text: str, room: int, letter: int, most: int) -> list[str]:
    """The text in lines, no more than so many; broken between words, and within one that is too long."""
    done: list[str] = []
    words = printable(text).split()
    while words and len(done) < most:
        if len(done) == most - 1:
            done.append(cut(" ".join(words), room, letter))
            break
        line = words.pop(0)
        while words and width_of(f"{line} {words[0]}", letter) <= room:
            line += f" {words.pop(0)}"
        if width_of(line, letter) > room:
            count = len(line)
            while count > 1 and width_of(line[:count], letter) > room:
                count -= 1
            words.insert(0, line[count:])
            line = line[:count]
        done.append(line)
    return [line for line in done if line]


def write(canvas: NDArray[np.uint8], place: tuple[int, int], text: str, letter: int, ink: Colour) -> None:
    """Write it with its top left corner there; what lies outside of the canvas is cut off."""
    x, y = place
    # The line is as high as `letter`, and its base is at 0.82 of it; never wrapped by OpenCV.
    base = x, y + round(0.82 * letter)
    cv2.putText(canvas, text, base, ink, cv2.FontFace("sans"), letter, _REGULAR, wrap=(0, 1 << 20))
