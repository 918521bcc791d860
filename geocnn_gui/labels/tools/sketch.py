"""Scribbles of several classes that are not labels yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def box_with(self, shapes: Sequence[Shape]) -> tuple[slice, slice]:
        """Return the rows and columns that the sketch would span with more shapes."""
        boxes = [(rows, columns) for rows, columns, mask in shapes if mask.size]
        if self.ids.size:
            boxes.append((self.rows, self.columns))
        if not boxes:
            return self.rows, self.columns
        return _span([rows for rows, _ in boxes]), _span([columns for _, columns in boxes])

    def add(self, shapes: Sequence[Shape], value: int) -> None:
        """Draw shapes over what is there."""
        box = self.box_with(shapes)
        if box != (self.rows, self.columns):
            ids = np.zeros([part.stop - part.start for part in box], np.uint8)
            if self.ids.size:
                ids[_within(self.rows, box[0]), _within(self.columns, box[1])] = self.ids
            self.ids, (self.rows, self.columns) = ids, box
        for rows, columns, mask in shapes:
            if mask.size:
                self.ids[_within(rows, box[0]), _within(columns, box[1])][mask] = value


def _span(parts: Sequence[slice]) -> slice:
    return slice(min(part.start for part in parts), max(part.stop for part in parts))


def _within(inner: slice, outer: slice) -> slice:
    return slice(inner.start - outer.start, inner.stop - outer.start)
