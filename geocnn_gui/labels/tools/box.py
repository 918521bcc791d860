"""The block of cells that a shape can touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

Block = tuple[slice, slice]
Shape = tuple[slice, slice, np.ndarray]
#: A box of more cells is drawn in blocks of so many rows and columns.
_AT_ONCE, _BLOCK = 2_000_000, (512, 2048)


def box(points: np.ndarray, margin: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Return the cells of a picture of `shape` within `margin` of points (n, 2); may be empty."""
    low = np.clip(np.ceil(points.min(axis=0) - margin), 0, shape).astype(int)
    high = np.clip(np.floor(points.max(axis=0) + margin) + 1, low, shape).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def blocks(rows: slice, columns: slice) -> Iterator[Block]:
    """Yield blocks that together are a box of cells; a small one is its only block."""
    high, wide = _BLOCK
    if (rows.stop - rows.start) * (columns.stop - columns.start) <= _AT_ONCE:
        yield rows, columns
        return
    for row in range(rows.start // high * high, rows.stop, high):
        for column in range(columns.start // wide * wide, columns.stop, wide):
            yield (slice(max(row, rows.start), min(row + high, rows.stop)),
                   slice(max(column, columns.start), min(column + wide, columns.stop)))  # fmt: skip
