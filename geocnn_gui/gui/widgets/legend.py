"""A small legend that lies over a picture: swatches with names, or a bar from 0 to 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QPaintEvent

_PAD, _SWATCH, _BAR = 8, 11, 110


class Legend(QWidget):
    """Lets the mouse through; as large as what it holds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._entries: tuple[tuple[str, str], ...] = ()
        self._bar: tuple[int, ...] = ()
        self._ends = ("0", "1")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName("Legend")

    @property
    def entries(self) -> tuple[tuple[str, str], ...]:
        """Return the (colour, name) pairs shown."""
        return self._entries

    def show_classes(self, title: str, entries: Sequence[tuple[str, str]]) -> None:
        """Show (colour, name) pairs."""
        self._title, self._entries, self._bar = title, tuple(entries), ()
        self._changed()

    @property
    def ends(self) -> tuple[str, str]:
        """Return what stands at both ends of the bar."""
        return self._ends

    def show_bar(
        self, title: str, colours: Sequence[int], ends: tuple[str, str] = ("0", "1")
    ) -> None:
        """Show packed colours as a bar, with the values at its ends."""
        self._title, self._entries, self._bar = title, (), tuple(colours)
        self._ends = ends
        self._changed()

    def sizeHint(self) -> QSize:
        """Be as large as the entries."""
        metrics, line = self.fontMetrics(), self._line()
        names = [metrics.horizontalAdvance(name) + _SWATCH + 8 for _, name in self._entries]
        width = max([metrics.horizontalAdvance(self._title), *names, _BAR if self._bar else 0])
        lines = 1 + (len(self._entries) or 2)
        return QSize(width + 2 * _PAD, lines * line + 2 * _PAD - 4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the box and its entries."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        back = QColor(self.palette().color(QPalette.ColorRole.Base))
        back.setAlphaF(0.88)
        painter.setBrush(back)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        text = self.palette().color(QPalette.ColorRole.Text)
        quiet = QColor(text)
        quiet.setAlphaF(0.7)
        painter.setPen(quiet)
        self._text(painter, 0, _PAD, self._title)
        painter.setPen(text)
        if self._bar:
            self._draw_bar(painter)
        for number, (color, name) in enumerate(self._entries, start=1):
            self._draw_entry(painter, number, color, name)

    def _draw_entry(self, painter: QPainter, number: int, color: str, name: str) -> None:
        top = _PAD - 2 + number * self._line() + (self._line() - _SWATCH) / 2
        painter.fillRect(QRectF(_PAD, top, _SWATCH, _SWATCH), QColor(color))
        self._text(painter, number, _PAD + _SWATCH + 8, name)

    def _draw_bar(self, painter: QPainter) -> None:
        row = np.array(self._bar, np.uint32)
        image = QImage(row.data, len(row), 1, 4 * len(row), QImage.Format.Format_RGB32)
        box = QRectF(_PAD, _PAD + self._line(), _BAR, _SWATCH)
        painter.drawImage(box, image, QRectF(image.rect()))
        self._text(painter, 2, _PAD, self._ends[0])
        width = self.fontMetrics().horizontalAdvance(self._ends[1])
        self._text(painter, 2, _PAD + _BAR - width, self._ends[1])

    def _text(self, painter: QPainter, line: int, left: float, text: str) -> None:
        box = QRectF(left, _PAD - 2 + line * self._line(), self.width(), self._line())
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, text)

    def _line(self) -> int:
        return self.fontMetrics().height() + 3

    def _changed(self) -> None:
        self.resize(self.sizeHint())
        self.update()
