"""Many small pictures side by side, of which one is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from geocnn_gui.gui.theme import colours
from geocnn_gui.gui.widgets.card import label
from geocnn_gui.gui.widgets.value_image import value_image

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QMouseEvent, QPaintEvent

#: Pictures across: as few as show all of them, so that each is as large as may be.
_LEAST, _MOST, _GAP = 2, 5, 4


class MapGrid(QWidget):
    """Pictures in rows, as large as they all fit; where they do not, arrows below turn the page.

    A click, or the arrow keys, choose one.

    Signals
    -------
    picked: the number of the picture that was chosen.
    """

    picked = Signal(int)

    def __init__(self, *, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._sheet = _Sheet(self)
        self._sheet.setObjectName(f"{name}_sheet")
        self._where = label(role="muted", name=f"{name}_where")
        self._back = _arrow("\u2039", lambda: self._turn(-1), f"{name}_back", "Previous page")
        self._on = _arrow("\u203a", lambda: self._turn(1), f"{name}_on", "Next page")
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self._where, 1)
        line.addWidget(self._back)
        line.addWidget(self._on)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._sheet, 1)
        layout.addLayout(line)

    def show_maps(
        self, maps: np.ndarray, chosen: int, *, signed: bool, at: tuple[float, float] | None = None
    ) -> None:
        """Draw maps (n, rows, columns); a cross at the share (down, across) of each, if given."""
        self._sheet.take(maps, min(chosen, len(maps) - 1), signed=signed, at=at)
        self.refresh()

    def refresh(self) -> None:
        """Say which are in view."""
        sheet = self._sheet
        first, last, count = sheet.first, min(sheet.first + sheet.room, sheet.count), sheet.count
        self._where.setText(f"{first + 1}\u2013{last} of {count}" if count else "")
        for arrow, dead in ((self._back, first == 0), (self._on, last >= count)):
            arrow.setEnabled(not dead)
            arrow.setVisible(count > sheet.room)

    def _turn(self, pages: int) -> None:
        self._sheet.turn(pages)
        self.refresh()


class _Sheet(QWidget):
    """The pictures themselves."""

    def __init__(self, grid: MapGrid) -> None:
        super().__init__()
        self._grid = grid
        self._maps: np.ndarray = np.zeros((0, 1, 1), np.float32)
        self._images: dict[int, QImage] = {}
        self._signed, self._chosen = False, 0
        self._at: tuple[float, float] | None = None
        self.first = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)

    @property
    def count(self) -> int:
        """Return how many pictures there are."""
        return len(self._maps)

    @property
    def across(self) -> int:
        """Return how many pictures a row has."""
        fitting = (n for n in range(_LEAST, _MOST) if self._room(n) >= self.count)
        return next(fitting, _MOST)

    @property
    def side(self) -> int:
        """Return the pixels along one side of a picture."""
        return self._side(self.across)

    @property
    def room(self) -> int:
        """Return how many pictures a page has."""
        return self._room(self.across)

    def _side(self, across: int) -> int:
        return max(8, (self.width() + _GAP) // across - _GAP)

    def _room(self, across: int) -> int:
        return across * max(1, (self.height() + _GAP) // (self._side(across) + _GAP))

    def sizeHint(self) -> QSize:
        """Return room for two rows."""
        return QSize(280, 2 * 70)

    def take(
        self, maps: np.ndarray, chosen: int, *, signed: bool, at: tuple[float, float] | None
    ) -> None:
        """Hold other pictures; the page stays where the chosen one is on it."""
        if len(maps) != len(self._maps):
            self.first = 0
        self._maps, self._images = maps, {}
        self._chosen, self._signed, self._at = max(0, chosen), signed, at
        self.update()

    def turn(self, pages: int) -> None:
        """Show another page."""
        last = max(0, (self.count - 1) // self.room * self.room)
        self.first = min(max(0, self.first + pages * self.room), last)
        self.update()

    def box(self, number: int) -> QRect:
        """Return where a picture of the page in view is drawn."""
        row, column = divmod(number - self.first, self.across)
        step = self.side + _GAP
        return QRect(QPoint(column * step, row * step), QSize(self.side, self.side))

    def resizeEvent(self, _event: object) -> None:
        """Show as many as there is room for."""
        self.first = self.first // self.room * self.room
        self._grid.refresh()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the picture under the mouse."""
        number = self._number_at(event.position().toPoint())
        if number is not None and event.button() == Qt.MouseButton.LeftButton:
            self._grid.picked.emit(number)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Say which picture this is, and between which values."""
        number = self._number_at(event.position().toPoint())
        if number is None:
            self.setToolTip("")
            return
        values = self._maps[number]
        self.setToolTip(f"{number}: {values.min():.3g} to {values.max():.3g}")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose a neighbour."""
        key = Qt.Key
        steps = {
            key.Key_Left: -1,
            key.Key_Right: 1,
            key.Key_Up: -self.across,
            key.Key_Down: self.across,
        }
        step = steps.get(key(event.key()))
        if step is None or not self.count:
            super().keyPressEvent(event)
            return
        number = min(max(0, self._chosen + step), self.count - 1)
        self.first = number // self.room * self.room
        self._grid.picked.emit(number)
        self._grid.refresh()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the page."""
        painter = QPainter(self)
        accent = QColor(colours().accent)
        for number in range(self.first, min(self.first + self.room, self.count)):
            box = self.box(number)
            if number not in self._images:
                self._images[number] = value_image(self._maps[number], signed=self._signed)
            painter.drawImage(box, self._images[number])
            if self._at is not None:
                self._paint_place(painter, box)
            if number == self._chosen:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(accent, 3 if self.hasFocus() else 2))
                painter.drawRect(box.adjusted(1, 1, -1, -1))

    def _paint_place(self, painter: QPainter, box: QRect) -> None:
        assert self._at is not None
        x = box.left() + round(self._at[1] * box.width())
        y = box.top() + round(self._at[0] * box.height())
        for pen in (QPen(QColor(0, 0, 0, 200), 3), QPen(QColor("white"), 1)):
            painter.setPen(pen)
            painter.drawLine(x - 3, y, x + 3, y)
            painter.drawLine(x, y - 3, x, y + 3)

    def _number_at(self, at: QPoint) -> int | None:
        last = min(self.first + self.room, self.count)
        return next((n for n in range(self.first, last) if self.box(n).contains(at)), None)


def _arrow(text: str, clicked: object, name: str, tip: str) -> QToolButton:
    arrow = QToolButton()
    arrow.setText(text)
    arrow.setObjectName(name)
    arrow.setToolTip(tip)
    arrow.clicked.connect(clicked)
    return arrow
