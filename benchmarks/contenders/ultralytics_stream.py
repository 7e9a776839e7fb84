"""Ultralytics' `predict(stream=True)`, on .pt weights or on an .onnx that it exported itself."""

import importlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.contenders.hand import Hand, given
from benchmarks.contenders.without_cuda import make_torchvision_work

os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")


def main() -> None:
    make_torchvision_work()
    model: Any = importlib.import_module("ultralytics").YOLO
    weights, seconds, sources = given()
    with tempfile.TemporaryDirectory() as folder, Hand(seconds) as hand:
        source = sources[0]
        if len(sources) > 1:
            streams = Path(folder) / "cameras.streams"
            streams.write_text("\n".join(sources))
            source = str(streams)
        yolo = model(weights, task="detect")
        for result in yolo.predict(source, stream=True, verbose=False):
            names = list(yolo.predictor.dataset.sources) if len(sources) > 1 else [result.path]
            camera = names.index(result.path)  # it makes names of its own out of the addresses
            if not hand.take(camera, result.orig_img, len(result.boxes)):
                break
        sys.stdout.flush()
    os._exit(0)  # its reading threads do not end by themselves


if __name__ == "__main__":
    main()
