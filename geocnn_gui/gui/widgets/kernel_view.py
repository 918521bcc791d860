"""A kernel at one spot, drawn as a calculation; and a trace under its banded matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from geocnn_gui.data.colour_maps import colour_table
from geocnn_gui.gui.theme import colours

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

_CAPTION = 18
_SIGN = 16


class KernelView(QWidget):
    """Window x kernel = products, or matrix x trace = response: arrays side by side.

    Cells are coloured around 0, each array by its own largest size, and hold their numbers
    where there is room.
    """

    def __init__(self, *, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._parts: tuple[tuple[str, np.ndarray], ...] = ()
        self._signs: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(90)

    @property
    def parts(self) -> tuple[tuple[str, np.ndarray], ...]:
        """Return what is drawn: captions and arrays (rows, columns)."""
        return self._parts

    def show_parts(self, parts: tuple[tuple[str, np.ndarray], ...], signs: tuple[str, ...]) -> None:
        """Draw arrays with their captions, and a sign between each two."""
        self._parts, self._signs = parts, signs
        told = [f"{name}\n{np.array2string(v, precision=3)}" for name, v in parts if v.size <= 64]
        self.setToolTip("\n\n".join(told))
        self.update()

    def sizeHint(self) -> QSize:
        """Return a moderate size."""
        return QSize(280, 130)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the arrays as large as they fit, with cells of one size."""
        if not self._parts:
            return
        painter = QPainter(self)
        columns = sum(values.shape[1] for _, values in self._parts)
        rows = max(values.shape[0] for _, values in self._parts)
        room = self.width() - _SIGN * (len(self._parts) - 1)
        side = max(2.0, min(room / columns, (self.height() - _CAPTION) / rows, 34.0))
        used = columns * side + _SIGN * (len(self._parts) - 1)
        left = (self.width() - used) / 2
        for number, (name, values) in enumerate(self._parts):
            top = _CAPTION + (rows - values.shape[0]) * side / 2
            self._paint_array(painter, left, top, side, values)
            width = values.shape[1] * side
            self._paint_text(painter, QRectF(left - 40, top - _CAPTION, width + 80, _CAPTION), name)
            left += width
            if number < len(self._signs):
                middle = QRectF(left, _CAPTION, _SIGN, rows * side)
                self._paint_text(painter, middle, self._signs[number])
                left += _SIGN

    def _paint_array(
        self, painter: QPainter, left: float, top: float, side: float, values: np.ndarray
    ) -> None:
        table = colour_table("red-white-blue")[::-1]
        largest = float(np.abs(values).max()) or 1.0
        font = QFont(self.font())
        font.setPixelSize(max(7, int(side / 2.6)))
        painter.setFont(font)
        for row, column in np.ndindex(values.shape):
            value = float(values[row, column])
            box = QRectF(left + column * side, top + row * side, side, side)
            red, green, blue = table[round((value / largest + 1) / 2 * 255)].tolist()
            painter.fillRect(box.adjusted(0.5, 0.5, -0.5, -0.5), QColor(red, green, blue))
            if side >= 18:
                dark = red + green + blue < 330
                painter.setPen(QColor("white" if dark else "#1c2128"))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, short(value))
        painter.setFont(self.font())

    def _paint_text(self, painter: QPainter, box: QRectF, text: str) -> None:
        painter.setPen(QColor(colours().muted) if len(text) > 1 else
                       self.palette().color(QPalette.ColorRole.WindowText))  # fmt: skip
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def short(value: float) -> str:
    """Write a number in four characters or so: "-.12", "1.5", "12"."""
    digits = 2 if abs(value) < 1 else 1 if abs(value) < 10 else 0
    text = f"{value:.{digits}f}"
    text = "0" if float(text) == 0 else text.replace("0.", ".", 1) if abs(value) < 1 else text
    return text.replace("-", "\u2212")
