"""The window itself: OpenCV's, in the thread that made it."""

import numpy as np
from numpy.typing import NDArray

from streamer.opencv import cv2

TITLE = "Freshframe"
ESCAPE = 27
_MOST_ASCII = 127


class Pane:
    """Shows a picture and hears keys. Main thread only. Raises cv2.error where OpenCV has no windows."""

    def __init__(self, size: tuple[int, int]) -> None:
        flags = cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL
        cv2.namedWindow(TITLE, flags)
        cv2.resizeWindow(TITLE, *size)
        self._size = size
        self._full = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what a picture may fill, in pixels."""
        _, _, width, height = cv2.getWindowImageRect(TITLE)
        if width > 1 and height > 1:  # less while it is being built, or minimized
            self._size = width, height
        return self._size

    @property
    def closed(self) -> bool:
        """Somebody closed it: then nothing may be shown, or it opens again."""
        try:
            return bool(cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1)
        except cv2.error:
            return True

    def show(self, picture: NDArray[np.uint8]) -> None:
        """Show (H, W, 3) uint8 BGR as soon as `key` is called."""
        cv2.imshow(TITLE, picture)

    def key(self) -> str:
        """Let the window work for a moment. The key that was pressed; empty where none was."""
        code = cv2.waitKeyEx(1)
        if code == ESCAPE and self._full:
            return "f"
        return chr(code).lower() if 0 < code <= _MOST_ASCII else ""

    def toggle_full(self) -> None:
        """Fill the whole screen, or no longer."""
        self._full = not self._full
        how = cv2.WINDOW_FULLSCREEN if self._full else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(TITLE, cv2.WND_PROP_FULLSCREEN, how)
