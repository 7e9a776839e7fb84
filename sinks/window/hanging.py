"""Hanging pictures up for the window's process to see: in the size in which it shows them."""

import numpy as np
from numpy.typing import NDArray

from sinks.window import board, messages
from sinks.window.layout import fit
from sinks.window.messages import MOST_TEXT, Shot, View
from sinks.window.process import Process
from sinks.window.watched import Watched
from streamer.errors import Stale, text_of
from streamer.frame import Frame
from streamer.opencv import cv2


class Hanging:
    """One window's life. Used in the sink's thread."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._wanted = messages.Wanted(0, (), paused=False)
        self._shots: dict[int, Shot] = {}

    @property
    def paused(self) -> bool:
        """Nobody wants to see anything newer."""
        return self._wanted.paused

    def want(self, wanted: messages.Wanted) -> None:
        """From now on pictures hang like this; those that hang are to be hung up anew."""
        self._wanted = wanted

    def shows(self, number: int) -> bool:
        """Whether there is room for this camera's pictures."""
        rooms = self._wanted.rooms
        return number < len(rooms) and min(rooms[number]) > 0

    def picture(self, number: int, camera: Watched, frame: Frame) -> bool:
        """Hang a frame up with its boxes. False where it cannot be read, or was overwritten before."""
        try:
            pixels = frame.picture.bgr()
        except Stale:
            return False
        except Exception as error:  # somebody else's picture: the tile says so
            camera.unreadable = text_of(error)[:MOST_TEXT]
            self.words(number, camera)
            return False
        camera.unreadable = ""
        rooms = self._wanted.rooms
        width, height = fit(frame.size, rooms[number])
        self._shots[number] = Shot(
            generation=self._wanted.generation,
            width=width,
            height=height,
            size=frame.size,
            index=frame.index,
            captured_ns=frame.captured_ns,
            lag_ns=frame.lag_ns,
            scene_ns=frame.scene_ns,
            live=frame.live,
        )
        if not self.paused:
            camera.draw(frame)
        with self._process.board.writing(number, self._record(number, camera)):
            scale(pixels, self._process.board.room(rooms, number, (width, height)))
        self._process.ring()
        return True

    def words(self, number: int, camera: Watched) -> None:
        """Hang up anew what is known of a camera; the picture stays."""
        with self._process.board.writing(number, self._record(number, camera)):
            pass
        self._process.ring()

    def view(self, view: View) -> None:
        """Hang up what is true of all."""
        with self._process.board.writing(board.VIEW, messages.encode(view)):
            pass
        self._process.ring()

    def _record(self, number: int, camera: Watched) -> bytes:
        return messages.encode(camera.tile(self._shots.get(number)))


def scale(pixels: NDArray[np.uint8], place: NDArray[np.uint8]) -> None:
    """A picture into a place of another size, both (H, W, 3) uint8.

    Halved as often as it goes, for which OpenCV has vector code: a fourth of what one step of INTER_AREA
    costs, and as free of jagged edges.
    """
    height, width = place.shape[:2]
    if pixels.shape == place.shape:
        place[:] = pixels
        return
    while pixels.shape[0] >= 2 * height and pixels.shape[1] >= 2 * width:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(pixels, (width, height), dst=place, interpolation=cv2.INTER_LINEAR)
