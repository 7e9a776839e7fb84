"""Roboflow's InferencePipeline with custom logic (the same network on ONNX Runtime), its defaults else."""

import importlib
import os
from collections.abc import Sequence
from typing import Any

from benchmarks.contenders.hand import Hand, given
from benchmarks.contenders.network import Network
from benchmarks.contenders.without_cuda import make_torchvision_work

os.environ.update(TELEMETRY_OPT_OUT="True", METRICS_ENABLED="False", ENABLE_STREAM_API="False")


def main() -> None:
    make_torchvision_work()
    weights, seconds, sources = given()
    network = Network(weights)
    with Hand(seconds) as hand:

        def look(frames: Sequence[Any]) -> list[int]:
            return [network.boxes(frame.image) for frame in frames]

        def sink(found: Any, frames: Any) -> None:
            both = zip(found, frames, strict=True) if isinstance(frames, list) else [(found, frames)]
            for boxes, frame in both:
                if frame is not None and not hand.take(frame.source_id or 0, frame.image, boxes):
                    pipeline.terminate()

        made: Any = importlib.import_module("inference").InferencePipeline
        pipeline = made.init_with_custom_logic(
            video_reference=list(sources) if len(sources) > 1 else sources[0],
            on_video_frame=look,
            on_prediction=sink,
        )
        pipeline.start()
        pipeline.join()
    os._exit(0)


if __name__ == "__main__":
    main()
