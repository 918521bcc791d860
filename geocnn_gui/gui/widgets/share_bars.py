"""How likely each class is at a place, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from geocnn_gui.gui.theme import colours

if TYPE_CHECKING:
    from PySide6.QtGui import QMouseEvent, QPaintEvent

_ROW, _BAR, _MOST = 19, 8, 6


class ShareBars(QWidget):
    """One row per class: name, bar, share; the largest six. A click chooses a class.

    Signals
    -------
    picked: the number of the class that was clicked on.
    """

    picked = Signal(int)

    def __init__(self, *, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._rows: tuple[tuple[str, str, float, str], ...] = ()
        self._order: list[int] = []
        self._chosen = -1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    @property
    def rows(self) -> tuple[tuple[str, str, float, str], ...]:
        """Return what is held: (name, colour, share 0-1, figure) of each class."""
        return self._rows

    def show_shares(self, rows: tuple[tuple[str, str, float, str], ...], chosen: int) -> None:
        """Draw these rows, one of them chosen: (name, "#rrggbb", share 0-1, figure)."""
        if len(rows) != len(self._rows):
            self._rows = rows
            self.updateGeometry()
        self._rows, self._chosen = rows, chosen
        order = range(len(rows))
        if len(rows) > _MOST:
            order = sorted(sorted(order, key=lambda n: -rows[n][2])[:_MOST])
        self._order = list(order)
        self.setToolTip("\n".join(f"{name}: {figure}" for name, _, _, figure in rows))
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for the rows."""
        return QSize(200, _ROW * max(1, min(_MOST, len(self._rows))))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose the class of the row."""
        row = int(event.position().y()) // _ROW
        if 0 <= row < len(self._order):
            self.picked.emit(self._order[row])

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, look = self.fontMetrics(), colours()
        widest = max((metrics.horizontalAdvance(row[0]) for row in self._rows), default=0)
        names = min(widest + 4, self.width() * 9 // 20)
        figures = max((metrics.horizontalAdvance(row[3]) for row in self._rows), default=0)
        room = max(10, self.width() - names - figures - 22)
        centre = Qt.AlignmentFlag.AlignVCenter
        for row, number in enumerate(self._order):
            name, color, share, figure = self._rows[number]
            top, chosen = row * _ROW, number == self._chosen
            painter.setPen(Qt.PenStyle.NoPen)
            if chosen:
                painter.setBrush(QColor(look.tint))
                painter.drawRoundedRect(QRectF(0, top + 1, self.width(), _ROW - 2), 3, 3)
            painter.setPen(QColor(look.text))
            elided = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names)
            painter.drawText(QRectF(4, top, names, _ROW), centre, elided)
            painter.drawText(
                QRectF(0, top, self.width() - 4, _ROW), centre | Qt.AlignmentFlag.AlignRight, figure
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(color or look.accent))
            length = max(2.0, room * min(max(share, 0.0), 1.0))
            painter.drawRoundedRect(QRectF(names + 10, top + (_ROW - _BAR) / 2, length, _BAR), 2, 2)
