"""P10: are our boxes those of Ultralytics' `predict`, and is the accuracy the same?

    .venv/bin/python -m benchmarks.accuracy [--engine onnx --engine torch]

Pictures of known content: ours through the pipeline, as `freshframe eval` sends them, and one at a time
through `predict`. FRESHFRAME_DATA names the folder with `datasets/coco-mini`. A box is equal where the
class is, IoU ≥ 0.99 and the score within 0.01.
"""

import os
import sys
from pathlib import Path

from benchmarks.environment import weights_of
from benchmarks.report import Report, arguments, finish, verdict
from detectors.yolo import Yolo
from streamer import ModelInfo
from streamer.evaluation import CONF, Exam, Looked, judged, read_dataset
from streamer.sources.pictures import read_picture

TESTS = Path(__file__).parents[1] / "tests"
MODEL = "yolo26n"
GOAL_EQUAL, GOAL_AP = 0.99, 0.001


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--engine", action="append", help="default: onnx and torch")
    args = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    reference = __import__("yolo_reference")
    data = Path(os.environ.get("FRESHFRAME_DATA", TESTS.parents[1] / "shared" / "data"))
    if not (data / "datasets" / "coco-mini").is_dir():
        sys.exit(f"there is no datasets/coco-mini in {data}; name the folder by FRESHFRAME_DATA")
    dataset = read_dataset(data / "datasets" / "coco-mini")
    weights = weights_of(MODEL)
    pixels = [read_picture(one.path) for one in dataset.pictures]
    labels = tuple(reference.ultralytics().YOLO(str(weights)).names.values())
    theirs = reference.predict(weights, pixels, labels, CONF, imgsz=640)
    sizes = tuple((one.shape[1], one.shape[0]) for one in pixels)
    ap = judged(dataset, Looked(labels, ModelInfo("predict"), tuple(theirs), sizes, 0, 0)).precision.ap or 0.0
    rows, verdicts, figures = [["predict", f"{ap:.4f}", ""]], [], {"predict": {"ap": ap}}
    for engine in args.engine or ("onnx", "torch"):
        yolo = Yolo(weights, engine=engine, device="cpu", conf=CONF)
        ours = Exam(dataset, yolo, accept=lambda _: None).run()
        mine = judged(dataset, ours).precision.ap or 0.0
        share, count = reference.equal_share(ours.seen, theirs, 0.25)
        rows.append([f"ours, {engine}", f"{mine:.4f}", f"{share:.2%} of {count}"])
        figures[engine] = {"ap": mine, "equal": share, "boxes": count}
        verdicts.append(verdict(f"{engine}: boxes equal to predict's", share, "≥", GOAL_EQUAL, "", 4))
        verdicts.append(verdict(f"{engine}: AP lost", ap - mine, "≤", GOAL_AP, "", 4))
    finish(
        Report(
            "P10",
            f"the same boxes as predict? ({MODEL}, {len(pixels)} pictures)",
            ["", "AP", "boxes equal"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
