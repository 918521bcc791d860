"""Class ids over the picture, of which only what changed is coloured and drawn again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QImage

from geocnn_gui.gui.canvas.image_item import draw_part

if TYPE_CHECKING:
    from PySide6.QtCore import QSizeF
    from PySide6.QtGui import QPainter

    from geocnn_gui.gui.canvas.parts import Part
    from geocnn_gui.gui.canvas.viewport import Viewport


class IndexItem:
    """One uint8 level per cell of a part, drawn through a table of 256 colours with alpha.

    The colours of the levels are kept as an image in the screen's own format, which Qt scales
    several times faster than an indexed one. The arrays *are* the image's memory, so a brush
    step is a small copy and a small repaint.
    """

    def __init__(self) -> None:
        self.part: Part | None = None
        self._image = QImage()
        self._levels = np.zeros((0, 0), np.uint8)
        self._pixels = np.zeros((0, 0), np.uint32)
        self._colours: list[int] = []
        self._table = np.zeros(256, np.uint32)
        self._stale = False

    @property
    def levels(self) -> np.ndarray:
        """Return the levels held, uint8 (rows, columns) at the part's step; do not write."""
        return self._levels

    def clear(self) -> None:
        """Forget the part and its levels."""
        self.part = None

    def set_levels(self, part: Part, levels: np.ndarray) -> None:
        """Hold the levels of a part, uint8 of `part.shape`."""
        rows, columns = levels.shape
        if self._levels.shape != levels.shape:
            self._image = QImage(columns, rows, QImage.Format.Format_ARGB32_Premultiplied)
            self._pixels = np.frombuffer(self._image.bits(), np.uint32).reshape(rows, columns)
        self._levels = np.array(levels, np.uint8)
        self.part, self._stale = part, True

    def update(self, part: Part, levels: np.ndarray) -> None:
        """Replace the levels of a smaller part on the same steps (see `aligned`)."""
        if self.part is not None and levels.size:
            cells = self._cells(part)
            self._levels[cells] = levels
            self._pixels[cells] = self._table[levels]

    def paint_mask(self, rows: slice, columns: slice, mask: np.ndarray, value: int) -> None:
        """Show masked cells (bool (rows, columns)) at a level until they are read again."""
        part = aligned(self.part, rows, columns) if self.part is not None else None
        if part is None:
            return
        cells = np.zeros(mask.shape, np.uint8)
        cells[mask] = 1
        top, left = part.rows.start - rows.start, part.columns.start - columns.start
        cells = np.pad(
            cells[max(top, 0) :, max(left, 0) :], ((max(-top, 0), 0), (max(-left, 0), 0))
        )
        covered = thinned(cells, part.step)[: part.shape[0], : part.shape[1]] > 0
        cells = self._cells(part)
        self._levels[cells][covered] = value
        self._pixels[cells][covered] = self._table[value]

    def _cells(self, part: Part) -> tuple[slice, slice]:
        held = self.part
        assert held is not None
        row = (part.rows.start - held.rows.start) // held.step[0]
        column = (part.columns.start - held.columns.start) // held.step[1]
        return slice(row, row + part.shape[0]), slice(column, column + part.shape[1])

    def set_colours(self, colours: list[int]) -> bool:
        """Use 256 packed colours from now on; return whether they differ from those before."""
        if colours == self._colours:
            return False
        self._colours, self._table, self._stale = colours, _premultiplied(colours), True
        return True

    def level_at(self, row: int, column: int) -> int | None:
        """Return the level of a cell, or None where it is not held exactly."""
        part = self.part
        if part is None or part.step != (1, 1):
            return None
        if not part.holds(slice(row, row + 1), slice(column, column + 1)):
            return None
        return int(self._levels[row - part.rows.start, column - part.columns.start])

    def paint(self, painter: QPainter, viewport: Viewport, size: QSizeF) -> None:
        """Draw what is in view onto a widget of `size`."""
        if self.part is None or self.part.empty:
            return
        if self._stale:
            np.take(self._table, self._levels, out=self._pixels)
            self._stale = False
        draw_part(painter, self._image, self.part, viewport, size)


def aligned(held: Part, rows: slice, columns: slice) -> Part | None:
    """Return the part of `held` that a block of cells touches, on the steps of `held`."""
    rows, columns = held.clip(rows, columns)
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    return type(held)(
        _on_steps(rows, held.rows, held.step[0]),
        _on_steps(columns, held.columns, held.step[1]),
        held.step,
    )


def thinned(levels: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """Return the largest level of each block of `step` cells, so that a thin stroke stays seen."""
    for axis in (0, 1):
        if step[axis] > 1 and levels.shape[axis]:
            starts = np.arange(0, levels.shape[axis], step[axis])
            levels = np.maximum.reduceat(levels, starts, axis=axis)
    return levels


def _premultiplied(colours: list[int]) -> np.ndarray:
    """Return 0xAARRGGBB colours with the channels scaled by their alpha, as Qt keeps them."""
    table = np.array(colours, np.uint32)
    alpha = table >> 24
    mixed = alpha << 24
    for shift in (0, 8, 16):
        mixed |= ((table >> shift & 255) * alpha + 127) // 255 << shift
    return mixed


def _on_steps(cells: slice, held: slice, step: int) -> slice:
    start = held.start + (cells.start - held.start) // step * step
    stop = held.start + -(-(cells.stop - held.start) // step) * step
    return slice(start, min(stop, held.stop))
