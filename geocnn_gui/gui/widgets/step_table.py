"""A list of steps: names and times, the current one marked, the undone ones grey."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

_Index = QModelIndex | QPersistentModelIndex
_TEXT, _TIME = 0, 1
_ROW, _SHOWN = 24, 8


@dataclass(frozen=True, slots=True)
class StepLine:
    """A line of the list; `time` in seconds since 1970, None for where it all begins."""

    text: str
    time: float | None = None
    tip: str = ""


class _Model(QAbstractTableModel):
    def __init__(self, table: QWidget) -> None:
        super().__init__(table)
        self._table = table
        self.lines: tuple[StepLine, ...] = ()
        self.current = 0

    def rowCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.lines)

    def columnCount(self, parent: _Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else 2

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        line = self.lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line.text if index.column() == _TEXT else when(line.time)
        if role == Qt.ItemDataRole.ToolTipRole:
            tip = escape(line.tip).replace("\n", "<br>")  # names in it may come from strangers
            return f"<qt>{tip}</qt>" if "<" in line.tip else line.tip
        if role == Qt.ItemDataRole.ForegroundRole and (
            index.column() == _TIME or index.row() > self.current
        ):
            return self._table.palette().brush(QPalette.ColorRole.PlaceholderText)
        if role == Qt.ItemDataRole.FontRole and index.row() == self.current:
            font = self._table.font()
            font.setBold(True)
            return font
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() == _TIME:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None


class StepTable(QTableView):
    """Shows steps; a click, or Enter on one, asks to go there.

    wanted: the number of the line, 0 for where it all begins.
    """

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self.setModel(self._model)
        self.setObjectName("step_table")
        self.setAccessibleName("Steps that can be undone")
        self.horizontalHeader().hide()
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.horizontalHeader().setSectionResizeMode(_TEXT, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(_TIME, QHeaderView.ResizeMode.Fixed)
        self.setColumnWidth(_TIME, self.fontMetrics().horizontalAdvance(" 28 Sep 00:00 "))
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.clicked.connect(lambda index: self.wanted.emit(index.row()))
        self.activated.connect(lambda index: self.wanted.emit(index.row()))

    def show_steps(self, lines: Sequence[StepLine], current: int) -> None:
        """Show lines of which that with the number `current` is where things stand."""
        model = self._model
        model.beginResetModel()
        model.lines, model.current = tuple(lines), current
        model.endResetModel()
        self.setFixedHeight(min(max(len(lines), 2), _SHOWN) * _ROW + 4)
        self.setCurrentIndex(model.index(current, _TEXT))
        self.scrollTo(model.index(current, _TEXT), QAbstractItemView.ScrollHint.PositionAtCenter)


def when(seconds: float | None) -> str:
    """Write a time of today as "14:03", of another day as "28 Sep 14:03"; "" for None."""
    if seconds is None:
        return ""
    time = datetime.fromtimestamp(seconds)
    today = time.date() == datetime.now().date()
    return f"{time:%H:%M}" if today else f"{time.day} {time:%b %H:%M}"
