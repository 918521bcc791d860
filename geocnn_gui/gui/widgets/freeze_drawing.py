"""A network's stages from the data upwards; a click says up to which they keep their weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from geocnn_gui.gui.theme import colours, mix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPaintEvent

_GAP, _TALL, _WORDS = 6.0, 56.0, 16.0


class FreezeDrawing(QWidget):
    """Draws a box for each stage, the data before them and the rest of the network after them.

    Boxes get lower, as each stage halves the picture. A click on a stage freezes up to it, one on
    the last frozen stage lets it learn again; with the focus, arrow keys do the same.

    Signals
    -------
    picked: how many stages are to be frozen.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("freeze_drawing")
        self.setAccessibleName("Stages that keep their weights")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setFixedHeight(int(_TALL + _WORDS) + 8)
        self._titles: tuple[str, ...] = ()
        self._rest: tuple[str, ...] = ()
        self._frozen, self._hovered = 0, -1

    def show_stages(self, titles: Sequence[str], rest: Sequence[str], *, frozen: int) -> None:
        """Draw stages that can be frozen, what comes after them, and how many are frozen."""
        self._titles, self._rest = tuple(titles), tuple(rest)
        self._frozen = frozen
        self.update()

    def place_of(self, number: int) -> QRectF:
        """Return where a box is drawn: 0 is the data, 1 the first stage."""
        count = 1 + len(self._titles) + len(self._rest)
        weights = [0.5 if n == 0 else 1.0 for n in range(count)]
        room = self.width() - 2 - _GAP * (count - 1)
        left = 1 + sum(room * w / sum(weights) + _GAP for w in weights[:number])
        stages = len(self._titles)
        level = min(number, stages)
        tall = _TALL * (1 - 0.62 * max(level - 1, 0) / max(stages - 1, 1))
        if number > stages:
            tall = _TALL * 0.45
        wide = room * weights[number] / sum(weights)
        return QRectF(left, 3 + (_TALL - tall) / 2, wide, tall)

    def sizeHint(self) -> QSize:
        """Ask for a strip."""
        return QSize(280, int(_TALL + _WORDS) + 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw boxes, the frontier and the words below."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c = colours()
        for number in range(1 + len(self._titles) + len(self._rest)):
            place = self.place_of(number)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._shade(number)))
            painter.drawRoundedRect(place, 3, 3)
            if 0 < number <= self._frozen:
                _draw_lock(painter, place, QColor(c.muted))
            if number == self._hovered and 0 < number <= len(self._titles) and self.isEnabled():
                painter.setPen(QPen(QColor(c.text), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(place, 3, 3)
        self._draw_frontier(painter)

    def _shade(self, number: int) -> str:
        c = colours()
        if number == 0:
            return mix(c.muted, c.card, 0.2)
        if number <= self._frozen:
            return mix(c.muted, c.card, 0.3)
        strength = 0.75 if self.isEnabled() else 0.45
        if number > len(self._titles):
            return mix(c.text, c.card, 0.55 * strength / 0.75)
        return mix(c.accent, c.card, strength)

    def _draw_frontier(self, painter: QPainter) -> None:
        """Draw a line after the last frozen stage, and say on both sides what happens there."""
        c = colours()
        x = self.place_of(self._frozen).right() + _GAP / 2
        if self._frozen:
            ink = c.accent if self.hasFocus() else c.text
            painter.setPen(QPen(QColor(ink), 1.5, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, 0), QPointF(x, _TALL + 6))
        painter.setPen(QColor(c.accent if self.hasFocus() else c.muted))
        base = self.height() - 5.0
        metrics = painter.fontMetrics()
        if self._frozen:
            words = "keeps its weights"
            left = max(1.0, x - 6 - metrics.horizontalAdvance(words))
            painter.drawText(QPointF(left, base), words)
            x = max(x, left + metrics.horizontalAdvance(words) + 6)
        learns = "learns" if self._frozen else "all of it learns"
        wide = metrics.horizontalAdvance(learns)
        painter.drawText(QPointF(min(x + 6, self.width() - wide - 1), base), learns)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Freeze up to the stage clicked."""
        number = self._at(event.position())
        if 0 <= number <= len(self._titles):
            self.picked.emit(number - 1 if number == self._frozen and number else number)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Mark the stage under the cursor."""
        self._hovered = self._at(event.position())
        inside = 0 <= self._hovered <= len(self._titles)
        shape = Qt.CursorShape.PointingHandCursor if inside else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Mark nothing."""
        self._hovered = -1
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the frontier with the arrow keys."""
        steps = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}
        step = steps.get(Qt.Key(event.key()), 0)
        if step and 0 <= self._frozen + step <= len(self._titles):
            self.picked.emit(self._frozen + step)
        elif not step:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that keys act here."""
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that keys act elsewhere."""
        self.update()

    def event(self, event: QEvent) -> bool:
        """Name the stage under the cursor."""
        if isinstance(event, QHelpEvent):
            number = self._at(QPointF(event.pos()))
            names = ("The data", *self._titles, *self._rest)
            QToolTip.showText(event.globalPos(), names[number] if number >= 0 else "", self)
            return True
        return super().event(event)

    def _at(self, point: QPointF) -> int:
        for number in range(1 + len(self._titles) + len(self._rest)):
            place = self.place_of(number)
            if place.left() - _GAP / 2 <= point.x() <= place.right() + _GAP / 2:
                return number
        return -1


def _draw_lock(painter: QPainter, place: QRectF, ink: QColor) -> None:
    """Draw a small lock in the middle of a box."""
    middle = place.center()
    painter.setPen(QPen(ink, 1.4))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawArc(QRectF(middle.x() - 3, middle.y() - 6, 6, 8), 0, 180 * 16)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    painter.drawRoundedRect(QRectF(middle.x() - 5, middle.y() - 2, 10, 7), 1.5, 1.5)
