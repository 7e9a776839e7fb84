"""Pictures that somebody wants to keep: PNG files that never overwrite one."""

from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.opencv import cv2

MOST_OF_ONE_MOMENT = 100


def keep(folder: str, what: str, pixels: NDArray[np.uint8]) -> str:
    """Write (H, W, 3) uint8 BGR into `folder/WHAT-TIME.png`. Returns what is to be said of it."""
    moment = f"{datetime.now().astimezone():%Y-%m-%d_%H-%M-%S}"
    done, png = cv2.imencode(".png", pixels)
    if not done:
        return "no snapshot: the picture cannot be written as PNG"
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for number in range(1, MOST_OF_ONE_MOMENT + 1):
            path = Path(folder) / (f"{what}-{moment}.png" if number == 1 else f"{what}-{moment}-{number}.png")
            try:
                with path.open("xb") as file:
                    try:
                        file.write(png.tobytes())
                    except OSError:
                        path.unlink()  # half of it is no picture
                        raise
            except FileExistsError:
                continue
            return f"snapshot: {path}"
    except OSError as error:
        return f"no snapshot: {folder} cannot be written: {(error.strerror or str(error)).lower()}"
    return f"no snapshot: {MOST_OF_ONE_MOMENT} of this second are there already"
