"""The output of a classic network read where it is: candidates and suppression in torch, on any device.

The same boxes as `postprocess.decode`, with arrays whose sizes do not depend on what is seen, so that a
CUDA graph can hold it all and nothing waits for the CPU:

1. candidates (score above `conf`, class wanted) are gathered into CANDIDATES places, best first;
2. of the first MATRIX of them, which would push out which, if it stays itself;
3. who stays: in the beginning everybody, then again and again those whom nobody pushes out that
   stayed in the round before. When a round changes nothing, that is what going through them from
   the best down gives: the best ones are right after one round, those below them after the next.

Where any of this does not suffice, `found_in` says so and does it on the CPU: never a silent difference.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from detectors.yolo.postprocess import IOU, MAX_BOXES, Boxes, suppress

# At conf 0.25 YOLO26n had at most 135 candidates in coco-mini's pictures and 131 in a shop's video.
CANDIDATES = 512
MATRIX = 256
ROUNDS = 8  # how long a chain of boxes that push each other out may be

_SMALLEST_AREA = float(np.finfo(np.float64).eps) / 2


def _limit(iou: float) -> float:
    """The largest IoU, in float64, that does not yet push out.

    OpenCV compares 1 - (float)(1 - IoU) with its limit as a float32: a step function, whose edge is
    found by halving.
    """
    low, high = 0.0, 1.0
    while low < (middle := (low + high) / 2) < high:
        if np.float32(1) - np.float32(1 - middle) > np.float32(iou):
            high = middle
        else:
            low = middle
    return low


class DeviceReading:
    """Reads outputs (B, 4 + classes, places), float32, on one device."""

    def __init__(self, conf: float, wanted: NDArray[np.bool_], device: torch.device) -> None:
        self._conf = conf
        self._wanted = torch.from_numpy(wanted.copy()).to(device)
        limit = _limit(IOU)
        # IoU > limit, that is common / (a + b - common) > limit, as common > share * (a + b).
        self._share = limit / (1 + limit)

    def __call__(self, output: torch.Tensor) -> torch.Tensor:
        """The output of B pictures → (B, 7 * CANDIDATES + 3) float32, for `found_in`."""
        best, class_id = output[:, 4:].max(1)  # NaN where any class is; of equal classes the first
        valid = (best > self._conf) & self._wanted[class_id]
        rank = valid.cumsum(1)
        count = rank[:, -1:]
        index = self._gathered(valid, rank)
        # Sorted stably from the order of places, as decode does it.
        there = torch.arange(CANDIDATES, device=output.device) < count
        score = best.gather(1, index).masked_fill_(~there, -1)
        score, order = score.sort(dim=1, descending=True, stable=True)
        index = index.gather(1, order)
        chosen = class_id.gather(1, index)
        boxes = output[:, :4].gather(2, index[:, None].expand(-1, 4, -1))
        centre, half = boxes[:, :2], boxes[:, 2:] * 0.5
        xyxy = torch.cat((centre - half, centre + half), 1)
        kept, settled = self._suppressed(xyxy[..., :MATRIX].double(), chosen[:, :MATRIX], there[:, :MATRIX])
        columns = (xyxy, score[:, None], chosen[:, None].float(), _padded(kept)[:, None])
        # One number that is finite only where all that decode looks at is.
        total = best.sum(1, keepdim=True) + (xyxy * there[:, None]).sum((1, 2))[:, None]
        return torch.cat((torch.cat(columns, 1).flatten(1), count.float(), settled, total), 1)

    @staticmethod
    def _gathered(valid: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
        """The places of the first candidates, in order, (B, CANDIDATES); where there are fewer, place 0."""
        batch, places = valid.shape
        # What is not wanted goes to one place more, which is thrown away.
        slot = (rank - 1).masked_fill_(~valid, CANDIDATES).clamp_(max=CANDIDATES)
        index = rank.new_zeros((batch, CANDIDATES + 1))
        every = torch.arange(places, device=valid.device).expand(batch, -1)
        return index.scatter_(1, slot, every)[:, :CANDIDATES]

    def _suppressed(
        self, xyxy: torch.Tensor, class_id: torch.Tensor, there: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Which boxes (B, 4, M) stay, (B, M) of 0 and 1, and whether the rounds were enough, (B, 1)."""
        low, high = xyxy[:, :2], xyxy[:, 2:]
        sides = torch.minimum(high[..., :, None], high[..., None, :])
        sides = sides.sub_(torch.maximum(low[..., :, None], low[..., None, :])).clamp_(min=0)
        common = sides[:, 0] * sides[:, 1]
        size = (high - low).clamp_(min=0)
        area = size[:, 0] * size[:, 1]
        # Two boxes without area are the same to OpenCV, wherever they are: their part is below 0.
        part = (area * self._share).masked_fill_(area <= _SMALLEST_AREA, -1e-300)
        pushes = common > part[:, :, None] + part[:, None, :]
        pushes = (pushes & (class_id[:, :, None] == class_id[:, None, :])).triu(1).float()
        everybody = there[:, None].float()
        stays = before = everybody
        for _ in range(ROUNDS):
            before = stays
            # Whole numbers below 256: exact in whatever precision the device multiplies.
            stays = torch.baddbmm(everybody, before, pushes, alpha=-1).clamp_(min=0)
        return stays[:, 0], (stays == before).all(2).float()


def _padded(kept: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.pad(kept, (0, CANDIDATES - MATRIX))


def found_in(row: NDArray[np.float32]) -> Boxes | None:
    """The boxes of one picture out of its row of a DeviceReading, copied.

    None where the row does not say: too many candidates, or something that is not a number. Then
    the output itself has to be read.
    """
    count, settled, total = row[-3:]
    if count > CANDIDATES or not np.isfinite(total):
        return None
    columns = row[:-3].reshape(7, CANDIDATES)[:, : int(count)]
    xyxy, score, class_id = columns[:4].T, columns[4], columns[5].astype(np.int32)
    known = settled and count <= MATRIX
    every = np.flatnonzero(columns[6]) if known else suppress(xyxy, score, class_id, IOU)
    kept = every[:MAX_BOXES]
    return Boxes(xyxy[kept], score[kept], class_id[kept])
