"""How accurate a detector is, through the very pipeline, and whether another one is better.

presence ─┬─▶ coco_file    ─▶ dataset ─▶ exam ─▶ answers ─┬─▶ precision   faster-coco-eval
          └─▶ yolo_folder             the pipeline        └─▶ matches ─▶ chance   a bootstrap
"""

from streamer.evaluation.chance import FEWEST, margin
from streamer.evaluation.dataset import Dataset, LabelledPicture, Thing, nearest, some
from streamer.evaluation.exam import CONF, Exam, Looked
from streamer.evaluation.judged import Judged, judged
from streamer.evaluation.precision import ClassPrecision, Precision
from streamer.evaluation.presence import read_dataset

__all__ = [
    "CONF",
    "FEWEST",
    "ClassPrecision",
    "Dataset",
    "Exam",
    "Judged",
    "LabelledPicture",
    "Looked",
    "Precision",
    "Thing",
    "judged",
    "margin",
    "nearest",
    "read_dataset",
    "some",
]
