"""What a brush sweeps."""

from __future__ import annotations

import numpy as np

from geocnn_gui.labels.tools.box import Shape, box


def brush_stroke(points: np.ndarray, radius: float, shape: tuple[int, int]) -> Shape:
    """Cover what a round brush of `radius` cells sweeps along `points` (n, 2).

    A cell is covered when its centre is within `radius` of the line; a radius under 1 covers the
    cells that the line runs through, so that the thinnest brush leaves no gaps.
    """
    points = np.atleast_2d(np.asarray(points, float))
    rows, columns = box(points, max(radius, 0.5), shape)
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    origin = np.array([rows.start, columns.start], float)
    starts = points - origin
    ends = starts[1:] if len(points) > 1 else starts
    for start, end in zip(starts, ends, strict=False):
        _add_capsule(mask, start, end, radius)
    return rows, columns, mask


def _add_capsule(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """Set the cells within `radius` of the segment from `start` to `end`."""
    if radius < 1:
        _add_thin_line(mask, start, end)
        return
    rows, columns = box(np.stack([start, end]), radius, (mask.shape[0], mask.shape[1]))
    along = end - start
    r = np.arange(rows.start, rows.stop)[:, None] - start[0]
    c = np.arange(columns.start, columns.stop)[None, :] - start[1]
    length = float(along @ along)
    at = np.clip((r * along[0] + c * along[1]) / length, 0, 1) if length else np.zeros((1, 1))
    mask[rows, columns] |= (r - at * along[0]) ** 2 + (c - at * along[1]) ** 2 <= radius**2


def _add_thin_line(mask: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
    steps = int(np.ceil(np.abs(end - start).max())) + 1
    cells = np.floor(np.linspace(start, end, max(steps, 2)) + 0.5).astype(int)
    inside = ((cells >= 0) & (cells < mask.shape)).all(axis=1)
    mask[tuple(cells[inside].T)] = True
