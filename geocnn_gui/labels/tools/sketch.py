"""Scribbles of several classes that are not labels yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from geocnn_gui.labels.tools.box import Shape


class Sketch:
    """Class ids (uint8 (rows, columns)) over a block of cells that grows with what is drawn."""

    def __init__(self) -> None:
        self.rows, self.columns = slice(0, 0), slice(0, 0)
        self.ids = np.zeros((0, 0), np.uint8)

    @property
    def classes(self) -> tuple[int, ...]:
        """Return the class ids drawn."""
        return tuple(int(one) for one in np.unique(self.ids) if one)

    def box_with(self, shape: Shape) -> tuple[slice, slice]:
        """Return the rows and columns that the sketch would span with one more shape."""
        rows, columns, _ = shape
        if not self.ids.size:
            return rows, columns
        return _span(self.rows, rows), _span(self.columns, columns)

    def add(self, shape: Shape, value: int) -> None:
        """Draw a shape over what is there."""
        rows, columns, mask = shape
        if not mask.size:
            return
        box = self.box_with(shape)
        if box != (self.rows, self.columns):
            ids = np.zeros([part.stop - part.start for part in box], np.uint8)
            if self.ids.size:
                ids[_within(self.rows, box[0]), _within(self.columns, box[1])] = self.ids
            self.ids, (self.rows, self.columns) = ids, box
        self.ids[_within(rows, self.rows), _within(columns, self.columns)][mask] = value


def _span(one: slice, other: slice) -> slice:
    return slice(min(one.start, other.start), max(one.stop, other.stop))


def _within(inner: slice, outer: slice) -> slice:
    return slice(inner.start - outer.start, inner.stop - outer.start)
