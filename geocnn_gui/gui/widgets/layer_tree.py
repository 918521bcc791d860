"""The layers of a network as a tree, with what each gives and costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import THIN_SPACE, grouped
from geocnn_gui.models.layers.edits import at, place_of
from geocnn_gui.models.layers.spec import Inception
from geocnn_gui.models.layers.words import sizes_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from geocnn_gui.models.layers.edits import Layers, Place
    from geocnn_gui.models.layers.shapes import Row

_ROLE = Qt.ItemDataRole.UserRole
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
#: Heading and what it means, for each column.
COLUMNS = (
    ("Layer", "From the data upwards."),
    ("Output", "Channels and size of what the layer gives: along each axis\n"
     "floor((N + 2 padding - dilation (kernel - 1) - 1) / stride) + 1."),
    ("Parameters", "Numbers that the layer learns."),
    ("Sees", "Receptive field: values of the data, along each axis, that one output depends on."),
    ("Multiply-adds", "Of one pass over one patch."),
    ("Dense instead", "Parameters of a dense layer in its place: inputs x outputs + outputs."),
)  # fmt: skip


class LayerTree(QTreeWidget):
    """Shows a row for each layer; blocks hold theirs. `picked` tells of another one chosen.

    Signals
    -------
    picked: the path of the row ("data", "3", "3.0" a branch, "head").
    """

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("layer_tree")
        self.setColumnCount(len(COLUMNS))
        self.setHeaderLabels([title for title, _ in COLUMNS])
        self.setIndentation(16)
        self.setRootIsDecorated(False)
        self.setItemsExpandable(False)
        self.setStyleSheet("QTreeView::branch { image: none; border-image: none; }")
        header = self.header()
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(48)
        for column, (_, tip) in enumerate(COLUMNS):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
            self.headerItem().setToolTip(column, tip)
            if column:
                self.headerItem().setTextAlignment(column, _RIGHT)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self._items: dict[str, QTreeWidgetItem] = {}
        self.currentItemChanged.connect(self._on_current)

    def show_rows(self, layers: Layers, rows: Sequence[Row], *, data: tuple[int, ...]) -> None:
        """Show another table; what was chosen stays chosen where it is still there."""
        chosen = self.path()
        self.blockSignals(True)
        self.clear()
        self._items = {}
        self._put("data", None, ["Data", sizes_in_words(data)])
        for row in rows:
            parent = self._parent(row.path, layers)
            item = self._put(row.path, parent, _texts(row))
            self._decorate(item, row)
        self.expandAll()
        self._span_problems(rows)
        self.pick(chosen)  # no news: a form that is typed into stays as it is
        self.blockSignals(False)

    def pick(self, path: str) -> None:
        """Choose the row called `path`; where there is none, that before it."""
        item = self._items.get(path)
        while item is None and path:
            head, _, last = path.rpartition(".")
            path = f"{head}.{int(last) - 1}".strip(".") if last.isdigit() and int(last) else head
            item = self._items.get(path)
        self.setCurrentItem(item or self._items["data"])

    def path(self) -> str:
        """Return the path of the row chosen."""
        item = self.currentItem()
        return str(item.data(0, _ROLE)) if item is not None else "data"

    def _on_current(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.picked.emit(str(item.data(0, _ROLE)))

    def _put(self, path: str, parent: QTreeWidgetItem | None, texts: list[str]) -> QTreeWidgetItem:
        item = QTreeWidgetItem(texts)
        item.setData(0, _ROLE, path)
        for column in range(1, len(COLUMNS)):
            item.setTextAlignment(column, _RIGHT)
        if parent is None:
            self.addTopLevelItem(item)
        else:
            parent.addChild(item)
        self._items[path] = item
        return item

    def _parent(self, path: str, layers: Layers) -> QTreeWidgetItem | None:
        """Return the item of the block or branch that a row lies in; makes that of a branch."""
        above = path.rpartition(".")[0]
        if not above:
            return None
        if above not in self._items:
            block = above.rpartition(".")[0]
            self._branches(block, layers)
        return self._items[above]

    def _branches(self, block: str, layers: Layers) -> None:
        place = place_of(block)
        layer = at(layers, place) if place is not None else None
        count = len(layer.branches) if isinstance(layer, Inception) else 0
        for number in range(count):
            item = self._put(f"{block}.{number}", self._items[block], [f"Branch {number + 1}"])
            item.setForeground(0, QColor(colours().muted))

    def _decorate(self, item: QTreeWidgetItem, row: Row) -> None:
        exact = (row.parameters, None, row.operations, row.dense_parameters)
        for column, number in enumerate(exact, 2):
            if number:
                item.setToolTip(column, grouped(number))
        if row.block or row.path == "head" or place_of(row.path) is None:
            for column in range(1, len(COLUMNS)):
                item.setForeground(column, QColor(colours().muted))
        if row.problem:
            for column in range(len(COLUMNS)):
                item.setForeground(column, QColor(colours().error))
                item.setToolTip(column, row.problem)
            why = QTreeWidgetItem([_sentence(row.problem)])
            why.setData(0, _ROLE, row.path)
            why.setForeground(0, QColor(colours().error))
            why.setToolTip(0, row.problem)
            item.insertChild(0, why)

    def _span_problems(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.problem and (why := self._items[row.path].child(0)) is not None:
                why.setFirstColumnSpanned(True)


def _sentence(problem: str) -> str:
    return f"{problem[:1].upper()}{problem[1:]}."


def _texts(row: Row) -> list[str]:
    if row.problem and not row.block:
        return [row.title]
    sees = row.receptive_field
    same = len(set(sees)) == 1
    return [
        row.title,
        sizes_in_words(row.output),
        counted(row.parameters) if row.parameters else "",
        str(sees[0]) if same else sizes_in_words(sees),
        counted(row.operations) if row.operations else "",
        counted(row.dense_parameters) if row.dense_parameters else "",
    ]


def counted(number: float) -> str:
    """Write a count in a narrow place: "26 051", "1.23 M", "45.6 G"."""
    if number < 100_000:
        return grouped(round(number))
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:.3g}{THIN_SPACE}{unit}"
    return f"{number / 1e3:.0f}{THIN_SPACE}k"


def place_in(path: str) -> Place | None:
    """Return the place of a row that can be edited as a layer or a branch; None for the others."""
    return None if path in ("data", "head") else place_of(path)
