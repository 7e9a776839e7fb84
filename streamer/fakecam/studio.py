"""Where pictures other than the clip's own are made: on demand, beside the event loop, kept for next time."""

import asyncio
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import chain, islice, repeat
from pathlib import Path

import av
import numpy as np

from streamer.errors import ConfigError, SourceError
from streamer.fakecam.clip import Assembly, Clip
from streamer.fakecam.encoding import Encoder, even
from streamer.fakecam.faults import Look, View
from streamer.fakecam.looks import degraded
from streamer.fakecam.recording import interval_of, opened
from streamer.fakecam.reel import Take
from streamer.fakecam.watermarking import SHORTEST_ROUND_S, painted, rounds
from streamer.watermark import Mark
from streamer.watermark.mark import FRAMES

ROUND_S = 4
MOST_PICTURES = 2000  # of a clip with an odd rate
KEPT = 24  # takes, of all cameras together
EVEN_KEYFRAMES = {"sc_threshold": "0"}  # noise and black are no change of scene
KEEP_NOISE = {"crf": "20"}  # at the usual 23 the encoder takes it away
# A camera that stands still is told by keyframes that are equal; rate control would make each another.
EVEN_QUANTISER = {"crf": "-1", "qp": "23"}
OPTIONS = {Look.DARK: KEEP_NOISE, Look.COVER: KEEP_NOISE, Look.REPEAT: EVEN_QUANTISER}


class Studio:
    """Makes takes of the clips' first seconds, one after the other. Lives in one event loop.

    Encoding has a thread of its own, which ends with `close`.
    """

    def __init__(self, paths: Sequence[Path], *, watermark: bool) -> None:
        self._paths = paths
        self._watermark = watermark
        self._kept: OrderedDict[tuple[int, View], asyncio.Future[Take]] = OrderedDict()
        self._next_numbers: dict[int, int] = {}  # by camera: of the next picture to be made
        self._closed = threading.Event()
        self._thread = ThreadPoolExecutor(1, "fakecam-encoding")

    async def take(self, camera: int, own: Clip, view: View) -> Take:
        """A camera's take of this kind; `own` is what it plays else. Raises ConfigError."""
        key = camera, view
        kept = self._kept.get(key)
        if kept is None:
            same = None if self._watermark else self._of_same_clip(camera, view)
            kept = self._kept[key] = asyncio.ensure_future(self._made(camera, own, view, same))
            kept.add_done_callback(lambda done: self._forget_failed(key, done))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return await asyncio.shield(kept)  # others may wait for it too

    def close(self) -> None:
        """End what is in the making; at most one picture of it is still encoded."""
        self._closed.set()
        self._thread.shutdown(cancel_futures=True)

    async def _made(self, camera: int, own: Clip, view: View, same: "asyncio.Future[Take] | None") -> Take:
        round_s = SHORTEST_ROUND_S if self._watermark else ROUND_S
        count = min(math.ceil(round_s / own.interval), MOST_PICTURES)
        first_number = self._next_numbers.get(camera, len(own.units))
        if first_number + count > FRAMES:
            first_number = len(own.units)
        self._next_numbers[camera] = first_number + count
        one_picture = view.look is Look.REPEAT
        if same is not None:
            clip = (await asyncio.shield(same)).clip
        else:
            marks: list[Mark | None] = [None] * count
            if self._watermark and view.look is not Look.BLACK:
                marks = [Mark(camera, first_number + (0 if one_picture else at)) for at in range(count)]
            clip = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._encoded, self._paths[camera], view, marks
            )
        return Take(clip, view, first_number, one_picture)

    def _of_same_clip(self, camera: int, view: View) -> "asyncio.Future[Take] | None":
        for (other, kind), take in self._kept.items():
            if other != camera and kind == view and self._paths[other] == self._paths[camera]:
                return take
        return None

    def _forget_failed(self, key: tuple[int, View], done: "asyncio.Future[Take]") -> None:
        # Asking for the exception also tells asyncio that somebody knows, if the one who asked has gone.
        if (done.cancelled() or done.exception()) and self._kept.get(key) is done:
            del self._kept[key]

    def _encoded(self, path: Path, view: View, marks: Sequence[Mark | None]) -> Clip:
        """Encode as many pictures as there are marks. In the encoding thread. Raises ConfigError."""
        try:
            with opened(path) as (_, stream):
                interval = interval_of(stream)
            assembly = Assembly(f"{path.name} ({view})", interval)
            encoder: Encoder | None = None
            options = EVEN_KEYFRAMES | (OPTIONS.get(view.look, {}) if view.look else {})
            for number, picture in enumerate(_seen(path, interval, view, marks)):
                if self._closed.is_set():
                    raise ConfigError(f"{view}: the test camera has ended")
                encoder = encoder or Encoder((picture.width, picture.height), 1 / interval, 1, options)
                for coded in encoder.encode(picture, number * interval):
                    assembly.add(coded)
            for coded in encoder.finish() if encoder else ():
                assembly.add(coded)
            return assembly.clip()
        except (SourceError, av.error.FFmpegError) as error:
            raise ConfigError(f"{view} cannot be had: {error}") from error


def _seen(
    path: Path, interval: Fraction, view: View, marks: Sequence[Mark | None]
) -> Iterator[av.VideoFrame]:
    """What the camera sees, from the clip's begin on, one picture for each mark."""
    footage: Iterator[av.VideoFrame] = (frame for _, frame in rounds(path, interval, math.inf))
    if view.look in (Look.REPEAT, Look.BLACK, Look.COVER):
        footage = chain.from_iterable(map(repeat, islice(footage, 1)))  # of no more than one
    chance = np.random.default_rng(0)
    size = view.size
    for mark, frame in zip(marks, footage, strict=False):
        size = size or even(frame)
        shown = frame.reformat(*size, "yuv420p")
        planes = np.asarray(shown.to_ndarray(), np.uint8)
        if view.look is not None:
            planes = degraded(view.look, planes, chance)
        yield painted(np.array(planes), mark, shown)
