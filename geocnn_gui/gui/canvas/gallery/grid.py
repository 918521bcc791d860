"""The grid of tiles: scrolls over any number, opens one at a click, hears digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import (
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QPainter, QRegion
from PySide6.QtWidgets import QAbstractItemView, QApplication, QFrame, QStyle, QStyleOptionViewItem

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent, QItemSelectionRange, QPersistentModelIndex
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent

    from geocnn_gui.gui.canvas.gallery.tiles import SampleList, TilePainter

    Index = QModelIndex | QPersistentModelIndex

_DIGITS = {Qt.Key(Qt.Key.Key_0 + n): n for n in range(10)}
#: Of a selection in more pieces than this the rest is let go when the order changes.
_MOST_RANGES = 2000


def digit_of(event: QKeyEvent) -> int | None:
    """Return the digit that was pressed alone, None for another key."""
    held = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return None if held else _DIGITS.get(Qt.Key(event.key()))


class Grid(QAbstractItemView):
    """Tiles in rows; where they lie is reckoned, so that it does not matter how many there are.

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
        self._mouse = QPoint(-1, -1)
        self.setModel(samples)
        self.setItemDelegate(painter)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMouseTracking(True)
        self.viewport().setAutoFillBackground(False)
        self.verticalScrollBar().valueChanged.connect(self._on_scrolled)

    def _on_scrolled(self) -> None:
        self.viewport().update()
        self.moved.emit()

    def lay_out(self, picture: QSize, *, lines: int) -> None:
        """Show pictures of that size, with so many lines of text under each."""
        self._picture, self._lines = picture, lines
        self._fit()

    def _fit(self) -> None:
        width = self.viewport().width() - 1
        self._painter.fit(width, self._picture, lines=self._lines)
        self._scroll_range()
        self.viewport().update()
        self.moved.emit()

    @property
    def _columns(self) -> int:
        return max(1, (self.viewport().width() - 1) // self._painter.tile.width())

    def _scroll_range(self) -> None:
        lines = -(-self._samples.rowCount() // self._columns)
        height, view = self._painter.tile.height(), self.viewport().height()
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, lines * height - view))
        bar.setPageStep(view)
        bar.setSingleStep(height // 3)

    def rows_in_view(self) -> range:
        """Return the rows of which something can be seen."""
        height, top = self._painter.tile.height(), self.verticalOffset()
        first = top // height * self._columns
        last = ((top + self.viewport().height()) // height + 1) * self._columns
        count = self._samples.rowCount()
        return range(min(first, count), min(last, count))

    # -- what Qt asks of a view ----------------------------------------------------------------

    def reset(self) -> None:
        """Begin again with other samples."""
        super().reset()
        self._scroll_range()

    def visualRect(self, index: Index) -> QRect:
        """Return where a tile lies in the viewport."""
        if not index.isValid():
            return QRect()
        tile, (line, column) = self._painter.tile, divmod(index.row(), self._columns)
        return QRect(column * tile.width(), line * tile.height() - self.verticalOffset(),
                     tile.width(), tile.height())  # fmt: skip

    def indexAt(self, point: QPoint) -> QModelIndex:
        """Return the tile at a point of the viewport."""
        tile = self._painter.tile
        column, line = (
            point.x() // tile.width(),
            (point.y() + self.verticalOffset()) // tile.height(),
        )
        row = line * self._columns + column
        inside = 0 <= column < self._columns and 0 <= row < self._samples.rowCount()
        return self._samples.index(row) if inside else QModelIndex()

    def scrollTo(self, index: Index, hint: object = None) -> None:
        """Scroll until a tile is seen whole."""
        box, bar = self.visualRect(index), self.verticalScrollBar()
        if box.top() < 0:
            bar.setValue(bar.value() + box.top())
        elif box.bottom() > self.viewport().height():
            bar.setValue(bar.value() + box.bottom() - self.viewport().height())

    def moveCursor(self, action: object, modifiers: object) -> QModelIndex:
        """Return the tile that an arrow, Page or Home leads to."""
        kind = QAbstractItemView.CursorAction
        page = max(1, self.viewport().height() // self._painter.tile.height()) * self._columns
        last, row = self._samples.rowCount() - 1, max(self.currentIndex().row(), 0)
        steps = {
            kind.MoveLeft: -1, kind.MovePrevious: -1, kind.MoveRight: 1, kind.MoveNext: 1,
            kind.MoveUp: -self._columns, kind.MoveDown: self._columns,
            kind.MovePageUp: -page, kind.MovePageDown: page,
            kind.MoveHome: -row, kind.MoveEnd: last - row,
        }  # fmt: skip
        step = steps.get(action, 0)  # type: ignore[call-overload]
        there = row + step
        return self._samples.index(there if 0 <= there <= last else row)

    def horizontalOffset(self) -> int:
        """Return 0: there is nothing beside."""
        return 0

    def verticalOffset(self) -> int:
        """Return how far down the tiles are scrolled, in pixels."""
        return self.verticalScrollBar().value()

    def isIndexHidden(self, index: Index) -> bool:
        """Say that no tile is hidden."""
        return False

    def setSelection(self, rect: QRect, command: object) -> None:
        """Select the tiles that a rectangle of the viewport touches; with Shift all between its ends."""
        ends = self.indexAt(rect.topLeft()), self.indexAt(rect.bottomRight())
        shift = QApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier
        if shift and all(end.isValid() for end in ends):  # all between, as in a list
            run = QItemSelection(*sorted(ends, key=lambda end: end.row()))
            self.selectionModel().select(run, command)  # type: ignore[call-overload]
            return
        tile, box = self._painter.tile, rect.normalized()
        first, last = (max(0, min(x // tile.width(), self._columns - 1)) for x in
                       (box.left(), box.right()))  # fmt: skip
        lines = range(max(0, (box.top() + self.verticalOffset()) // tile.height()),
                      (box.bottom() + self.verticalOffset()) // tile.height() + 1)  # fmt: skip
        picked, count = QItemSelection(), self._samples.rowCount()
        for line in lines:
            start, stop = line * self._columns + first, min(line * self._columns + last, count - 1)
            if start <= stop:
                picked.select(self._samples.index(start), self._samples.index(stop))
        self.selectionModel().select(picked, command)  # type: ignore[call-overload]

    def visualRegionForSelection(self, selection: object) -> QRegion:
        """Return the whole viewport: it is painted quickly."""
        return QRegion(self.viewport().rect())

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the tiles in view."""
        painter, option = QPainter(self.viewport()), QStyleOptionViewItem()
        self.initViewItemOption(option)
        chosen, under = self.selectionModel(), self.indexAt(self._mouse)
        plain = option.state & ~(QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver)  # type: ignore[attr-defined]
        for row in self.rows_in_view():
            index = self._samples.index(row)
            option.rect = self.visualRect(index)  # type: ignore[attr-defined]
            option.state = plain  # type: ignore[attr-defined]
            if chosen.isSelected(index):
                option.state |= QStyle.StateFlag.State_Selected  # type: ignore[attr-defined]
            if row == under.row():
                option.state |= QStyle.StateFlag.State_MouseOver  # type: ignore[attr-defined]
            self._painter.paint(painter, option, index)
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Light up the tile under the mouse."""
        self._mouse = event.position().toPoint()
        self.viewport().update()
        super().mouseMoveEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Let the light go out."""
        self._mouse = QPoint(-1, -1)
        self.viewport().update()
        super().leaveEvent(event)

    # -- what is selected ----------------------------------------------------------------------

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
        picked = self.selectionModel().selection()
        return [picked.at(at) for at in range(picked.count())]

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
