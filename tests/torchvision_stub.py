"""Makes `import torchvision` possible beside a torch it was not built for (tests and benchmarks only).

The package index's torchvision is built for CUDA; beside the CPU torch its compiled part cannot be
loaded, its operators are missing, and `import torchvision` fails, and Ultralytics' `predict` with it.
Here `nms` is defined for real, and `qnms`, which nobody calls, by name.
"""

import importlib

import numpy as np
import torch

_library: list[torch.library.Library] = []  # what it defines goes when it does


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Indices of the boxes (N, 4) that no better kept one overlaps by more than the threshold, best first."""
    # In numpy: torch takes 60 µs for what numpy does in 10, and `predict` is timed with this beside us.
    xyxy = boxes.float().numpy()
    order = torch.sort(scores, descending=True, stable=True).indices.numpy()
    area = (xyxy[:, 2] - xyxy[:, 0]) * (xyxy[:, 3] - xyxy[:, 1])
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        top_left = np.maximum(xyxy[best, :2], xyxy[order, :2])
        bottom_right = np.minimum(xyxy[best, 2:], xyxy[order, 2:])
        common = np.maximum(bottom_right - top_left, 0).prod(1)
        order = order[~(common / (area[best] + area[order] - common) > iou_threshold)]
    return torch.tensor(np.array(kept, np.int64))


def install() -> None:
    """Define the operators, if they are missing."""
    if _library or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "DEF")
    signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    library.define(f"nms{signature}")
    library.define(f"qnms{signature}")
    library.impl("nms", nms, "CPU")
    _library.append(library)
    # It looks for its compiled part as a whole before each call, not for the operator.
    importlib.import_module("torchvision.extension")._has_ops = lambda: True
