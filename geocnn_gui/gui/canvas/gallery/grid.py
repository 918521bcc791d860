"""The grid of tiles: scrolls over any number, opens one at a click, hears digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QPoint, QSize, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QApplication, QListView

if TYPE_CHECKING:
    from PySide6.QtCore import QItemSelectionRange
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QResizeEvent

    from geocnn_gui.gui.canvas.gallery.tiles import SampleList, TilePainter

_DIGITS = {Qt.Key(Qt.Key.Key_0 + n): n for n in range(10)}
#: Of a selection in more pieces than this the rest is let go when the order changes.
_MOST_RANGES = 2000


def digit_of(event: QKeyEvent) -> int | None:
    """Return the digit that was pressed alone, None for another key."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return None if held else _DIGITS.get(Qt.Key(event.key()))


class Grid(QListView):
    """Tiles in rows; of many only those in view are painted.

    Signals
    -------
    opened: the row that was clicked on without Ctrl or Shift, or that Enter was pressed on.
    digit: a digit was pressed. moved: other rows are in view.
    """

    opened = Signal(int)
    digit = Signal(int)
    moved = Signal()

    def __init__(self, samples: SampleList, painter: TilePainter) -> None:
        super().__init__()
        self.setObjectName("gallery_grid")
        self.setAccessibleName("Samples")
        self._samples, self._painter = samples, painter
        self._picture, self._lines, self._pressed = QSize(112, 112), 1, QPoint()
        self.setModel(samples)
        self.setItemDelegate(painter)
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setUniformItemSizes(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.verticalScrollBar().valueChanged.connect(lambda _: self.moved.emit())

    def lay_out(self, picture: QSize, *, lines: int) -> None:
        """Show pictures of that size, with so many lines of text under each."""
        self._picture, self._lines = picture, lines
        self._fit()

    def _fit(self) -> None:
        width = self.viewport().width() - 1
        self._painter.fit(width, self._picture, lines=self._lines)
        self.setGridSize(self._painter.tile)
        self.verticalScrollBar().setSingleStep(self._painter.tile.height() // 3)
        self.moved.emit()

    def rows_in_view(self) -> range:
        """Return the rows of which something can be seen."""
        tile, view = self._painter.tile, self.viewport()
        columns = max(1, (view.width() - 1) // tile.width())
        first = self.verticalScrollBar().value() // tile.height() * columns
        last = ((self.verticalScrollBar().value() + view.height()) // tile.height() + 1) * columns
        return range(min(first, self._samples.rowCount()), min(last, self._samples.rowCount()))

    def chosen(self) -> np.ndarray:
        """Return the samples that are selected, int64 in the order shown."""
        parts = sorted((each.top(), each.bottom() + 1) for each in self._ranges())
        order = self._samples.order
        return np.concatenate([order[:0], *(order[top:stop] for top, stop in parts)])

    @property
    def chosen_count(self) -> int:
        """Count the samples that are selected."""
        return sum(each.height() for each in self._ranges())

    def choose(self, samples: np.ndarray) -> None:
        """Select these samples, where they are shown, and no others."""
        marks = np.isin(self._samples.order, samples).astype(np.int8)
        edges = np.flatnonzero(np.diff(np.r_[0, marks, 0])).reshape(-1, 2)[:_MOST_RANGES].tolist()
        picked = QItemSelection()
        for top, stop in edges:
            picked.select(self._samples.index(top), self._samples.index(stop - 1))
        self.selectionModel().select(picked, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _ranges(self) -> list[QItemSelectionRange]:
        return list(self.selectionModel().selection())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Lay the tiles out anew."""
        super().resizeEvent(event)
        self._fit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Note where a click began."""
        self._pressed = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Open what was clicked on, where nothing was drawn around and no key was held."""
        super().mouseReleaseEvent(event)
        at = event.position().toPoint()
        near = (at - self._pressed).manhattanLength() < QApplication.startDragDistance()
        index = self.indexAt(at)
        plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
        if event.button() == Qt.MouseButton.LeftButton and near and plain and index.isValid():
            self.opened.emit(index.row())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pass digits on, open with Enter; arrows, Page and Ctrl+A are the list's own."""
        number = digit_of(event)
        if number is not None:
            self.digit.emit(number)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.opened.emit(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, text: str) -> None:
        """Letters search nothing here."""
