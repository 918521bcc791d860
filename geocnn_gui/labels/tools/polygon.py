"""What a polygon encloses."""

from __future__ import annotations

import numpy as np

from geocnn_gui.labels.tools.box import Block, Shape, box

#: Cells that are counted at once, which bounds the memory of a polygon over a whole raster.
_AT_ONCE = 2_000_000


def polygon(points: np.ndarray, shape: tuple[int, int], *, within: Block | None = None) -> Shape:
    """Cover the cells whose centres lie inside the closed polygon `points` (n, 2).

    Where it crosses itself, what is enclosed twice is outside (even-odd rule). Only a block of
    the picture is looked at where one is given.
    """
    points = np.atleast_2d(np.asarray(points, float))
    rows, columns = box(points, 0.0, shape) if within is None else within
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    step = max(1, _AT_ONCE // max(mask.shape[1], 1))
    for first in range(0, len(mask), step):
        band = mask[first : first + step]
        _fill_band(band, points - [rows.start + first, columns.start])
    return rows, columns, mask


def _fill_band(band: np.ndarray, corners: np.ndarray) -> None:
    """Set the cells (rows, columns) of `band` within the polygon `corners`."""
    height, width = band.shape
    crossings = np.zeros((height, width + 1), np.int32)
    for (r0, c0), (r1, c1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = sorted((r0, r1))
        lines = np.arange(*np.clip(np.ceil([low, high]), 0, height).astype(int))
        if lines.size:  # half-open in rows, so that a corner counts once
            at = c0 + (lines - r0) * (c1 - c0) / (r1 - r0)
            crossings[lines, np.clip(np.ceil(at), 0, width).astype(int)] += 1
    band[:] = (np.cumsum(crossings, axis=1, dtype=np.int32) & 1)[:, :width]
