"""How many pixels each class has, as bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QSizePolicy, QWidget

from geocnn_gui.gui.widgets.card import grouped

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

_ROW = 20
_BAR = 8


class ClassBars(QWidget):
    """One row per class: name, bar, figure. The longest bar is the most frequent class.

    With `logarithmic` a bar grows with the number of digits, so that rare classes are seen.
    """

    def __init__(self, parent: QWidget | None = None, *, logarithmic: bool = False) -> None:
        super().__init__(parent)
        self._logarithmic = logarithmic
        self.setObjectName("class_bars")
        self._rows: tuple[tuple[str, str, int], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def rows(self) -> tuple[tuple[str, str, int], ...]:
        """Return what is drawn: (name, colour, pixels) of each class."""
        return self._rows

    def show_counts(self, rows: tuple[tuple[str, str, int], ...]) -> None:
        """Draw these rows: (name, "#rrggbb", pixels)."""
        if rows != self._rows:
            self._rows = rows
            self.setToolTip("\n".join(f"{name}: {grouped(n)} px" for name, _, n in rows))
            self.updateGeometry()
            self.update()

    def sizeHint(self) -> QSize:
        """Return room for all rows."""
        return QSize(200, _ROW * max(1, len(self._rows)))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = self.fontMetrics()
        widest = max((metrics.horizontalAdvance(name) for name, _, _ in self._rows), default=0)
        names = min(widest + 2, self.width() // 3)
        figures = metrics.horizontalAdvance("0 000 000")
        most = max((n for _, _, n in self._rows), default=0) or 1
        room = max(10, self.width() - names - figures - 16)
        text, muted = self.palette().windowText().color(), self.palette().placeholderText().color()
        left = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        right = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        for row, (name, color, pixels) in enumerate(self._rows):
            top = row * _ROW
            painter.setPen(text)
            elided = metrics.elidedText(name, Qt.TextElideMode.ElideRight, names)
            painter.drawText(QRectF(0, top, names, _ROW), left, elided)
            painter.setPen(muted)
            painter.drawText(QRectF(0, top, self.width(), _ROW), right, grouped(pixels))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(color))
            share = math.log1p(pixels) / math.log1p(most) if self._logarithmic else pixels / most
            length = max(3.0, room * share) if pixels else 0.0
            box = QRectF(names + 8, top + (_ROW - _BAR) / 2, length, _BAR)
            painter.drawRoundedRect(box, 2, 2)
