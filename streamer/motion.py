"""Motion: has anything changed since the detector last looked?

What a detector said of a picture stays true as long as the picture stays the same. So a frame is held
against the last one that was looked at, both halved until they are at most 240 pixels across: that
takes the noise out of them, and costs a tenth of a millisecond.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.frame import Frame, Picture
from streamer.opencv import cv2

WIDEST = 240
# Grey levels by which one reduced pixel must differ; more where the picture is noisy.
STEP, STEPS_OF_NOISE = 8.0, 4.0
MOST_NOISE, NOISIER = 4.0, 0.1  # grey levels; by how much it may rise from one picture to the next
# The smallest thing that counts: two by two reduced pixels, 16×16 at 1280 across, 16×32 at 1920.
_GRAIN = np.ones((2, 2), np.uint8)
HOLD_NS = 1_000_000_000  # looked at after the last motion: what has just stopped is still worth a look
LONGEST_NS = 10_000_000_000  # never unseen for longer: what creeps below the threshold is found then


class Motion:
    """A gate that admits frames in which something moved since the last one that it admitted.

    Always admitted: the first frame of each epoch, frames within a second after motion, and one
    at least every ten seconds of scene time. A picture that has become brighter or darker
    as a whole has not moved.
    """

    reason = "still"

    def __init__(self) -> None:
        self._epoch: int | None = None
        self._shown: NDArray[np.uint8] | None = None  # what it looked like when something moved last
        self._before: NDArray[np.uint8] | None = None
        self._noise = MOST_NOISE
        self._looked_ns = 0
        self._moved_ns = 0

    def admits(self, frame: Frame) -> bool:
        """True where the frame is to be looked at. Raises what reading the picture raises."""
        small, now_ns = _reduced(frame.picture), frame.scene_ns
        if self._shown is None or self._before is None or frame.epoch != self._epoch:
            self._epoch, moved = frame.epoch, True
        else:
            # Where everything moves that is no noise: the estimate falls at once, and rises slowly.
            self._noise = min(_noise(small, self._before), self._noise + NOISIER, MOST_NOISE)
            moved = _differ(small, self._shown, STEP + STEPS_OF_NOISE * self._noise)
        self._before = small
        overdue = not 0 <= now_ns - self._looked_ns < LONGEST_NS
        if moved:
            self._moved_ns = now_ns
        elif not overdue and now_ns - self._moved_ns > HOLD_NS:
            return False
        if moved or overdue:
            # Not in the second after: there what moves slowly has time to come to more than a step.
            self._shown = small
        self._looked_ns = now_ns
        return True


def _differ(one: NDArray[np.uint8], other: NDArray[np.uint8], step: float) -> bool:
    gain = (cv2.mean(one)[0] + 1) / (cv2.mean(other)[0] + 1)
    change = cv2.absdiff(one, cv2.convertScaleAbs(other, alpha=gain))
    _, changed = cv2.threshold(change, step, 255, cv2.THRESH_BINARY)
    return cv2.countNonZero(cv2.erode(changed, _GRAIN, borderType=cv2.BORDER_CONSTANT, borderValue=0)) > 0


def _noise(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """By how many grey levels pixels differ from one picture to the next, median of every ninth."""
    change = cv2.absdiff(one[::3, ::3], other[::3, ::3]).ravel()
    half = change.size // 2
    return float(np.partition(change, half)[half])


def _reduced(picture: Picture) -> NDArray[np.uint8]:
    """The brightness, at most WIDEST across, uint8. The decoder's own where it has one, else converted."""
    luma = getattr(picture, "luma", None)
    grey = luma() if luma else None
    if grey is None:
        grey = cv2.cvtColor(picture.bgr(), cv2.COLOR_BGR2GRAY)
    if grey.shape[1] > 1280:
        grey = grey[::2]  # every other line: reading them from memory is what costs
    # OpenCV has vector code for halving: four times as fast as one step of any other size.
    while grey.shape[1] > WIDEST and grey.shape[0] > 1:
        grey = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(grey, np.uint8)
