"""A small line plot for the curves of a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PySide6.QtGui import QPaintEvent

    from geocnn_gui.events import EpochDone

Points = tuple[tuple[float, float], ...]
#: A name, "#rrggbb", points (epoch, value).
Curve = tuple[str, str, Points]
#: "#rrggbb", the ends of an interval at each epoch: (epoch, low, high).
Band = tuple[str, tuple[tuple[float, float, float], ...]]
#: How strongly a band is drawn: folds lie over each other.
_BAND_ALPHA = 34


class CurvePlot(QWidget):
    """Curves over the epochs, each with a name, a palette role and a line style.

    With `shares` both axes go from 0 to 1, and no curve has an end that matters.
    """

    def __init__(self, title: str, parent: QWidget | None = None, *, shares: bool = False) -> None:
        super().__init__(parent)
        self._shares = shares
        self._title = title
        self._curves: tuple[Curve, ...] = ()
        self._bands: tuple[Band, ...] = ()
        self._empty = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(title)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """Return what is drawn: (name, colour, points) of each curve."""
        return self._curves

    @property
    def bands(self) -> tuple[Band, ...]:
        """Return the intervals that are drawn behind the curves."""
        return self._bands

    def show_curves(
        self, curves: tuple[Curve, ...], *, empty: str = "", bands: tuple[Band, ...] = (),
        title: str = "",
    ) -> None:  # fmt: skip
        """Draw curves (name, "#rrggbb", ((epoch, value), ...)); `empty` is said where none has any.

        A `title` takes the place of that before. `bands` are drawn behind them: ("#rrggbb", ((epoch, low, high), ...)).
        """
        self._curves, self._empty = tuple(c for c in curves if c[2]), empty
        self._bands = tuple(b for b in bands if b[1])
        self._title = title or self._title
        self.setAccessibleName(self._title)
        self.update()

    def sizeHint(self) -> QSize:
        """Return a comfortable size."""
        return QSize(280, 130)

    def minimumSizeHint(self) -> QSize:
        """Return the least that can be read."""
        return QSize(120, 80)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw title, axes and curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics, line = self.fontMetrics(), self.fontMetrics().height()
        text, muted = self.palette().windowText().color(), self.palette().placeholderText().color()
        painter.setPen(muted)
        if not self._curves:
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._empty)
            return
        painter.drawText(QPointF(0, metrics.ascent()), self._title)
        self._draw_names(painter)
        xs = _range([p[0] for c in self._curves for p in c[2]])
        ys = self._values()
        if self._shares:
            xs = ys = (0.0, 1.0)
        ticks = _ticks(*ys, 4)
        ys = (min(ys[0], ticks[0]), max(ys[1], ticks[-1]))
        texts = [f"{t:.10g}" for t in ticks]
        margin = max(metrics.horizontalAdvance(t) for t in texts) + 8
        area = QRectF(margin, line + 8, self.width() - margin - 14, self.height() - 2 * line - 14)
        self._draw_axes(painter, area, (xs, ys), ticks)
        self._draw_bands(painter, area, (xs, ys))
        painter.setPen(text)
        for _, colour, points in self._curves:
            placed = [_place(area, xs, ys, p) for p in points]
            painter.setPen(QPen(QColor(colour), 2))
            painter.drawPolyline(QPolygonF(placed))
            if not self._shares or len(placed) == 1:
                painter.setBrush(QColor(colour))
                painter.drawEllipse(placed[-1], 3, 3)

    def _values(self) -> tuple[float, float]:
        values = [p[1] for c in self._curves for p in c[2]]
        values += [end[2] for _, ends in self._bands for end in ends]
        return _range([0.0, *values])  # from zero, so that a flat curve looks flat

    def _said(self, tick: float) -> str:
        """Write a number of the lower axis."""
        return f"{tick:g}"

    def _draw_bands(
        self, painter: QPainter, area: QRectF,
        ranges: tuple[tuple[float, float], tuple[float, float]],
    ) -> None:  # fmt: skip
        """Tint what lies within the intervals; that of a single epoch is an upright line."""
        for colour, ends in self._bands:
            tint = QColor(colour)
            tint.setAlpha(_BAND_ALPHA)
            lower = [_place(area, *ranges, (epoch, low)) for epoch, low, _ in ends]
            upper = [_place(area, *ranges, (epoch, high)) for epoch, _, high in ends]
            painter.setPen(QPen(tint, 3) if len(ends) == 1 else Qt.PenStyle.NoPen)
            painter.setBrush(tint)
            painter.drawPolygon(QPolygonF([*lower, *reversed(upper)]))

    def _draw_names(self, painter: QPainter) -> None:
        """Write the curves' names at the right, in their colours."""
        metrics, right = self.fontMetrics(), float(self.width()) - 4
        for name, colour, _ in reversed([curve for curve in self._curves if curve[0]]):
            right -= metrics.horizontalAdvance(name)
            painter.setPen(QColor(colour))
            painter.drawText(QPointF(right, metrics.ascent()), name)
            right -= 12

    def _draw_axes(
        self,
        painter: QPainter,
        area: QRectF,
        ranges: tuple[tuple[float, float], tuple[float, float]],
        ticks: list[float],
    ) -> None:
        xs, ys = ranges
        muted = self.palette().placeholderText().color()
        grid = QColor(muted)
        grid.setAlphaF(0.25)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for tick in ticks:
            y = _place(area, xs, ys, (xs[0], tick)).y()
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(muted)
            painter.drawText(QRectF(0, y - 8, area.left() - 6, 16), right, f"{tick:.10g}")
        for tick in _ticks(*xs, max(2, int(area.width() / 60))):
            if (self._shares or tick == int(tick)) and xs[0] <= tick <= xs[1]:
                x = _place(area, xs, ys, (tick, ys[0])).x()
                box = QRectF(x - 30, area.bottom() + 3, 60, 16)
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self._said(tick))


def score_title(epochs: Iterable[EpochDone]) -> str:
    """Name what `events.score_of` gives of these epochs."""
    kinds = {"R²" if e.holdout_rmse is not None else "Mean IoU" for e in epochs}
    return f"{' or '.join(sorted(kinds)) or 'Mean IoU'}, held out"


def band_of(epochs: Iterable[EpochDone]) -> tuple[tuple[float, float, float], ...]:
    """Return the intervals of the held-out scores of epochs, of those that have one."""
    return tuple((e.epoch, *e.holdout_interval) for e in epochs if e.holdout_interval is not None)


def _range(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """Return round numbers that span `low` to `high`, about `count` of them."""
    rough = (high - low) / max(1, count - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def _place(
    area: QRectF, xs: tuple[float, float], ys: tuple[float, float], point: tuple[float, float]
) -> QPointF:
    x = area.left() + (point[0] - xs[0]) / (xs[1] - xs[0]) * area.width()
    y = area.bottom() - (point[1] - ys[0]) / (ys[1] - ys[0]) * area.height()
    return QPointF(x, y)
