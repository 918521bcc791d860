"""The table of classes: colour, name, painted pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QIcon, QKeySequence, QPainter, QPixmap, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from geocnn_gui.gui.theme import colours, icon, mix
from geocnn_gui.gui.widgets.card import Card, button, enable, grouped

if TYPE_CHECKING:
    from PySide6.QtCore import QEvent

    from geocnn_gui.gui.session import Session
    from geocnn_gui.labels.classes import LabelClass

_ID = Qt.ItemDataRole.UserRole
_NAME, _COUNT, _LOCK = 0, 1, 2
_LOCK_WIDTH = 26


class ClassesPanel(Card):
    """Pick a class by its row, rename by double click, recolour by its square."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__("Classes", parent)
        self.setObjectName("classes_panel")
        self._session = session
        self._filling = False
        self.table = self._make_table()
        self._add = button("Add class", lambda: session.add_class(), name="add_class")
        self._delete = button("Delete", self._delete_current, name="delete_class")
        line = QHBoxLayout()
        line.addWidget(self._add, 1)
        line.addWidget(self._delete)
        self.body.addWidget(self.table, 1)
        self.body.addLayout(line)
        session.classes_changed.connect(self._fill)
        session.source_changed.connect(self._fill)
        session.labels_changed.connect(self._count)
        session.tool_changed.connect(self._mark)
        session.rules_changed.connect(self._show_locks)
        self._fill()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 3, self)
        table.setObjectName("class_table")
        table.horizontalHeader().hide()
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(24)
        table.horizontalHeader().setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        table.horizontalHeader().setSectionResizeMode(
            _COUNT, QHeaderView.ResizeMode.ResizeToContents
        )
        table.horizontalHeader().setMinimumSectionSize(_LOCK_WIDTH)
        table.horizontalHeader().setSectionResizeMode(_LOCK, QHeaderView.ResizeMode.Fixed)
        table.setColumnWidth(_LOCK, _LOCK_WIDTH)
        table.setShowGrid(False)
        table.setIconSize(QSize(14, 14))
        table.setTabKeyNavigation(False)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(self._show_menu)
        table.itemChanged.connect(self._on_edited)
        table.itemSelectionChanged.connect(self._on_selected)
        table.cellClicked.connect(self._on_clicked)
        key = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), table)
        key.setContext(Qt.ShortcutContext.WidgetShortcut)
        key.activated.connect(self._delete_current)
        return table

    def _fill(self) -> None:
        self._filling = True
        classes = self._session.classes
        self.table.setRowCount(len(classes))
        for row, each in enumerate(classes):
            name = QTableWidgetItem(_square(each.color), each.name)
            name.setData(_ID, each.id)
            name.setToolTip(
                self._why_not() or "Click the square for another colour, double click to rename"
            )
            count = QTableWidgetItem()
            count.setFlags(Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
            count.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, _NAME, name)
            lock = QTableWidgetItem()
            lock.setFlags(Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled)
            self.table.setItem(row, _COUNT, count)
            self.table.setItem(row, _LOCK, lock)
        self._filling = False
        enable(self._add, self._why_not())
        keys = QAbstractItemView.EditTrigger
        self.table.setEditTriggers(
            keys.NoEditTriggers if self._why_not() else keys.DoubleClicked | keys.EditKeyPressed
        )
        self._count()
        self._show_locks()

    def _show_locks(self) -> None:
        self._filling = True
        for row, each in enumerate(self._session.classes):
            item = self.table.item(row, _LOCK)
            if item is not None:
                locked = each.id in self._session.rules.locked
                ink = colours().text if locked else mix(colours().muted, colours().card, 0.45)
                item.setIcon(icon("lock" if locked else "unlock", ink))
                item.setToolTip(self._why_not() or _lock_tip(each.name, locked=locked))
                item.setData(
                    Qt.ItemDataRole.AccessibleTextRole, "locked" if locked else "not locked"
                )
        self._filling = False
        self._mark()

    def _count(self) -> None:
        labels = self._session.labels
        counts = labels.store.counts if labels is not None else {}
        unit = " px" if self._session.cell_noun == "pixel" else ""
        self._filling = True
        muted = self.palette().placeholderText()
        for row, each in enumerate(self._session.classes):
            item = self.table.item(row, _COUNT)
            if item is not None:
                item.setText(f"{grouped(counts.get(each.id, 0))}{unit}")
                item.setForeground(muted)
        self._filling = False

    def _mark(self) -> None:
        self._filling = True
        ids = [each.id for each in self._session.classes]
        if self._session.current_class in ids:
            self.table.selectRow(ids.index(self._session.current_class))
        else:
            self.table.clearSelection()
        self._filling = False
        enable(
            self._delete,
            self._why_not()
            or self._session.why_locked(self._session.current_class)
            or ("" if self._current() is not None else "Choose a class first."),
            tip="Delete this class and its labels in every source (undo brings both back)",
        )

    def _why_not(self) -> str:
        """Say why the classes cannot be changed."""
        opened = self._session.source is not None
        return self._session.why_read_only() if opened else "Open a file first."

    def _current(self) -> LabelClass | None:
        number = self._session.current_class
        return next((c for c in self._session.classes if c.id == number), None)

    def _on_selected(self) -> None:
        if self._filling:
            return
        if self.table.currentColumn() == _LOCK:  # a lock can be turned with any class in hand
            QTimer.singleShot(0, self, self._mark)
            return
        rows = self.table.selectionModel().selectedRows()
        if rows:
            self._session.set_current_class(self._session.classes[rows[0].row()].id)

    def _on_edited(self, item: QTableWidgetItem) -> None:
        if self._filling or item.column() != _NAME:
            return
        number, name = item.data(_ID), item.text().strip()
        self._session.rename_class(number, name)
        if not name:
            self._fill()

    def _on_clicked(self, row: int, column: int) -> None:
        """Recolour where the click fell on the square, lock or unlock where on the lock."""
        item = self.table.item(row, _NAME)
        if item is None or self._why_not():
            return
        if column == _LOCK:
            self._session.turn_lock(item.data(_ID))
        if column != _NAME:
            return
        box = self.table.visualItemRect(item)
        at = self.table.viewport().mapFromGlobal(self.cursor().pos())
        if QRect(box.left(), box.top(), 22, box.height()).contains(at):
            self._recolour(item.data(_ID))

    def _recolour(self, number: int) -> None:
        each = next(c for c in self._session.classes if c.id == number)
        dialog = QColorDialog(QColor(each.color), self)
        dialog.setObjectName("colour_dialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(lambda c: self._session.recolour_class(number, c.name()))
        dialog.open()

    def _show_menu(self, at: QPoint) -> None:
        item = self.table.itemAt(at)
        if item is None or self._why_not():
            return
        number = self._session.classes[item.row()].id
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        index = self.table.model().index(item.row(), _NAME)
        menu.addAction("Rename", lambda: self.table.edit(index))
        menu.addAction("Colour…", lambda: self._recolour(number))
        locked = number in self._session.rules.locked
        menu.addAction("Unlock" if locked else "Lock", lambda: self._session.turn_lock(number))
        menu.addAction("Delete", lambda: self._session.delete_class(number))
        menu.popup(self.table.viewport().mapToGlobal(at))

    def changeEvent(self, event: QEvent) -> None:
        """Draw the locks in the new theme's tint."""
        super().changeEvent(event)
        if event.type() == event.Type.PaletteChange and hasattr(self, "_delete"):
            self._show_locks()

    def _delete_current(self) -> None:
        current = self._current()
        if current is not None and not self._why_not():
            self._session.delete_class(current.id)


def _lock_tip(name: str, *, locked: bool) -> str:
    if locked:
        return f"{name} is locked: a click lets its labels be changed again"
    return f"Click to lock {name}: its labels can then neither be changed nor be added to"


def _square(color: str) -> QIcon:
    pixmap = QPixmap(28, 28)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(color))
    painter.drawRoundedRect(2, 2, 24, 24, 6, 6)
    painter.end()
    made = QIcon(pixmap)
    made.addPixmap(pixmap, QIcon.Mode.Selected)
    return made
