"""A colour bar with the histogram of what is shown and two handles for the limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QPainter, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PySide6.QtGui import QMouseEvent, QPaintEvent

Histogram = tuple[np.ndarray, np.ndarray]
_EDGE, _STRIP, _GAP, _GRAB = 10, 12, 4, 7


class HistogramBar(QWidget):
    """Values run upwards: numbers, colours, histogram, and a handle at each limit.

    Dragging a handle moves its limit; where `symmetric`, the other mirrors it unless Shift is
    held. Dragging between them moves both. A double click asks for the usual limits.

    Signals
    -------
    limits_changed: low and high, while a handle is dragged. reset_requested.
    """

    limits_changed = Signal(float, float)
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histograms: tuple[Histogram, ...] = ()
        self._inks: tuple[str, ...] = ()
        self._colours: Sequence[int] = ()
        self._limits = (0.0, 1.0)
        self._range = (0.0, 1.0)
        self._symmetric = False
        self._width = 0
        self._drag: tuple[str, float, tuple[float, float]] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setMouseTracking(True)
        self.setAccessibleName("Colour bar")
        self.setToolTip("Drag a handle to change the limits; double click for the usual ones.")

    @property
    def limits(self) -> tuple[float, float]:
        """Return (low, high)."""
        return self._limits

    def reset(self) -> None:
        """Forget what was shown, for another source."""
        self._histograms, self._width = (), 0
        self.updateGeometry()
        self.update()

    def set_histograms(self, histograms: Sequence[Histogram], inks: Sequence[str] = ()) -> None:
        """Show (counts, edges) of the bands; `inks` are their colours, else one quiet one."""
        self._histograms, self._inks = tuple(histograms), tuple(inks)
        self._update_range()

    def set_colours(self, colours: Sequence[int]) -> None:
        """Show 256 packed colours from low to high; an empty sequence shows no strip."""
        self._colours = tuple(colours)
        self.update()

    def set_limits(self, low: float, high: float, *, symmetric: bool = False) -> None:
        """Put the handles at `low` and `high`; `symmetric` says that they mirror each other."""
        self._limits, self._symmetric = (low, high), symmetric
        if self._drag is None:
            self._update_range()
        self.update()

    def y_of(self, value: float) -> float:
        """Return where a value stands."""
        low, high = self._range
        return self.height() - _EDGE - (value - low) / (high - low) * (self.height() - 2 * _EDGE)

    def value_at(self, y: float) -> float:
        """Return the value at a place."""
        low, high = self._range
        return low + (self.height() - _EDGE - y) / (self.height() - 2 * _EDGE) * (high - low)

    def sizeHint(self) -> QSize:
        """Leave room for numbers, strip and histogram."""
        return QSize(self._strip_left() + _STRIP + _GAP + 44, 200)

    def minimumSizeHint(self) -> QSize:
        """Be as wide as the hint."""
        return QSize(self.sizeHint().width(), 80)

    # -- mouse ---------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the handle, or both."""
        if event.button() == Qt.MouseButton.LeftButton:
            y = event.position().y()
            self._drag = (self._grip_at(y), self.value_at(y), self._limits)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move what is held."""
        y = event.position().y()
        if self._drag is None:
            over = self._grip_at(y) != "both"
            shape = Qt.CursorShape.SizeVerCursor if over else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            return
        alone = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        low, high = self._dragged(self.value_at(y), mirrored=self._symmetric and not alone)
        if high - low > 1e-3 * (self._range[1] - self._range[0]):
            self._limits = (low, high)
            self.update()
            self.limits_changed.emit(low, high)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        """Let go."""
        if self._drag is not None:
            self._drag = None
            self._update_range()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Ask for the usual limits."""
        self._drag = None
        self.reset_requested.emit()

    def _grip_at(self, y: float) -> str:
        low, high = (abs(self.y_of(limit) - y) for limit in self._limits)
        if min(low, high) > _GRAB:
            return "both"
        return "low" if low < high else "high"

    def _dragged(self, value: float, *, mirrored: bool) -> tuple[float, float]:
        if self._drag is None:
            return self._limits
        grip, start, (low, high) = self._drag
        change = value - start
        if grip == "both":
            return (low, high) if mirrored else (low + change, high + change)
        if grip == "low":
            return (low + change, -(low + change)) if mirrored else (low + change, high)
        return (-(high + change), high + change) if mirrored else (low, high + change)

    # -- drawing -------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the bar."""
        painter = QPainter(self)
        left = self._strip_left()
        self._draw_numbers(painter, left)
        if self._colours:
            self._draw_strip(painter, left)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = QRectF(left + _STRIP + _GAP, 0, self.width() - left - _STRIP - _GAP, self.height())
        self._draw_histograms(painter, plot)
        for limit in self._limits:
            self._draw_handle(painter, left - 2, self.y_of(limit))

    def _strip_left(self) -> int:
        """Return where the strip begins; it only moves right, so that the picture rests."""
        texts = ["\u22120000", *(text for _, text in self._ticks())]
        widest = max(self.fontMetrics().horizontalAdvance(text) for text in texts)
        self._width = max(self._width, widest + 10)
        return self._width

    def _ticks(self) -> list[tuple[float, str]]:
        low, high = self._range
        room = max(self.height() / (self.fontMetrics().height() * 3), 2)
        power = 10.0 ** math.floor(math.log10((high - low) / room))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= (high - low) / room)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        values = np.arange(math.ceil(low / step), math.floor(high / step) + 1) * step
        texts = (f"{value + 0.0:.{digits}f}" for value in values)
        return [(float(v), t.replace("-", "\u2212")) for v, t in zip(values, texts, strict=True)]

    def _draw_numbers(self, painter: QPainter, left: int) -> None:
        line = self.fontMetrics().height()
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for value, text in self._ticks():
            box = QRectF(0, self.y_of(value) - line / 2, left - 8, line)
            painter.drawText(box, right, text)

    def _draw_strip(self, painter: QPainter, left: int) -> None:
        low, high = (self.y_of(limit) for limit in self._limits)
        column = np.array(self._colours[::-1], np.uint32)
        strip = QImage(column.data, 1, len(column), 4, QImage.Format.Format_RGB32)
        top, bottom = _EDGE, self.height() - _EDGE
        painter.fillRect(QRectF(left, top, _STRIP, high - top), QColor.fromRgb(int(column[0])))
        last = QColor.fromRgb(int(column[-1]))
        painter.fillRect(QRectF(left, low, _STRIP, bottom - low), last)
        painter.drawImage(QRectF(left, high, _STRIP, low - high), strip, QRectF(strip.rect()))
        painter.setPen(QPen(self._ink(0.35), 1))
        painter.drawRect(QRectF(left - 0.5, top - 0.5, _STRIP + 1, bottom - top + 1))

    def _draw_histograms(self, painter: QPainter, plot: QRectF) -> None:
        for number, (counts, edges) in enumerate(self._histograms):
            ink = QColor(self._inks[number]) if number < len(self._inks) else self._ink(0.45)
            fill = QColor(ink)
            fill.setAlphaF(0.28 * ink.alphaF() if self._inks else ink.alphaF())
            painter.setPen(QPen(ink, 1.2) if self._inks else Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawPolygon(self._outline(counts, edges, plot))

    def _outline(self, counts: np.ndarray, edges: np.ndarray, plot: QRectF) -> QPolygonF:
        """Draw square roots of the counts, so that rare values are seen beside common ones."""
        heights = np.sqrt(counts / max(counts.max(), 1)) * (plot.width() - 2)
        middles = (edges[:-1] + edges[1:]) / 2
        points = [
            QPointF(plot.left() + h, self.y_of(float(v)))
            for h, v in zip(heights, middles, strict=True)
        ]
        ends = [self.y_of(float(edges[-1])), self.y_of(float(edges[0]))]
        return QPolygonF([*points, *(QPointF(plot.left(), y) for y in ends)])

    def _draw_handle(self, painter: QPainter, left: float, y: float) -> None:
        accent = self.palette().color(QPalette.ColorRole.Highlight)
        painter.setPen(QPen(accent, 1.4))
        painter.drawLine(QPointF(left, y), QPointF(self.width() - 1, y))
        painter.setBrush(accent)
        grip = [QPointF(left, y), QPointF(left - 6, y - 5), QPointF(left - 6, y + 5)]
        painter.drawPolygon(QPolygonF(grip))

    def _ink(self, alpha: float) -> QColor:
        colour = QColor(self.palette().color(QPalette.ColorRole.WindowText))
        colour.setAlphaF(alpha)
        return colour

    def _update_range(self) -> None:
        """Span limits and histograms, with some air around the limits."""
        low, high = self._limits
        air = 0.15 * (high - low)
        lows = [low - air, *(float(edges[0]) for _, edges in self._histograms)]
        highs = [high + air, *(float(edges[-1]) for _, edges in self._histograms)]
        self._range = (min(lows), max(highs))
        self.updateGeometry()
        self.update()
