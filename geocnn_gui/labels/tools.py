"""Shapes drawn on a picture as masks; NumPy only.

Points are (row, column) in picture cells; the centre of cell (i, j) is (i, j), as in `Axis.at`.
Every tool returns (rows, columns, mask): the bounding slices inside the picture and bool
(rows, columns) of the cells covered; the slices are empty where the shape misses the picture.
"""

from __future__ import annotations

import numpy as np

Shape = tuple[slice, slice, np.ndarray]


def brush_stroke(points: np.ndarray, radius: float, shape: tuple[int, int]) -> Shape:
    """Cover what a round brush of `radius` cells sweeps along `points` (n, 2).

    A cell is covered when its centre is within `radius` of the line; a radius under 1 covers the
    cells that the line runs through, so that the thinnest brush leaves no gaps.
    """
    points = np.atleast_2d(np.asarray(points, float))
    rows, columns = _box(points, max(radius, 0.5), shape)
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    origin = np.array([rows.start, columns.start], float)
    starts = points - origin
    ends = starts[1:] if len(points) > 1 else starts
    for start, end in zip(starts, ends, strict=False):
        _add_capsule(mask, start, end, radius)
    return rows, columns, mask


def polygon(points: np.ndarray, shape: tuple[int, int]) -> Shape:
    """Cover the cells whose centres lie inside the closed polygon `points` (n, 2).

    Where it crosses itself, what is enclosed twice is outside (even-odd rule).
    """
    points = np.atleast_2d(np.asarray(points, float))
    rows, columns = _box(points, 0.0, shape)
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


def _box(points: np.ndarray, margin: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    low = np.clip(np.ceil(points.min(axis=0) - margin), 0, shape).astype(int)
    high = np.clip(np.floor(points.max(axis=0) + margin) + 1, low, shape).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _add_capsule(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """Set the cells within `radius` of the segment from `start` to `end`."""
    if radius < 1:
        _add_thin_line(mask, start, end)
        return
    rows, columns = _box(np.stack([start, end]), radius, (mask.shape[0], mask.shape[1]))
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
