"""The axes of the picture: ticks in the source's own coordinates, drawn with the palette."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPalette, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from geocnn_gui.gui.canvas.readout import MINUS, THIN_SPACE

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent, QWheelEvent

    from geocnn_gui.data.source import Axis

_TICK = 5
_GAP = 4
_MARKER = 4.0


def nice_step(span: float, room: float, *, whole: bool = False) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is at least `span / room`.

    `room` is how many labels there is room for; `whole` asks for whole numbers.
    """
    least = span / max(room, 1)
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))
    return max(step, 1.0) if whole else step


def tick_values(low: float, high: float, step: float) -> list[float]:
    """Return the multiples of `step` from `low` to `high` (either order), ascending."""
    low, high = min(low, high), max(low, high)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def tick_text(value: float, step: float, *, grouped: bool = True) -> str:
    """Write a tick with the decimals its step needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value + 0.0:,.{digits}f}".replace("-", MINUS)
    return text.replace(",", THIN_SPACE if grouped and abs(value) >= 10_000 else "")


class AxisBar(QWidget):
    """One axis along the canvas: title, numbers, ticks, and a mark where the cursor is.

    Signals
    -------
    zoom_requested: factor and place (pixels along the bar), from the wheel over this axis alone.
    """

    zoom_requested = Signal(float, float)

    def __init__(self, orientation: Qt.Orientation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._horizontal = orientation == Qt.Orientation.Horizontal
        self._axis: Axis | None = None
        self._start, self._scale = 0.0, 1.0
        self._cursor: float | None = None
        fixed, free = QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding
        across = (free, fixed) if self._horizontal else (fixed, free)
        self.setSizePolicy(*across)
        self.setAccessibleName("Horizontal axis" if self._horizontal else "Vertical axis")

    def set_axis(self, axis: Axis | None) -> None:
        """Show another axis, or none."""
        if axis != self._axis:
            self._axis = axis
            self.updateGeometry()
            self.update()

    def set_view(self, start: float, scale: float) -> None:
        """Show cell positions from `start` on, `scale` pixels each."""
        if (start, scale) != (self._start, self._scale):
            self._start, self._scale = start, scale
            self.update()

    def set_cursor(self, position: float | None) -> None:
        """Mark a cell position, or none."""
        if position != self._cursor:
            self._cursor = position
            self.update()

    def ticks(self) -> list[tuple[float, str]]:
        """Return (pixel, text) of the numbers shown."""
        axis = self._axis
        if axis is None:
            return []
        length = self.width() if self._horizontal else self.height()
        low, high = (axis.at(self._start + p / self._scale - 0.5) for p in (0, length))
        low, high = _clipped(low, high, axis)
        step = nice_step(abs(high - low), self._room(axis, length), whole=_counted(axis))
        grouped = bool(axis.unit)
        return [
            (self._pixel(value, axis), tick_text(value, step, grouped=grouped))
            for value in tick_values(low, high, step)
        ]

    def sizeHint(self) -> QSize:
        """Leave room for title, numbers and ticks."""
        line = self.fontMetrics().height()
        if self._horizontal:
            return QSize(100, 2 * line + _TICK + 2 * _GAP)
        return QSize(line + self._number_width() + _TICK + 3 * _GAP, 100)

    def minimumSizeHint(self) -> QSize:
        """Be as thick as the hint; length is free."""
        hint = self.sizeHint()
        return QSize(1, hint.height()) if self._horizontal else QSize(hint.width(), 1)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Stretch this axis alone."""
        place = event.position().x() if self._horizontal else event.position().y()
        self.zoom_requested.emit(1.0015 ** event.angleDelta().y(), place)
        event.accept()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the axis."""
        if self._axis is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        quiet = self._quiet_colour()
        for pixel, text in self.ticks():
            painter.setPen(quiet)
            self._draw_tick(painter, round(pixel) + 0.5)
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            self._draw_number(painter, pixel, text)
        self._draw_title(painter, self._axis.title)
        if self._cursor is not None:
            self._draw_marker(painter, (self._cursor - self._start) * self._scale)

    def _quiet_colour(self) -> QColor:
        colour = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        colour.setAlphaF(0.55)
        return colour

    def _pixel(self, value: float, axis: Axis) -> float:
        return ((value - axis.first) / axis.step + 0.5 - self._start) * self._scale

    def _number_width(self) -> int:
        axis = self._axis
        if axis is None:
            return self.fontMetrics().horizontalAdvance("0000")
        ends = (axis.first, axis.at(axis.size - 1))
        step = nice_step(abs(ends[1] - ends[0]) or 1.0, 40, whole=_counted(axis))
        texts = [tick_text(end, step, grouped=bool(axis.unit)) for end in ends]
        return max(self.fontMetrics().horizontalAdvance(text) for text in [*texts, "0000"])

    def _room(self, axis: Axis, length: int) -> float:
        """Return how many numbers fit without crowding."""
        cells = axis.size * self._scale
        length = min(length, math.ceil(cells)) or 1
        if self._horizontal:
            return length / max(64, self._number_width() * 1.6)
        return length / (self.fontMetrics().height() * 3)

    def _draw_tick(self, painter: QPainter, at: float) -> None:
        if self._horizontal:
            painter.drawLine(QPointF(at, self.height() - _TICK), QPointF(at, self.height()))
        else:
            painter.drawLine(QPointF(self.width() - _TICK, at), QPointF(self.width(), at))

    def _draw_number(self, painter: QPainter, at: float, text: str) -> None:
        line = self.fontMetrics().height()
        if self._horizontal:
            top = self.height() - _TICK - _GAP / 2 - line
            half = self.fontMetrics().horizontalAdvance(text) / 2
            left = min(max(at - half, 0), self.width() - 2 * half)
            box = QRectF(left - 1, top, 2 * half + 2, line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        else:
            top = min(max(at - line / 2, 0), self.height() - line)
            box = QRectF(0, top, self.width() - _TICK - _GAP, line)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(box, right, text)

    def _draw_title(self, painter: QPainter, title: str) -> None:
        line = self.fontMetrics().height()
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        if self._horizontal:
            box = QRectF(0, 0, self.width(), line)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, title)
            return
        painter.save()
        painter.translate(0, self.height())
        painter.rotate(-90)
        painter.drawText(QRectF(0, 0, self.height(), line), Qt.AlignmentFlag.AlignCenter, title)
        painter.restore()

    def _draw_marker(self, painter: QPainter, at: float) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Highlight))
        if self._horizontal:
            edge = float(self.height())
            points = [(at, edge), (at - _MARKER, edge - 6), (at + _MARKER, edge - 6)]
        else:
            edge = float(self.width())
            points = [(edge, at), (edge - 6, at - _MARKER), (edge - 6, at + _MARKER)]
        painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in points]))


def _counted(axis: Axis) -> bool:
    """Say whether cells carry plain numbers, so that ticks fall on whole ones."""
    return axis.unit == "" and axis.step == int(axis.step)


def _clipped(low: float, high: float, axis: Axis) -> tuple[float, float]:
    ends = sorted((axis.at(-0.5), axis.at(axis.size - 0.5)))
    low, high = (min(max(value, ends[0]), ends[1]) for value in (low, high))
    return low, high
