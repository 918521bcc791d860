"""Where the picture lies on the screen: the one mapping that painting and the mouse share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF

#: A cell is never drawn larger than this many pixels.
LARGEST_CELL = 96.0
Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Viewport:
    """Widget pixels per cell, and the cell position at the widget's top left corner.

    Positions count cells from the picture's edge: cell i spans i .. i + 1, its centre is at
    i + 0.5. Pixels are device independent; both scales are free, so a section may be stretched.
    """

    left: float = 0.0
    top: float = 0.0
    x_scale: float = 1.0
    y_scale: float = 1.0

    def x_of(self, column: float) -> float:
        """Return the widget x of a column position."""
        return (column - self.left) * self.x_scale

    def y_of(self, row: float) -> float:
        """Return the widget y of a row position."""
        return (row - self.top) * self.y_scale

    def point_at(self, at: QPointF) -> tuple[float, float]:
        """Return (row, column) under a widget point; the centre of cell (i, j) is (i, j)."""
        return self.top + at.y() / self.y_scale - 0.5, self.left + at.x() / self.x_scale - 0.5

    def pixel_of(self, row: float, column: float) -> QPointF:
        """Return the widget point of (row, column), counted as in `point_at`."""
        return QPointF(self.x_of(column + 0.5), self.y_of(row + 0.5))

    def cell_at(self, at: QPointF) -> tuple[int, int]:
        """Return the cell (row, column) under a widget point; it may lie outside the picture."""
        row, column = self.point_at(at)
        return math.floor(row + 0.5), math.floor(column + 0.5)

    def rectangle(self, rows: slice, columns: slice) -> QRectF:
        """Return the widget rectangle of a block of cells."""
        x, y = self.x_of(columns.start), self.y_of(rows.start)
        return QRectF(x, y, self.x_of(columns.stop) - x, self.y_of(rows.stop) - y)

    def dirty(self, rows: slice, columns: slice) -> QRect:
        """Return the widget pixels that a block of cells can touch."""
        return self.rectangle(rows, columns).toAlignedRect().adjusted(-1, -1, 1, 1)

    def visible(self, size: QSizeF, shape: Shape) -> tuple[slice, slice]:
        """Return the rows and columns of a picture of `shape` seen in a widget of `size`."""
        return (
            _between(self.top, self.top + size.height() / self.y_scale, shape[0]),
            _between(self.left, self.left + size.width() / self.x_scale, shape[1]),
        )

    def panned(self, dx: float, dy: float) -> Viewport:
        """Return the view after the picture was dragged by so many pixels."""
        return replace(self, left=self.left - dx / self.x_scale, top=self.top - dy / self.y_scale)

    def zoomed(self, at: QPointF, x_factor: float, y_factor: float) -> Viewport:
        """Return the view magnified around a widget point, which keeps its cell."""
        x_scale, y_scale = self.x_scale * x_factor, self.y_scale * y_factor
        left = self.left + at.x() / self.x_scale - at.x() / x_scale
        top = self.top + at.y() / self.y_scale - at.y() / y_scale
        return Viewport(left, top, x_scale, y_scale)

    def resized(self, old: QSizeF, new: QSizeF) -> Viewport:
        """Return the view with the same centre and scale in a widget of another size."""
        dx, dy = (new.width() - old.width()) / 2, (new.height() - old.height()) / 2
        return self.panned(dx, dy)

    def within(self, size: QSizeF, shape: Shape) -> Viewport:
        """Return the view with the middle of the widget held over the picture."""
        half_x, half_y = size.width() / 2 / self.x_scale, size.height() / 2 / self.y_scale
        return replace(
            self,
            left=min(max(self.left, -half_x), shape[1] - half_x),
            top=min(max(self.top, -half_y), shape[0] - half_y),
        )


def fit(size: QSizeF, shape: Shape, aspect: float | None) -> Viewport:
    """Return the view that shows a whole picture.

    `aspect` is a cell's height over its width as it should appear, or None to fill the widget.
    """
    width, height = max(size.width(), 1.0), max(size.height(), 1.0)
    rows, columns = max(shape[0], 1), max(shape[1], 1)
    x_scale, y_scale = width / columns, height / rows
    if aspect is not None:
        x_scale = min(x_scale, y_scale / aspect)
        y_scale = x_scale * aspect
    left, top = (columns - width / x_scale) / 2, (rows - height / y_scale) / 2
    return Viewport(left, top, x_scale, y_scale)


def _between(low: float, high: float, count: int) -> slice:
    start = min(max(math.floor(low), 0), count)
    return slice(start, max(min(math.ceil(high), count), start))
