"""What is held out of a picture, as a network sees it: windows, and the logits of a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geocnn_gui.inference.device import Device
    from geocnn_gui.models.base import SegmentationNet
    from geocnn_gui.training.sampling import LabelledPicture

#: Rows and columns to predict, and the cells to compute for them.
HeldWindow = tuple[slice, slice, int]
#: At most about this many cells are predicted in one pass, which a Stop has to wait for.
_ONE_PASS = 500_000
#: ... where a network predicts cores of this side; a slower one, with smaller cores, gets fewer.
CORE = 512


def held_windows(picture: LabelledPicture, net: SegmentationNet) -> Iterator[HeldWindow]:
    """Yield rows, columns and cells to compute for the held-out labels of a picture."""
    height, width = picture.shape
    windows = [(*window, _cost(window, net.halo)) for window in windows_with_cells(picture)]
    one_pass = _ONE_PASS * min(1, net.core / CORE) ** 2
    if windows and height * width <= min(one_pass, sum(cost for *_, cost in windows)):
        windows = [(slice(0, height), slice(0, width), height * width)]
    yield from windows


def windows_with_cells(
    picture: LabelledPicture, *, side: int = 256
) -> Iterator[tuple[slice, slice]]:
    """Yield the windows, within tiles of `side`, that hold held-out labels."""
    split = picture.split
    if split is None or not len(split.held.spans):
        return
    held = split.is_held(picture.cells.rows, picture.cells.columns)
    rows, columns = picture.cells.rows[held], picture.cells.columns[held]
    for window in split.held_windows(side=side):
        inside = (rows >= window[0].start) & (rows < window[0].stop)
        inside &= (columns >= window[1].start) & (columns < window[1].stop)
        if inside.any():
            yield window


def _cost(window: tuple[slice, slice], halo: int) -> int:
    """Return the cells to compute for a window with all that the network sees around it."""
    height, width = (span.stop - span.start + 2 * halo for span in window)
    return height * width


def dense_logits(
    picture: LabelledPicture, net: SegmentationNet, part: tuple[slice, slice], device: Device
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
