"""The block of cells that a shape can touch."""

from __future__ import annotations

import numpy as np

Shape = tuple[slice, slice, np.ndarray]


def box(points: np.ndarray, margin: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the cells of a picture of `shape` within `margin` of points (n, 2); may be empty."""
    low = np.clip(np.ceil(points.min(axis=0) - margin), 0, shape).astype(int)
    high = np.clip(np.floor(points.max(axis=0) + margin) + 1, low, shape).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
