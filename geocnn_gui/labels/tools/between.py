"""What lies between two lines, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from geocnn_gui.labels.tools.box import Shape


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

    def at(self, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return first and last of some of the columns."""
        part = slice(columns.start - self.columns.start, columns.stop - self.columns.start)
        return self.first[part], self.last[part]


def between(one: Span, other: Span) -> Shape:
    """Cover the cells between two lines in the columns that both run through.

    Which line is the upper one is asked anew in each column, so the lines may cross. Cells of
    the lines are covered too, but for those of a line that is kept.
    """
    start = max(one.columns.start, other.columns.start)
    columns = slice(start, max(min(one.columns.stop, other.columns.stop), start))
    a, b = one.at(columns), other.at(columns)
    both = (a[0] >= 0) & (b[0] >= 0)
    above = a[0] + a[1] <= b[0] + b[1]
    tops = [first if not line.kept else last + 1 for line, (first, last) in ((one, a), (other, b))]
    ends = [last + 1 if not line.kept else first for line, (first, last) in ((one, a), (other, b))]
    top = np.where(above, tops[0], tops[1])
    end = np.where(above, ends[1], ends[0])
    both &= top < end
    if not both.any():
        return slice(0, 0), columns, np.zeros((0, columns.stop - columns.start), bool)
    rows = slice(int(top[both].min()), int(end[both].max()))
    at = np.arange(rows.start, rows.stop)[:, None]
    return rows, columns, (at >= top) & (at < end) & both
