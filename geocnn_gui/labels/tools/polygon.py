"""What a polygon encloses."""

from __future__ import annotations

import numpy as np

from geocnn_gui.labels.tools.box import Shape, box


def polygon(points: np.ndarray, shape: tuple[int, int]) -> Shape:
    """Cover the cells whose centres lie inside the closed polygon `points` (n, 2).

    Where it crosses itself, what is enclosed twice is outside (even-odd rule).
    """
    points = np.atleast_2d(np.asarray(points, float))
    rows, columns = box(points, 0.0, shape)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    crossings = np.zeros((height, width + 1), np.int32)
    corners = points - [rows.start, columns.start]
    for (r0, c0), (r1, c1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = sorted((r0, r1))
        lines = np.arange(*np.clip(np.ceil([low, high]), 0, height).astype(int))
        if lines.size:  # half-open in rows, so that a corner counts once
            at = c0 + (lines - r0) * (c1 - c0) / (r1 - r0)
            crossings[lines, np.clip(np.ceil(at), 0, width).astype(int)] += 1
    return rows, columns, (np.cumsum(crossings, axis=1) % 2 == 1)[:, :width]
