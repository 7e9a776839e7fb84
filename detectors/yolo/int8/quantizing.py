"""A process of its own that turns network.onnx into an int8 network.xml with its network.bin.

    python -m detectors.yolo.int8.quantizing NETWORK.onnx SOURCE IMGSZ NETWORK.xml

SOURCE, a recording or folder of pictures, shows what the network will see. The last line on stderr
says why it could not be made.
"""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.yolo.child import end_with_parent
from detectors.yolo.cpu.onnx_contents import read_contents
from detectors.yolo.cpu.planes import Planes
from detectors.yolo.cpu.silent_openvino import openvino
from detectors.yolo.letterbox import draw, fit, fit_fixed
from streamer.errors import DetectorError, FreshframeError
from streamer.sources import open_source, parse_address

nncf: Any = importlib.import_module("nncf")  # after OpenVINO was silenced

FEWEST, MOST = 10, 128  # pictures; more make it slower, not better


def main() -> None:
    end_with_parent()
    network, source, imgsz, target = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    try:
        quantize(network, source, imgsz, target)
    except FreshframeError as error:
        sys.exit(str(error))


def quantize(network: Path, source: str, imgsz: int, target: str) -> None:
    """Make it. Raises DetectorError, SourceError."""
    contents = read_contents(network)
    planes = Planes(contents.dtype)

    def drawn(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = pixels.shape[1], pixels.shape[0]
        where = fit_fixed(size, contents.shape) if contents.shape else fit(size, imgsz, contents.stride)
        canvas = np.empty((1, *where.shape, 3), np.uint8)
        draw(pixels, where, canvas[0])
        return canvas

    def staged(canvas: NDArray[np.uint8]) -> NDArray[Any]:
        given_back = planes.canvas(1, canvas.shape[1:3])
        given_back[...] = canvas
        return planes.of(given_back)

    canvases = _thinned(source, drawn)
    if len(canvases) < FEWEST:
        raise DetectorError(f"{source} holds {len(canvases)} pictures; at least {FEWEST} are wanted")
    model = openvino.Core().read_model(network)
    made = nncf.quantize(
        model,
        nncf.Dataset(canvases, staged),
        subset_size=len(canvases),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=_head(model),
    )
    openvino.save_model(made, target, compress_to_fp16=False)


def _thinned(
    source: str, draw_one: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
) -> list[NDArray[np.uint8]]:
    """At most MOST of a recording's pictures, evenly spaced, drawn."""
    kept: list[NDArray[np.uint8]] = []
    every = 1
    with open_source(parse_address(source)) as opened:
        for index, captured in enumerate(opened):
            if index % every == 0:
                kept.append(draw_one(captured.picture.bgr()))
                if len(kept) > MOST:
                    kept, every = kept[::2], every * 2
    return kept


def _head(model: Any) -> Any:
    """The network's last module, which stays fp32: in int8, coordinates have steps of 2.5 pixels."""
    names = [node.get_friendly_name() for node in model.get_ops()]
    numbers = [int(found[1]) for name in names if (found := re.match(r"/model\.(\d+)/", name))]
    if not numbers:
        raise DetectorError("the network's layers are not named as Ultralytics' exports name them")
    return nncf.IgnoredScope(patterns=[rf"/model\.{max(numbers)}/.*"])


if __name__ == "__main__":
    main()
