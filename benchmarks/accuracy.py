"""P10: are our boxes those of Ultralytics' `predict`, and is the accuracy the same?

    .venv/bin/python -m benchmarks.accuracy [--engine onnx --engine torch]

COCO pictures with ground truth, one at a time; FRESHFRAME_DATA names the folder with
`datasets/coco-mini`. A box is equal where the class is, IoU ≥ 0.99 and the score within 0.01.
"""

import os
import sys
from pathlib import Path

from benchmarks.environment import weights_of
from benchmarks.report import Report, arguments, finish, verdict
from detectors.yolo import Yolo

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
    weights = weights_of(MODEL)
    images = reference.pictures(data)
    pixels = list(images.values())
    labels = list(reference.ultralytics().YOLO(str(weights)).names.values())
    theirs = reference.predict(weights, pixels, labels, 0.001, imgsz=640)
    ap = reference.average_precision(data, dict(zip(images, theirs, strict=True)))
    rows, verdicts, figures = [["predict", f"{ap:.4f}", ""]], [], {"predict": {"ap": ap}}
    for engine in args.engine or ("onnx", "torch"):
        with Yolo(weights, engine=engine, device="cpu", conf=0.001) as yolo:
            ours = [yolo.detect([reference.view(one)])[0] for one in pixels]
        mine = reference.average_precision(data, dict(zip(images, ours, strict=True)))
        share, count = reference.equal_share(ours, theirs, 0.25)
        rows.append([f"ours, {engine}", f"{mine:.4f}", f"{share:.2%} of {count}"])
        figures[engine] = {"ap": mine, "equal": share, "boxes": count}
        verdicts.append(verdict(f"{engine}: boxes equal to predict's", share, "≥", GOAL_EQUAL, "", 4))
        verdicts.append(verdict(f"{engine}: AP lost", ap - mine, "≤", GOAL_AP, "", 4))
    finish(
        Report(
            "P10",
            f"the same boxes as predict? ({MODEL}, {len(images)} pictures)",
            ["", "AP", "boxes equal"],
            rows,
            verdicts,
            figures,
        ),
        args,
    )


if __name__ == "__main__":
    main()
