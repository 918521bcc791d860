"""What hangs together around a cell: of like values, of one class, of one drawn line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from geocnn_gui.labels.tools.box import Shape


def flood(
    values: np.ndarray, seed: tuple[int, int], tolerance: np.ndarray, *, free: np.ndarray
) -> np.ndarray:
    """Return the cells (bool (rows, columns)) that hang together with `seed` by their sides.

    Each of them is `free` (bool (rows, columns)) and differs from the seed in no band of
    `values` (bands, rows, columns) by more than that band's `tolerance` (bands,), which may be
    infinite. Nothing, where the seed is not free. NaN is never like anything.
    """
    values = np.asarray(values)
    like = free & np.isfinite(values).all(axis=0)
    if not like[seed]:
        return np.zeros(like.shape, bool)
    for band, most in zip(values, np.asarray(tolerance, np.float64), strict=True):
        # Rounding of float32 must not part cells that differ by just the tolerance.
        low, high = (float(band[seed]) + sign * most * (1 + 1e-6) for sign in (-1, 1))
        like &= (band >= low) & (band <= high)
    return connected(like, seed)


def connected(cells: np.ndarray, seed: tuple[int, int], *, corners: bool = False) -> np.ndarray:
    """Return those of `cells` (bool) that hang together with `seed` by sides (or corners)."""
    from scipy import ndimage

    if not cells[seed]:
        return np.zeros(cells.shape, bool)
    structure = np.ones((3, 3), bool) if corners else None
    parts = np.zeros(cells.shape, np.int32)
    ndimage.label(cells, structure, output=parts)
    return parts == parts[seed]


def trimmed(rows: slice, columns: slice, mask: np.ndarray) -> Shape:
    """Return a shape without the empty lines around its cells."""
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not down.size:
        return slice(rows.start, rows.start), slice(columns.start, columns.start), mask[:0, :0]
    top, bottom, left, right = int(down[0]), int(down[-1]), int(across[0]), int(across[-1])
    return (
        slice(rows.start + top, rows.start + bottom + 1),
        slice(columns.start + left, columns.start + right + 1),
        np.ascontiguousarray(mask[top : bottom + 1, left : right + 1]),
    )
