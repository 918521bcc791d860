"""A confusion matrix: rows are the labels, columns the prediction; a cell can be picked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPen, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from geocnn_gui.gui.widgets.card import grouped

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QResizeEvent

Mode = Literal["counts", "rows", "columns"]
Index = QModelIndex | QPersistentModelIndex
#: Right and wrong, as in the error map.
_RIGHT, _WRONG = QColor("#0072b2"), QColor("#e69f00")
_SHARE, _RIGHT_CELL = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1
_ROW, _NARROWEST, _MOST_ROWS, _SWATCH = 24, 36, 10, 10
#: The narrowest and the widest room for the names of the rows.
_NAMES = 64, 110
#: Columns narrower than this show the colour of their class alone.
_NAMED = 72


@dataclass(frozen=True, slots=True)
class Matrix:
    """What a table shows: (name, colour) of each class, counts, and rows without a prediction."""

    classes: tuple[tuple[str, str], ...]
    counts: Sequence[Sequence[int]]
    unpredicted: Sequence[int]

    @property
    def columns(self) -> int:
        """Count the columns: one more where cells have no prediction."""
        return len(self.classes) + any(self.unpredicted)

    def count(self, row: int, column: int) -> int:
        """Return a count; the last column may be that of cells without a prediction."""
        at_end = column == len(self.classes)
        return self.unpredicted[row] if at_end else self.counts[row][column]

    def share(self, row: int, column: int, mode: Mode) -> float | None:
        """Return a count's share of its column, or of its row for the other modes."""
        if mode == "columns":
            whole = sum(self.count(i, column) for i in range(len(self.classes)))
        else:
            whole = sum(self.count(row, i) for i in range(self.columns))
        return self.count(row, column) / whole if whole else None


class ConfusionTable(QTableWidget):
    """The matrix as heat: blue where right, orange where wrong, stronger for larger shares.

    A click, Enter or Space picks a cell; once more, or Esc, lets it go.

    Signals
    -------
    picked: the (row, column) picked, or None.
    """

    picked = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("confusion_table")
        self.setAccessibleName("Confusion matrix: rows are the labels, columns the prediction")
        self._matrix = Matrix((), (), ())
        self._mode: Mode = "counts"
        self._fitted = 0
        self.cell: tuple[int, int] | None = None
        self.setItemDelegate(_Heat(self))
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setCornerButtonEnabled(False)
        self.setStyleSheet(
            "QHeaderView, QTableCornerButton::section { background: transparent; border: none; }"
        )
        for header in (self.horizontalHeader(), self.verticalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setSectionsClickable(False)
            header.setHighlightSections(False)
            header.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.horizontalHeader().setMinimumSectionSize(20)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.verticalHeader().setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        self.cellClicked.connect(self._toggle)

    def show_matrix(self, matrix: Matrix, mode: Mode) -> None:
        """Show counts, or whole percent of each row or column."""
        if matrix != self._matrix:
            self.cell = None
        self._matrix, self._mode = matrix, mode
        self.setRowCount(len(matrix.classes))
        self.setColumnCount(matrix.columns)
        self._fill_headers()
        for row in range(self.rowCount()):
            for column in range(self.columnCount()):
                self.setItem(row, column, self._item(row, column))
        self._fit()

    def mark(self, cell: tuple[int, int] | None) -> None:
        """Mark a cell as picked, or none, without saying so."""
        self.cell = cell
        self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Pick the current cell with Enter or Space, let go with Esc."""
        key = event.key()
        if key == Qt.Key.Key_Escape and self.cell is not None:
            self._toggle(*self.cell)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if self.currentRow() >= 0:
                self._toggle(self.currentRow(), self.currentColumn())
        else:
            super().keyPressEvent(event)

    def sizeHint(self) -> QSize:
        """Return room for up to ten rows; more are scrolled to."""
        room = self.width() - self.verticalHeader().width()
        wide = self.horizontalHeader().length() > room
        bar = self.horizontalScrollBar().sizeHint().height() if wide else 0
        rows = min(self.rowCount(), _MOST_ROWS)
        return QSize(240, rows * _ROW + self.horizontalHeader().sizeHint().height() + bar + 4)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Share the width among the columns."""
        super().resizeEvent(event)
        if self.width() != self._fitted:  # not when only a scroll bar comes or goes
            self._fit()

    def _toggle(self, row: int, column: int) -> None:
        empty = self._matrix.count(row, column) == 0
        self.mark(None if self.cell == (row, column) or empty else (row, column))
        self.picked.emit(self.cell)

    def _fill_headers(self) -> None:
        entries = [*self._matrix.classes, ("no prediction", "")][: self.columnCount()]
        for column, (name, color) in enumerate(entries):
            item = _header(name, color, f"Predicted: {name}")
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.setHorizontalHeaderItem(column, item)
        for row, (name, color) in enumerate(self._matrix.classes):
            self.setVerticalHeaderItem(row, _header(name, color, f"Labelled: {name}"))

    def _item(self, row: int, column: int) -> QTableWidgetItem:
        matrix, count = self._matrix, self._matrix.count(row, column)
        share = matrix.share(row, column, self._mode)
        text = _short(count) if self._mode == "counts" else _percent(share)
        item = QTableWidgetItem(text)
        item.setData(_SHARE, share or 0.0)
        item.setData(_RIGHT_CELL, row == column)
        names = [*(name for name, _ in matrix.classes), "no prediction"]
        told = f"labelled {names[row]}, predicted {names[column]}"
        item.setToolTip(
            f"{grouped(count)} pixels {told}\n"
            f"{_percent(matrix.share(row, column, 'rows'))} of what is labelled {names[row]}\n"
            f"{_percent(matrix.share(row, column, 'columns'))} of what is predicted {names[column]}"
        )
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{count} {told}")
        return item

    def _fit(self) -> None:
        self._fitted = self.width()
        if not self.columnCount() or not self._matrix.classes:
            return
        metrics = self.fontMetrics()
        texts = [
            metrics.horizontalAdvance(item.text())
            for row in range(self.rowCount())
            for column in range(self.columnCount())
            if (item := self.item(row, column)) is not None
        ]
        widest = max(metrics.horizontalAdvance(name) for name, _ in self._matrix.classes)
        room = self.width() - self.verticalScrollBar().sizeHint().width() - 4
        width = max(_NARROWEST, max(texts) + 10)
        names = max(
            _NAMES[0], min(widest + _SWATCH + 26, _NAMES[1], room - width * self.columnCount())
        )
        width = max(width, min((room - names) // self.columnCount(), 2 * _NARROWEST))
        self.verticalHeader().setFixedWidth(names)
        self.horizontalHeader().setDefaultSectionSize(width)
        for column, (name, _) in enumerate(self._matrix.classes):
            if (header := self.horizontalHeaderItem(column)) is not None:
                header.setText(name if width >= _NAMED else "")
        if (header := self.horizontalHeaderItem(len(self._matrix.classes))) is not None:
            header.setText("none")
        self.setFixedHeight(self.sizeHint().height())


class _Heat(QStyledItemDelegate):
    """Draws a share as the strength of a colour, and a frame around what is picked or current."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        table = self.parent()
        assert isinstance(table, ConfusionTable)
        box = QRectF(option.rect).adjusted(1, 1, -1, -1)  # type: ignore[attr-defined]
        share = float(index.data(_SHARE) or 0.0)
        palette = QApplication.palette()  # the sheet makes the table's own transparent
        fill = _mixed(palette, _RIGHT if index.data(_RIGHT_CELL) else _WRONG, share)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawRoundedRect(box, 3, 3)
        painter.setPen(_ink(palette, fill, strong=share > 0))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(index.data()))
        if frame := self._frame(table, option, index):
            painter.setPen(frame)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box, 3, 3)
        painter.restore()

    def _frame(
        self, table: ConfusionTable, option: QStyleOptionViewItem, index: Index
    ) -> QPen | None:
        if table.cell == (index.row(), index.column()):
            return QPen(QApplication.palette().text().color(), 2.2)
        focused = option.state & QStyle.StateFlag.State_HasFocus  # type: ignore[attr-defined]
        return QPen(QApplication.palette().highlight().color(), 1.4) if focused else None


def _mixed(palette: QPalette, colour: QColor, share: float) -> QColor:
    """Return the card's colour with more of another for a larger share."""
    base = palette.color(QPalette.ColorRole.Base)
    if share <= 0:
        return base
    part = 0.10 + 0.75 * share**0.7
    pairs = (
        (colour.redF(), base.redF()), (colour.greenF(), base.greenF()),
        (colour.blueF(), base.blueF()),
    )  # fmt: skip
    return QColor.fromRgbF(*(a * part + b * (1 - part) for a, b in pairs))


def _ink(palette: QPalette, fill: QColor, *, strong: bool) -> QColor:
    """Return black or white, whichever is read better; zeros are quieter."""
    if not strong:
        return palette.color(QPalette.ColorRole.PlaceholderText)
    light = 0.299 * fill.redF() + 0.587 * fill.greenF() + 0.114 * fill.blueF()
    return QColor("#10151b") if light > 0.5 else QColor("#f5f7fa")


def _header(name: str, color: str, tip: str) -> QTableWidgetItem:
    item = QTableWidgetItem(name)
    item.setToolTip(tip)
    if color:
        pixmap = QPixmap(_SWATCH, _SWATCH)
        pixmap.fill(QColor(color))
        item.setIcon(QIcon(pixmap))
    return item


def _short(count: int) -> str:
    """Write a count in few characters: 999, 12.3k, 4.6M."""
    for step, unit in ((1_000_000, "M"), (10_000, "k")):
        if count >= step:
            value = count / (1000 if unit == "k" else step)
            return f"{value:.1f}{unit}" if value < 100 else f"{value:.0f}{unit}"
    return str(count)


def _percent(share: float | None) -> str:
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if share in (0, 1) or 0.005 <= share < 0.995 else (
        "<1 %" if share < 0.5 else ">99 %"
    )  # fmt: skip
