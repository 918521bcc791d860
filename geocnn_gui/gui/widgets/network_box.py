"""A list of networks to choose from: one line each, in groups, found by typing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHeaderView,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import Card

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLE = Qt.ItemDataRole.UserRole
_COLUMNS = ("", "", "Least patch", "Parameters", "Year")
_MOST, _ROW = QSize(880, 680), 24


@dataclass(frozen=True, slots=True)
class Offer:
    """A network as the list shows it; `more` is found by typing too."""

    name: str
    title: str
    purpose: str
    group: str
    least_patch: str
    parameters: str
    year: str
    more: str = ""

    def answers(self, typed: str) -> bool:
        """Say whether every word typed is found in it."""
        text = f"{self.title} {self.purpose} {self.more} {self.year}".casefold()
        return all(word in text for word in typed.casefold().split())


class NetworkBox(QComboBox):
    """Shows the chosen network; opens the list of all with what each is for.

    `offers` is asked each time the list opens, because figures follow the data in hand. Arrow
    keys walk through the networks as in any box; the data of an item is the network's name.
    """

    def __init__(self, offers: Callable[[], tuple[Offer, ...]]) -> None:
        super().__init__()
        self._offers = offers
        self.list = NetworkList(self)
        self.list.chosen.connect(self.choose)
        for offer in offers():
            self.addItem(offer.title, offer.name)
        self.setToolTip("All networks, with what each is for")

    def choose(self, name: str) -> None:
        """Take the network called `name`."""
        self.setCurrentIndex(self.findData(name))

    def showPopup(self) -> None:
        """Open the list under the box, as far to the left as it needs."""
        self.list.show_offers(self._offers(), current=self.currentData())
        size = self.list.size_wanted()
        room = self.screen().availableGeometry()
        below = self.mapToGlobal(QPoint(self.width() - size.width(), self.height() + 2))
        size.setHeight(min(size.height(), max(240, room.bottom() - below.y() - 8)))
        left = min(max(below.x(), room.left()), room.right() - size.width())
        self.list.setGeometry(left, below.y(), size.width(), size.height())
        self.list.show()
        self.list.typed.setFocus(Qt.FocusReason.PopupFocusReason)

    def hidePopup(self) -> None:
        """Close the list."""
        self.list.hide()
        super().hidePopup()


class NetworkList(QFrame):
    """The open list: what is typed on top, the groups below.

    Signals
    -------
    chosen: the name of the network that the user took.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("network_list")
        self.typed = QLineEdit()
        self.typed.setObjectName("network_typed")
        self.typed.setPlaceholderText("Type to find a network: a name, a use, an author")
        self.typed.setClearButtonEnabled(True)
        self.typed.textChanged.connect(self._fill)
        self.typed.returnPressed.connect(self._take_current)
        self.typed.installEventFilter(self)
        self.tree = _tree()
        self.tree.itemClicked.connect(self._take)
        self.tree.itemActivated.connect(self._take)
        self._offers: tuple[Offer, ...] = ()
        self._current = ""
        card = Card()
        card.body.addWidget(self.typed)
        card.body.addWidget(self.tree, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(card)

    def show_offers(self, offers: tuple[Offer, ...], *, current: str) -> None:
        """Fill the list anew, with nothing typed."""
        self._offers, self._current = offers, current
        self.typed.blockSignals(True)
        self.typed.clear()
        self.typed.blockSignals(False)
        self._fill()

    def size_wanted(self) -> QSize:
        """Return a size that shows all, within reason."""
        rows = len(self._offers) + len({offer.group for offer in self._offers})
        height = _ROW * rows + self.tree.header().sizeHint().height() + 72
        return QSize(_MOST.width(), min(height, _MOST.height()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let arrow keys walk through the list while one types."""
        moves = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in moves
        ):
            self.tree.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def _fill(self) -> None:
        self.tree.clear()
        found = [offer for offer in self._offers if offer.answers(self.typed.text())]
        for group in dict.fromkeys(offer.group for offer in self._offers):
            rows = [offer for offer in found if offer.group == group]
            if rows:
                self.tree.addTopLevelItem(_heading(group))
            for offer in rows:
                self.tree.addTopLevelItem(_line(offer, current=offer.name == self._current))
        for row in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(row)
            heading = item is not None and not item.data(0, _ROLE)
            self.tree.setFirstColumnSpanned(row, self.tree.rootIndex(), heading)
        if not found:
            self.tree.addTopLevelItem(_heading("No network answers to that."))
        names = [offer.name for offer in found]
        wanted = self._current if self._current in names else next(iter(names), "")
        for item in self._items():
            if wanted and item.data(0, _ROLE) == wanted:
                self.tree.setCurrentItem(item)

    def _items(self) -> list[QTreeWidgetItem]:
        made = (self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount()))
        return [item for item in made if item is not None]

    def _take_current(self) -> None:
        item = self.tree.currentItem()
        if item is not None:
            self._take(item)

    def _take(self, item: QTreeWidgetItem) -> None:
        if name := item.data(0, _ROLE):
            self.hide()
            self.chosen.emit(name)


def _tree() -> QTreeWidget:
    tree = QTreeWidget()
    tree.setObjectName("network_lines")
    tree.setColumnCount(len(_COLUMNS))
    tree.setHeaderLabels(list(_COLUMNS))
    tree.setRootIsDecorated(False)
    tree.setIndentation(0)
    tree.setUniformRowHeights(True)
    tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = tree.header()
    header.setStretchLastSection(False)
    header.setMinimumSectionSize(20)
    for column in range(len(_COLUMNS)):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
    for column in (2, 3, 4):
        tree.headerItem().setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
    return tree


def _heading(text: str) -> QTreeWidgetItem:
    item = QTreeWidgetItem([text.upper() if not text.endswith(".") else text])
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    item.setForeground(0, QColor(colours().muted))
    font = QFont()
    font.setWeight(QFont.Weight.DemiBold)
    item.setFont(0, font)
    item.setSizeHint(1, QSize(0, _ROW))
    item.setTextAlignment(0, Qt.AlignmentFlag.AlignBottom)
    return item


def _line(offer: Offer, *, current: bool) -> QTreeWidgetItem:
    texts = [offer.title, offer.purpose, offer.least_patch, offer.parameters, offer.year]
    item = QTreeWidgetItem(texts)
    item.setData(0, _ROLE, offer.name)
    item.setSizeHint(1, QSize(0, _ROW))
    item.setToolTip(1, f"{offer.purpose} {offer.more}".strip())
    for column in range(1, len(texts)):
        item.setForeground(column, QColor(colours().muted))
        if column > 1:
            item.setTextAlignment(
                column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            )
    if current:
        font = QFont()
        font.setWeight(QFont.Weight.DemiBold)
        item.setFont(0, font)
    return item
