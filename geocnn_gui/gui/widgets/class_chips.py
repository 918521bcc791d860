"""The classes as chips in the toolbar: number, name and colour; one is in hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QHBoxLayout, QSizePolicy, QWidget

from geocnn_gui.gui.theme import icon

if TYPE_CHECKING:
    from PySide6.QtGui import QEnterEvent, QPaintEvent

    from geocnn_gui.labels.classes import Classes

_LONGEST = 110
_HEIGHT, _LOCK = 24, 14


class Chip(QAbstractButton):
    """One class: a rounded box in its colour, with a lock where its labels are kept as they are.

    Without its name where room is short.
    """

    def __init__(self, number: int, text: str, color: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = number
        self.color = QColor(color)
        self.short = False
        self.locked = False
        self.setText(text)
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def width_for(self, *, short: bool) -> int:
        """Return the width with the name, or without."""
        metrics = self.fontMetrics()
        number = metrics.horizontalAdvance(str(self.number))
        name = 0 if short else 6 + min(metrics.horizontalAdvance(self.text()), _LONGEST)
        return number + name + 20 + (_LOCK + 4 if self.locked else 0)

    def sizeHint(self) -> QSize:
        """Return the size of the box."""
        return QSize(self.width_for(short=self.short and not self.isChecked()), _HEIGHT)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be pressed."""
        self.update()
        super().enterEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the box: stronger where it is in hand."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = 2.0 if self.isChecked() or self.hasFocus() else 1.2
        box = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        fill = QColor(self.color)
        fill.setAlphaF(0.40 if self.isChecked() else 0.22 if self.underMouse() else 0.14)
        border = self.palette().windowText().color() if self.hasFocus() else self.color
        painter.setPen(QPen(border, width))
        painter.setBrush(fill)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(self.palette().windowText().color())
        metrics = self.fontMetrics()
        number = str(self.number)
        inner = box.adjusted(9, 0, -9 - (_LOCK + 4 if self.locked else 0), 0)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(inner, flags, number)
        if not self.short or self.isChecked():
            inner.setLeft(inner.left() + metrics.horizontalAdvance(number) + 6)
            name = metrics.elidedText(
                self.text(), Qt.TextElideMode.ElideRight, int(inner.width()) + 2
            )
            painter.drawText(inner, flags, name)
        if self.locked:
            at = QRectF(box.right() - 8 - _LOCK, box.center().y() - _LOCK / 2, _LOCK, _LOCK)
            icon("lock", self.palette().windowText().color().name()).paint(painter, at.toRect())


class ClassChips(QWidget):
    """A row of chips; `chosen` carries the class id of the one clicked.

    The number on a chip is its place in the row, which is the key that picks it; places beyond
    nine have no key but can be clicked.
    """

    chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("class_chips")
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.chosen)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(4, 0, 4, 0)
        self._layout.setSpacing(6)
        self._layout.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    @property
    def chips(self) -> list[Chip]:
        """Return the chips in order."""
        return [chip for chip in self._group.buttons() if isinstance(chip, Chip)]

    def show_classes(self, classes: Classes, current: int) -> None:
        """Draw these classes, `current` in hand, none locked."""
        for chip in self.chips:
            self._group.removeButton(chip)
            chip.hide()
            chip.deleteLater()
        for place, each in enumerate(classes, 1):
            chip = Chip(place, each.name, each.color, self)
            chip.setObjectName(f"class_chip_{each.id}")
            key = f" (key {place})" if place <= 9 else ""
            chip.setToolTip(f"Paint {each.name}{key}")
            chip.setAccessibleName(each.name)
            self._group.addButton(chip, each.id)
            self._layout.insertWidget(place - 1, chip)
        self.show_current(current)

    def show_locked(self, locked: frozenset[int]) -> None:
        """Draw a lock on the chips of these classes alone."""
        for chip in self.chips:
            chip.locked = self._group.id(chip) in locked
            chip.setAccessibleName(f"{chip.text()}, locked" if chip.locked else chip.text())
        self._fit()

    def show_current(self, current: int) -> None:
        """Mark the class in hand; 0 marks none."""
        self._group.setExclusive(False)
        for chip in self.chips:
            chip.setChecked(self._group.id(chip) == current)
        self._group.setExclusive(True)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Return room for one chip: the rest is shortened or cut."""
        return QSize(60, _HEIGHT)

    def sizeHint(self) -> QSize:
        """Return the room for all names."""
        return QSize(sum(c.width_for(short=False) + 6 for c in self.chips) + 8, _HEIGHT + 4)

    def resizeEvent(self, event: object) -> None:
        """Leave the names out where they do not fit."""
        self._fit()

    def _fit(self) -> None:
        short = self.sizeHint().width() > self.width()
        for chip in self.chips:
            chip.short = short
            chip.updateGeometry()
            chip.update()
