"""Is it the same picture again and again, to the last pixel?

Equal pictures alone prove nothing: in a still scene an encoder of few bits repeats the picture before
for a whole group. A keyframe is encoded afresh, and with it the sensor's noise: only a camera that has
stopped sends the same pixels on both sides of one, or the same keyframe twice.
"""

import numpy as np
from numpy.typing import NDArray

LEAST_NS = 900_000_000  # how long the same picture must have been shown; a second, and the clock's jitter
LEAST_PICTURES = 3  # a camera asked for single pictures may well give its last one twice
# Grey levels by which the mean of a part of the picture must differ for a new scene: more than the
# same picture differs from itself when it is encoded again.
_ANOTHER = 4.0
_SAMPLES = 64  # of each side of the picture, for the first comparison


class _Run:
    """Pictures that are equal to the last pixel. Compared whole from the second on."""

    def __init__(self, grey: NDArray[np.uint8], now_ns: int) -> None:
        self.since_ns: int | None = now_ns  # None: before the last interruption
        self.until_ns = now_ns
        self.pictures = 1
        self._print = _fingerprint(grey)
        self._whole: NDArray[np.uint8] | None = None

    def keep(self, grey: NDArray[np.uint8]) -> "_Run":
        """Compare whole from the first on: the picture after it may be a while in coming."""
        self._whole = grey.copy()
        return self

    def goes_on(self, grey: NDArray[np.uint8], now_ns: int) -> bool:
        """True where the picture is the same again; it is then counted."""
        if _fingerprint(grey) != self._print:
            return False
        if self._whole is None:
            self._whole = grey.copy()
        elif not np.array_equal(self._whole, grey):
            return False
        self.pictures += 1
        self.since_ns = now_ns if self.since_ns is None else self.since_ns
        self.until_ns = now_ns
        return True

    def long(self, pictures: int) -> bool:
        """True where it has gone on for about a second, and over so many pictures."""
        lasted_ns = 0 if self.since_ns is None else self.until_ns - self.since_ns
        return self.pictures >= pictures and lasted_ns >= LEAST_NS


class Frozen:
    """Tells a camera that repeats itself. Used in one thread; keeps at most two pictures' brightness."""

    def __init__(self) -> None:
        self.holds = False
        self._run: _Run | None = None
        self._keyframes: _Run | None = None
        self._across = False  # a keyframe came after the run's first picture
        self._grouped = False  # there is more than keyframes
        self._parts: NDArray[np.float32] | None = None  # of the picture that it froze on

    def keyframe(self, grey: NDArray[np.uint8], now_ns: int) -> None:
        """A keyframe came; to be called before `picture`."""
        if self._keyframes is None or not self._keyframes.goes_on(grey, now_ns):
            self._keyframes = _Run(grey, now_ns).keep(grey)

    def picture(
        self, grey: NDArray[np.uint8], parts: NDArray[np.float32], now_ns: int, *, keyed: bool, key: bool
    ) -> bool:
        """What holds now. `parts`: means of its parts; `key`: it is a keyframe, `keyed`: one came since."""
        self._grouped = self._grouped or not key
        if self._run is not None and self._run.goes_on(grey, now_ns):
            self._across = self._across or keyed
        else:
            self._run, self._across = _Run(grey, now_ns), False
        repeated = self._across and self._run.long(LEAST_PICTURES)
        keys = self._keyframes
        again = keys is not None and keys.long(2 if self._grouped else LEAST_PICTURES)
        if repeated or again:
            if not self.holds:
                self._parts = parts
            self.holds = True
        elif self.holds:
            # Encoded again, it differs a little from picture to picture, but not from keyframe to keyframe.
            another = self._parts is None or bool(np.abs(parts - self._parts).max() > _ANOTHER)
            self.holds = not another and not (key and (keys is None or keys.pictures == 1))
        return self.holds

    def interrupted(self) -> None:
        """A new connection, or a gap: the times before it count no more. What holds is kept until seen."""
        self._run, self._across = None, False
        if self._keyframes is not None:
            self._keyframes.since_ns = None


def _fingerprint(grey: NDArray[np.uint8]) -> tuple[tuple[int, ...], int]:
    """Of pixels spread over the whole picture."""
    rows, columns = max(1, grey.shape[0] // _SAMPLES), max(1, grey.shape[1] // _SAMPLES)
    return grey.shape, hash(grey[rows // 2 :: rows, columns // 2 :: columns].tobytes())
