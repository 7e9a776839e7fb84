"""Hours of a camera's life for `benchmarks.picture_health`: pictures at five a second, and what befalls them.

A scene yields a picture's brightness and whether it is a keyframe. Ordinary scenes are clips played
round and round; their start again is a jump in what moves, not in the view.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.motion import DATA

Grey = NDArray[np.uint8]
Shown = Iterator[tuple[Grey, bool]]
RATE = 5  # pictures a second
WIDTH = 640
CLIPS = {
    "yard": "videos/vtest.avi",
    "shop": "videos/Retail02_short.mp4",
    "street": "videos/road_cctv_ozlu.mp4",
    "crowd": "videos/people_crowd_ocv4nodejs.mp4",
    "campus": "datasets/MOT15/TUD-Campus/TUD-Campus.mp4",
    "dashcam": "videos/dashcam_solidWhiteRight_udacity.mp4",
}
_CAMERA_RATE = 25  # what the bit rates below are meant for


@lru_cache(maxsize=8)
def clip(name: str) -> list[Grey]:
    """The brightness of a clip of the data folder, or of the file `name`, five pictures a second."""
    with av.open(str(DATA / CLIPS[name]) if name in CLIPS else name) as container:
        stream = container.streams.video[0]
        every = max(1, round(float(stream.average_rate or RATE) / RATE))
        return [
            small(frame.to_ndarray(format="gray"))
            for number, frame in enumerate(container.decode(stream))
            if number % every == 0
        ]


@lru_cache(maxsize=128)
def photograph(path: Path) -> Grey:
    """A photograph's brightness."""
    return small(np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8))


def small(grey: NDArray[Any]) -> Grey:
    """At most 640 across, even in both directions."""
    scale = min(1.0, WIDTH / grey.shape[1])
    size = int(grey.shape[1] * scale) // 2 * 2, int(grey.shape[0] * scale) // 2 * 2
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


class Sensor:
    """Adds noise, grey levels; from a pool, for drawing it costs more than all the rest."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._pool = self.rng.normal(0, 1, (1100, 1100)).astype(np.float32)

    def __call__(self, light: NDArray[np.uint8] | NDArray[np.float32], sigma: float) -> Grey:
        rows, columns = light.shape
        top, left = self.rng.integers(0, 1100 - rows), self.rng.integers(0, 1100 - columns)
        noisy = light + np.float32(sigma) * self._pool[top : top + rows, left : left + columns]
        return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def played(pictures: list[Grey], seconds: float, sensor: Sensor, sigma: float = 1.5) -> Shown:
    """As they are, with a little noise. A keyframe each second."""
    for number in range(int(seconds * RATE)):
        yield sensor(pictures[number % len(pictures)], sigma), number % RATE == 0


def lamps(pictures: list[Grey], seconds: float, sensor: Sensor) -> Shown:
    """Lamps go on and off, the exposure follows; a lamp lights one side, clouds pass."""
    light, target, side = 1.0, 1.0, 0.0
    ramp = np.linspace(-1, 1, pictures[0].shape[1], dtype=np.float32)[None]
    for number in range(int(seconds * RATE)):
        if sensor.rng.random() < 1 / (20 * RATE):
            light, target = float(sensor.rng.choice([0.15, 0.3, 0.6, 1.5])), 1.0
            side = float(sensor.rng.uniform(-0.6, 0.6))
        light += (target - light) * 0.02  # automatic exposure
        shown = pictures[number % len(pictures)] * (light * (1 + side * ramp))
        yield (
            sensor(np.asarray(np.clip(shown, 0, 255), np.float32), 1.5 / max(light, 0.3)),
            number % RATE == 0,
        )


def night(pictures: list[Grey], seconds: float, sensor: Sensor) -> Shown:
    """Dark and noisy, two lamps, and every few seconds a car's headlights that sweep over the view."""
    rows, columns = pictures[0].shape
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / np.float32(columns)
    glow = sum(
        np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.01, dtype=np.float32)
        for a, b in ((0.2, 0.15), (0.75, 0.25))
    )
    car: float | None = None
    for number in range(int(seconds * RATE)):
        light = 0.06 + 0.35 * glow
        if car is None and sensor.rng.random() < 1 / (8 * RATE):
            car = -0.2
        if car is not None:
            spread = (x - car) ** 2 + (y - 0.3) ** 2
            light = light + 0.8 * np.exp(-spread / 0.03) + 3 * np.exp(-spread / 0.0004)
            car = car + 0.06 if car < 1.2 else None
        shown = 16 + pictures[number % len(pictures)] * light
        yield sensor(np.asarray(np.clip(shown, 0, 255), np.float32), 5), number % RATE == 0


def nightfall(pictures: list[Grey], seconds: float, sensor: Sensor) -> Shown:
    """Day to night and back every 10 min; in the dark the camera changes to infrared at once."""
    for number in range(int(seconds * RATE)):
        phase = number / RATE % 600 / 600
        light = 0.5 + 0.5 * np.cos(2 * np.pi * phase)
        picture = pictures[number % len(pictures)].astype(np.float32)
        if light < 0.12:  # leaves are bright in infrared, the lamp sits beside the lens
            shown = cv2.GaussianBlur(230 - 0.6 * picture, (0, 0), 0.6)
            sigma = 4.0
        else:
            shown, sigma = np.clip(16 + picture * (light + 0.05), 0, 255), 1 + 4 * (1 - light)
        yield sensor(np.asarray(shown, np.float32), sigma), number % RATE == 0


def rain(pictures: list[Grey], seconds: float, sensor: Sensor) -> Shown:
    """Streaks that change with every picture, and a mast that sways by a pixel or two."""
    rows, columns = pictures[0].shape
    for number in range(int(seconds * RATE)):
        streaks = (sensor.rng.random((rows, columns)) < 0.002).astype(np.float32)
        falling = cv2.filter2D(streaks, -1, np.eye(9, dtype=np.float32).repeat(2, 0)[::2] * 60)
        sway = np.asarray([[1, 0, 1.5 * np.sin(number)], [0, 1, 0.7 * np.cos(number / 2)]], np.float32)
        shown = cv2.warpAffine(
            pictures[number % len(pictures)], sway, (columns, rows), borderMode=cv2.BORDER_REFLECT
        )
        yield sensor(np.asarray(shown + falling, np.float32), 2), number % RATE == 0


def parked(pictures: list[Grey], seconds: float, sensor: Sensor) -> Shown:
    """Lorries come, park over 40 % of the width for a minute, and go; a crowd follows."""
    rows, columns = pictures[0].shape
    lorry = np.full((rows * 3 // 4, columns * 2 // 5), 170, np.uint8)
    for line in range(0, lorry.shape[1], 40):
        lorry[:, line : line + 3] = 120
    cv2.putText(lorry, "FREIGHT", (20, rows // 3), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 40, 6)
    crowd = clip("crowd")
    for number in range(int(seconds * RATE)):
        now_s = number / RATE % 150
        shown = pictures[number % len(pictures)].copy()
        if now_s < 90:
            x = int(min(now_s / 5, 1, (90 - now_s) / 5) * columns * 0.6) - lorry.shape[1] // 2
            left, right = max(0, x), min(columns, x + lorry.shape[1])
            if right > left:
                shown[rows // 5 : rows // 5 + lorry.shape[0], left:right] = lorry[:, left - x : right - x]
        elif now_s > 110:
            people = cv2.resize(crowd[number % len(crowd)], (columns, rows))
            shown[rows // 2 :] = people[rows // 2 :]
        yield sensor(shown, 1.5), number % RATE == 0


def encoded(shown: Shown, kilobits: int, group_s: float, *, constant: bool = False) -> Shown:
    """Through x264 and back: at the bit rate that a 25 fps camera would have, or with one quantiser."""
    context: av.VideoCodecContext | None = None
    decoder = av.VideoCodecContext.create("h264", "r")
    for grey, _ in shown:
        if context is None:
            context = av.VideoCodecContext.create("libx264", "w")
            context.height, context.width = grey.shape
            context.pix_fmt, context.time_base = "yuv420p", Fraction(1, RATE)
            context.framerate = Fraction(RATE)
            context.gop_size = round(group_s * RATE)
            rate = kilobits * 1000 * RATE // _CAMERA_RATE
            limit = {"qp": "28"} if constant else {"maxrate": str(rate), "bufsize": str(rate)}
            if not constant:
                context.bit_rate = rate
            fixed = {"preset": "veryfast", "tune": "zerolatency", "x264-params": "scenecut=0:threads=1"}
            context.options = fixed | limit
        frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
        for packet in context.encode(frame):
            for decoded in decoder.decode(packet):
                yield np.asarray(decoded.to_ndarray()[: grey.shape[0]], np.uint8).copy(), decoded.key_frame


def walk(picture: Grey, seconds: float, sensor: Sensor) -> Shown:
    """A camera in the hand: it wanders over a wide view, shakes and zooms."""
    rows, columns = picture.shape
    at, speed, zoom = np.zeros(2), np.zeros(2), 2.0
    for number in range(int(seconds * RATE)):
        speed = 0.8 * speed + sensor.rng.normal(0, 0.02, 2)
        at = np.clip(at + speed, -0.5, 0.5)
        zoom = float(np.clip(zoom + sensor.rng.normal(0, 0.03), 1.6, 3))
        yield sensor(_part(picture, at, zoom, (columns, rows)), 1.5), number % RATE == 0


def patrol(picture: Grey, seconds: float, sensor: Sensor, dwell_s: float = 20) -> Shown:
    """A PTZ camera: from one of its views to the next, one second of panning between."""
    rows, columns = picture.shape
    views = [np.asarray(view) for view in ((-0.45, -0.4), (0.45, -0.4), (0.45, 0.4), (-0.45, 0.4))]
    for number in range(int(seconds * RATE)):
        turn, now_s = divmod(number / RATE, dwell_s + 1)
        share = max(0.0, now_s - dwell_s)
        at = views[int(turn) % 4] * (1 - share) + views[int(turn + 1) % 4] * share
        yield sensor(_part(picture, at, 2.0, (columns, rows)), 1.5), number % RATE == 0


def _part(picture: Grey, at: NDArray[np.float64], zoom: float, size: tuple[int, int]) -> Grey:
    columns, rows = size
    x, y = columns / 2 * (1 + at[0] * (1 - 1 / zoom)), rows / 2 * (1 + at[1] * (1 - 1 / zoom))
    matrix = np.asarray([[zoom, 0, columns / 2 - zoom * x], [0, zoom, rows / 2 - zoom * y]], np.float32)
    return np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REFLECT), np.uint8)


Scene = Callable[[list[Grey], float, Sensor], Shown]
