"""What a brush sweeps."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.labels.tools.box import Shape, box

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Moves a square brush off the borders between cells, so that its width is that many cells.
_NUDGE = 1e-6
#: A piece of a line is so many cells long, or so many times the radius of a large brush.
_LONGEST, _RADII = 64, 4


def pieces_of_line(points: np.ndarray, radius: float = 0.0) -> Iterator[np.ndarray]:
    """Yield the ends (2, 2) of short pieces that together are the line along `points` (n, 2).

    What a brush of `radius` sweeps along them is held in small boxes of which it covers a fair
    share, however far the line goes.
    """
    longest = max(_LONGEST, _RADII * radius)
    for start, end in pairwise(np.asarray(points, float)):
        count = max(1, int(np.ceil(np.abs(end - start).max() / longest)))
        yield from (np.array(ends) for ends in pairwise(np.linspace(start, end, count + 1)))


def brush_stroke(
    points: np.ndarray, radius: float, shape: tuple[int, int], *, square: bool = False
) -> Shape:
    """Cover what a brush of `radius` cells sweeps along `points` (n, 2).

    A cell is covered when its centre is within `radius` of the line: round, or along both axes
    where the brush is `square` (its lower border belongs to it, its upper does not). A radius
    under 1 covers the cells that the line runs through, so that the thinnest brush leaves no gaps.
    """
    points = np.atleast_2d(np.asarray(points, float))
    rows, columns = box(points, max(radius, 0.5), shape)
    mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    origin = np.array([rows.start, columns.start], float)
    starts = points - origin
    ends = starts[1:] if len(points) > 1 else starts
    add = _add_thin_line if radius < 1 else _add_square if square else _add_capsule
    for start, end in zip(starts, ends, strict=False):
        add(mask, start, end, radius)
    return rows, columns, mask


def _add_capsule(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """Set the cells within `radius` of the segment from `start` to `end`."""
    rows, columns = box(np.stack([start, end]), radius, (mask.shape[0], mask.shape[1]))
    along = end - start
    r = np.arange(rows.start, rows.stop)[:, None] - start[0]
    c = np.arange(columns.start, columns.stop)[None, :] - start[1]
    length = float(along @ along)
    at = np.clip((r * along[0] + c * along[1]) / length, 0, 1) if length else np.zeros((1, 1))
    mask[rows, columns] |= (r - at * along[0]) ** 2 + (c - at * along[1]) ** 2 <= radius**2


def _add_square(mask: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float) -> None:
    """Set the cells that a square of `radius` covers on its way: where and when along both axes."""
    rows, columns = box(np.stack([start, end]), radius, (mask.shape[0], mask.shape[1]))
    r = np.arange(rows.start, rows.stop) - start[0] + _NUDGE
    c = np.arange(columns.start, columns.stop) - start[1] + _NUDGE
    along = end - start
    enters, leaves = _when_within(r, along[0], radius)
    enters_too, leaves_too = _when_within(c, along[1], radius)
    first = np.maximum(enters[:, None], enters_too[None, :])
    mask[rows, columns] |= first <= np.minimum(leaves[:, None], leaves_too[None, :])


def _when_within(at: np.ndarray, along: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return from when to when in 0..1 a move by `along` from 0 is within `radius` of `at`."""
    if abs(along) < _NUDGE:  # it stands still; a quotient could overflow
        inside = np.abs(at) <= radius
        return np.where(inside, 0.0, 2.0), np.where(inside, 1.0, -1.0)
    ends = np.stack([(at - radius) / along, (at + radius) / along])
    return np.maximum(ends.min(axis=0), 0.0), np.minimum(ends.max(axis=0), 1.0)


def _add_thin_line(mask: np.ndarray, start: np.ndarray, end: np.ndarray, _radius: float) -> None:
    steps = int(np.ceil(np.abs(end - start).max())) + 1
    cells = np.floor(np.linspace(start, end, max(steps, 2)) + 0.5).astype(int)
    inside = ((cells >= 0) & (cells < mask.shape)).all(axis=1)
    mask[tuple(cells[inside].T)] = True
