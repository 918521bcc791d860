"""What lies between two lines, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from geocnn_gui.labels.tools.box import box
from geocnn_gui.labels.tools.stroke import brush_stroke, pieces_of_line

if TYPE_CHECKING:
    from geocnn_gui.labels.tools.box import Block, Shape


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """The rows `first` to `last` of a line in each of `columns`; `first` is -1 where it is not.

    With `kept` the line is painted already and no part of what lies between.
    """

    columns: slice
    first: np.ndarray
    last: np.ndarray
    kept: bool = False

    @classmethod
    def of(cls, shape: Shape, *, kept: bool = False) -> Span:
        """Return the rows that a drawn shape covers."""
        rows, columns, mask = shape
        any_of = mask.any(axis=0) if mask.size else np.zeros(mask.shape[1], bool)
        if not any_of.any():
            none = np.full(mask.shape[1], -1)
            return cls(columns, none, none, kept)
        first = np.where(any_of, rows.start + mask.argmax(axis=0), -1)
        last = np.where(any_of, rows.stop - 1 - mask[::-1].argmax(axis=0), -1)
        return cls(columns, first, last, kept)

    @classmethod
    def drawn(cls, points: np.ndarray, shape: tuple[int, int]) -> Span:
        """Return the rows of the thinnest line along `points` (n, 2) over a picture of `shape`."""
        columns = box(points, 0.5, shape)[1]
        first = np.full(columns.stop - columns.start, shape[0])
        last = np.full(len(first), -1)
        for piece in pieces_of_line(points):
            part = cls.of(brush_stroke(piece, 0.5, shape))
            here = slice(part.columns.start - columns.start, part.columns.stop - columns.start)
            found = np.where(part.first < 0, shape[0], part.first)
            first[here] = np.minimum(first[here], found)
            last[here] = np.maximum(last[here], part.last)
        return cls(columns, np.where(last < 0, -1, first), last)

    def at(self, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return first and last of some of the columns."""
        part = slice(columns.start - self.columns.start, columns.stop - self.columns.start)
        return self.first[part], self.last[part]


def between(one: Span, other: Span, *, within: Block | None = None) -> Shape:
    """Cover the cells between two lines in the columns that both run through.

    Which line is the upper one is asked anew in each column, so the lines may cross. Cells of
    the lines are covered too, but for those of a line that is kept. Only a block of what
    `between_box` says is looked at where one is given.
    """
    columns, top, end = _between(one, other)
    rows, across = _box(columns, top, end) if within is None else within
    at = np.arange(rows.start, rows.stop)[:, None]
    here = slice(across.start - columns.start, across.stop - columns.start)
    return rows, across, (at >= top[here]) & (at < end[here])


def between_box(one: Span, other: Span) -> Block:
    """Return the rows, none where nothing is between, and the columns of `between`."""
    return _box(*_between(one, other))


def _box(columns: slice, top: np.ndarray, end: np.ndarray) -> Block:
    some = top < end
    return slice(int(top[some].min()), int(end[some].max())) if some.any() else slice(0, 0), columns


def _between(one: Span, other: Span) -> tuple[slice, np.ndarray, np.ndarray]:
    """Return the columns of two lines, and where what is between begins and ends in each."""
    start = max(one.columns.start, other.columns.start)
    columns = slice(start, max(min(one.columns.stop, other.columns.stop), start))
    a, b = one.at(columns), other.at(columns)
    both = (a[0] >= 0) & (b[0] >= 0)
    above = a[0] + a[1] <= b[0] + b[1]
    tops = [first if not line.kept else last + 1 for line, (first, last) in ((one, a), (other, b))]
    ends = [last + 1 if not line.kept else first for line, (first, last) in ((one, a), (other, b))]
    end = np.where(both, np.where(above, ends[1], ends[0]), -1)
    return columns, np.where(above, tops[0], tops[1]), end
