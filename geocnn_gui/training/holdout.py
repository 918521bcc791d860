"""Score a network on the blocks that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.networks import SegmentationNet
    from geocnn_gui.training.sampling import LabelledPicture

#: At most about this many cells are predicted for one score, so that an epoch's end stays short.
_CELLS = 3_000_000
#: ... and this many in one pass, which a Stop has to wait for.
_ONE_PASS = 500_000
#: ... where a network predicts cores of this side; a slower one, with smaller cores, gets fewer.
_CORE = 512


_Part = tuple["LabelledPicture", slice, slice]


def score_holdout(
    net: SegmentationNet, pictures: list[LabelledPicture], device: Device, classes: int
) -> Generator[None, None, tuple[float, float, np.ndarray]]:
    """Return mean loss, mean IoU (over classes present in truth or prediction), confusion.

    The confusion is int64 (classes, classes), rows are truth. Yields after every part, so that
    a task that is stopped need not wait for the whole.
    """
    confusion = np.zeros((classes, classes), np.int64)
    loss, cells = 0.0, 0
    for picture, rows, columns in _parts(net, pictures):
        truth = torch.from_numpy(picture.held_labels(rows, columns)).long() - 1
        logits = _logits(net, picture, (rows, columns), device)
        loss += float(functional.cross_entropy(
            logits[None], truth[None], ignore_index=-1, reduction="sum"
        ))  # fmt: skip
        known = truth >= 0
        cells += int(known.sum())
        flat = truth[known] * classes + logits.permute(1, 2, 0)[known].argmax(-1)
        confusion += np.bincount(flat.numpy(), minlength=classes**2).reshape(classes, classes)
        yield
    return loss / max(cells, 1), mean_iou(confusion), confusion


def mean_iou(confusion: np.ndarray) -> float:
    """Return the mean IoU over classes present in truth or prediction."""
    union = confusion.sum(0) + confusion.sum(1) - np.diag(confusion)
    present = union > 0
    return float(np.mean(np.diag(confusion)[present] / union[present])) if present.any() else 0.0


def _parts(net: SegmentationNet, pictures: list[LabelledPicture]) -> list[_Part]:
    """Return the windows to predict: whole small pictures, else their held-out blocks.

    Where that is more than `_CELLS`, an even random part of them, the same at each call.
    """
    parts, costs = [], []
    for picture in pictures:
        for rows, columns, cost in _windows(net, picture):
            parts.append((picture, rows, columns))
            costs.append(cost)
    order = np.random.default_rng(0).permutation(len(parts))
    most = _CELLS * net.core / _CORE
    room = np.cumsum(np.array(costs)[order]) <= most if parts else np.zeros(0, bool)
    room[:1] = True
    return [parts[i] for i in sorted(order[room])]


def _windows(net: SegmentationNet, picture: LabelledPicture) -> Iterator[tuple[slice, slice, int]]:
    """Yield rows, columns and cells to compute for the held-out blocks of a picture."""
    split, (height, width) = picture.split, picture.shape
    if split is None or not split.held.any():
        return
    block_cells = (split.side + 2 * net.halo) ** 2
    one_pass = _ONE_PASS * (net.core / _CORE) ** 2
    if height * width <= min(one_pass, split.held.sum() * block_cells):
        yield slice(0, height), slice(0, width), height * width
        return
    for row, column in np.argwhere(split.held) * split.side:
        rows = slice(int(row), min(int(row) + split.side, height))
        columns = slice(int(column), min(int(column) + split.side, width))
        yield rows, columns, block_cells


def _logits(
    net: SegmentationNet, picture: LabelledPicture, part: tuple[slice, slice], device: Device
) -> torch.Tensor:
    """Return logits float32 (classes, rows, columns) of a part, seen with its surroundings."""
    wide, crop = [], []
    for span, size in zip(part, picture.shape, strict=True):
        start = max(0, span.start // net.stride * net.stride - net.halo)
        stop = min(size, -(-span.stop // net.stride) * net.stride + net.halo)
        wide.append(slice(start, stop))
        crop.append(slice(span.start - start, span.stop - start))
    values = torch.from_numpy(np.ascontiguousarray(picture.values(*wide)))[None]
    pads = [-values.shape[axis] % net.stride for axis in (3, 2)]
    mode = (
        "reflect"
        if all(p < n for p, n in zip(pads, values.shape[:1:-1], strict=True))
        else "replicate"
    )
    values = functional.pad(values, (0, pads[0], 0, pads[1]), mode=mode)
    values = values.to(device.torch_name, memory_format=device.memory_format)
    with torch.inference_mode(), torch.autocast(device.kind, torch.bfloat16, enabled=device.bf16):
        logits = net.logits_in(values, *crop)
    return logits[0].float().cpu()
