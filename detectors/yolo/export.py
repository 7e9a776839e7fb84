"""A process of its own that turns weights.pt into weights.onnx beside it.

    python -m detectors.yolo.export PATH IMGSZ

Whoever starts it has checked the weights' hash, and holds a pipe open that is its stdin: when that
is closed, it ends at once. The last line on stderr says why it could not.
"""

import importlib
import sys
from pathlib import Path

from detectors.yolo.child import end_with_parent
from detectors.yolo.engine import check_imgsz
from detectors.yolo.network import load
from streamer.errors import FreshframeError


def main() -> None:
    end_with_parent()
    path, imgsz = Path(sys.argv[1]), int(sys.argv[2])
    try:
        network = load(path)
        check_imgsz(imgsz, network.stride)
    except FreshframeError as error:
        sys.exit(str(error))
    wanted = {
        "format": "onnx",
        "imgsz": imgsz,
        "dynamic": True,
        "simplify": True,
        "device": "cpu",
        "batch": 1,
    }
    exporter = importlib.import_module("ultralytics.engine.exporter").Exporter
    exporter(overrides={"mode": "export", "verbose": False, **wanted})(model=network.model)


if __name__ == "__main__":
    main()
