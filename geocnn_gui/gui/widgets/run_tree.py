"""The list of runs: one line each, renamed in place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from geocnn_gui.gui.theme import colours, icon

if TYPE_CHECKING:
    from PySide6.QtCore import QModelIndex, QPersistentModelIndex
    from PySide6.QtGui import QKeyEvent
    from PySide6.QtWidgets import QStyleOptionViewItem

_KEY = Qt.ItemDataRole.UserRole
_NAME, _SCORE, _TIME, _STATE, _NOTES = 0, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class RunRow:
    """A line: its folder, its texts, and whether its model is the one in hand."""

    key: Path
    title: str
    network: str
    score: str
    time: str
    state: str
    notes: str
    tip: str
    in_hand: bool = False


class RunTree(QTreeWidget):
    """Lines of runs; several can be chosen. renamed: key and the new name."""

    renamed = Signal(object, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("run_list")
        self.setAccessibleName("Runs")
        self.setStyleSheet("QTreeWidget::item { border-radius: 0; padding: 2px 6px; }")
        self.setColumnCount(6)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAllColumnsShowFocus(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setItemDelegate(_NameEditor(self))
        self.setMinimumHeight(44)
        header = self.header()
        header.setMinimumSectionSize(24)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._on_changed)

    def show_rows(self, rows: tuple[RunRow, ...]) -> None:
        """Show other lines; those chosen before stay chosen, where they are still there."""
        chosen, current = set(self.chosen()), self.current()
        self.blockSignals(True)
        self.clear()
        for row in rows:
            item = self._item(row)
            item.setSelected(row.key in chosen)
            if row.key == current:
                self.setCurrentItem(item, 0, self.selectionModel().SelectionFlag.NoUpdate)
        self.blockSignals(False)
        self.itemSelectionChanged.emit()

    def _item(self, row: RunRow) -> QTreeWidgetItem:
        texts = (row.title, row.network, row.score, row.time, row.state, row.notes)
        item = QTreeWidgetItem(self, list(texts))
        item.setData(0, _KEY, row.key)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        c = colours()
        item.setIcon(_NAME, icon("check", c.accent) if row.in_hand else _blank())
        tip = escape(row.tip).replace("\n", "<br>")  # names in it may come from strangers
        for column in range(len(texts)):
            item.setToolTip(column, f"<qt>{tip}</qt>")
        for column in (_TIME, _NOTES):
            item.setForeground(column, self.palette().placeholderText())
        item.setTextAlignment(_TIME, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return item

    def chosen(self) -> tuple[Path, ...]:
        """Return the keys of the lines that are chosen, from top to bottom."""
        items = [self.topLevelItem(i) for i in range(self.topLevelItemCount())]
        return tuple(i.data(0, _KEY) for i in items if i is not None and i.isSelected())

    def current(self) -> Path | None:
        """Return the key of the line that was chosen last."""
        item = self.currentItem()
        return item.data(0, _KEY) if item is not None else None

    def choose(self, key: Path) -> None:
        """Choose one line and no other."""
        for number in range(self.topLevelItemCount()):
            item = self.topLevelItem(number)
            if item is not None and item.data(0, _KEY) == key:
                self.setCurrentItem(item)

    def rename(self) -> None:
        """Let the current line's name be edited."""
        item = self.currentItem()
        if item is not None:
            self.editItem(item, _NAME)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Rename at F2, whichever column has the focus."""
        if event.key() == Qt.Key.Key_F2:
            self.rename()
        else:
            super().keyPressEvent(event)

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == _NAME:
            self.renamed.emit(item.data(0, _KEY), item.text(_NAME))


@cache
def _blank() -> QIcon:
    """Return an icon to see through, so that all names begin below each other."""
    picture = QPixmap(16, 16)
    picture.fill(Qt.GlobalColor.transparent)
    return QIcon(picture)


class _NameEditor(QStyledItemDelegate):
    """Edits names, and nothing else of a line."""

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> Any:  # fmt: skip
        """Return a line edit for a name, None for other columns."""
        if index.column() != _NAME:
            return None
        editor = QLineEdit(parent)
        editor.setObjectName("run_name")
        editor.setFrame(False)
        return editor
