"""Tools that fill what is enclosed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from geocnn_gui.gui.canvas.tools.base import Host, Point, Tool, outline_pens, paint_shape
from geocnn_gui.labels.tools import polygon

if TYPE_CHECKING:
    from collections.abc import Iterator


class PolygonTool(Tool):
    """Fill a polygon with the current class: click its corners, close with Enter or two clicks."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._corners: list[Point] = []
        self._at: QPointF | None = None

    @property
    def corners(self) -> tuple[Point, ...]:
        """Return the corners set so far, (row, column)."""
        return tuple(self._corners)

    def press(self, at: QPointF) -> None:
        """Set a corner."""
        if self.host.session.labels is not None:
            self._corners.append(self.host.viewport.point_at(at))
            self.host.update_overlay()

    def hover(self, at: QPointF | None) -> None:
        """Let the open side follow the cursor."""
        self._at = at

    def double_click(self, at: QPointF) -> None:
        """Close the polygon; its last corner was set by the first click."""
        self.accept()

    def accept(self) -> None:
        """Fill the polygon."""
        corners, self._corners = self._corners, []
        self.host.update_overlay()
        if len(corners) < 3:
            return
        session = self.host.session
        session.begin_stroke()
        shape = polygon(np.array(corners), self.host.picture_shape)
        paint_shape(self.host, shape, session.current_class)
        session.end_stroke()

    def step_back(self) -> None:
        """Drop the last corner."""
        if self._corners:
            self._corners.pop()
            self.host.update_overlay()

    def cancel(self) -> None:
        """Drop the polygon."""
        self._corners = []
        self.host.update_overlay()

    def finish(self) -> None:
        """Drop the polygon: it belongs to the section it was begun on."""
        self.cancel()

    def paint(self, painter: QPainter) -> None:
        """Draw the sides and corners."""
        points = list(self._pixels())
        if not points:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        path = [*points, self._at] if self._at is not None else points
        for pen in outline_pens():
            painter.setPen(pen)
            painter.drawPolyline(QPolygonF(path))
        painter.setPen(QPen(QColor(0, 0, 0, 200), 1))
        painter.setBrush(QColor("white"))
        for point in points:
            painter.drawEllipse(point, 3.0, 3.0)

    def area(self) -> QRect:
        """Return the pixels of the sides and corners."""
        points = list(self._pixels())
        if not points:
            return QRect()
        path = [*points, self._at] if self._at is not None else points
        return QPolygonF(path).boundingRect().toAlignedRect().adjusted(-5, -5, 5, 5)

    def _pixels(self) -> Iterator[QPointF]:
        return (self.host.viewport.pixel_of(*corner) for corner in self._corners)
