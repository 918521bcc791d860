"""Tools that are clicked from point to point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF, QTransform

from geocnn_gui.gui.canvas.tools.base import (
    Host,
    Point,
    Tool,
    class_colour,
    outline_pens,
    paint_once,
)
from geocnn_gui.labels.tools import blocks, box, brush_stroke, pieces_of_line, polygon

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class VertexTool(Tool):
    """Click points one after the other; Enter or a double click ends, Backspace takes one back."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._corners: list[Point] = []
        self._at: QPointF | None = None

    @property
    def corners(self) -> tuple[Point, ...]:
        """Return the points set so far, (row, column)."""
        return tuple(self._corners)

    def press(self, at: QPointF) -> None:
        """Set a point."""
        if self._corners or self.host.session.may_paint():
            self._corners.append(self.host.viewport.point_at(at))
            self.host.update_overlay()

    def hover(self, at: QPointF | None) -> None:
        """Let the open side follow the cursor."""
        self._at = at

    def double_click(self, at: QPointF) -> None:
        """End the shape; its last point was set by the first click."""
        self.accept()

    def accept(self) -> None:
        """End the shape, where it has points enough."""
        corners, self._corners = self._corners, []
        self.host.update_overlay()
        self.draw(np.array(corners, float).reshape(-1, 2))

    def draw(self, points: np.ndarray) -> None:
        """Paint a shape of points (n, 2) that was ended; n may be anything."""

    def step_back(self) -> None:
        """Drop the last point."""
        if self._corners:
            self._corners.pop()
            self.host.update_overlay()

    def cancel(self) -> None:
        """Drop the shape."""
        self._corners = []
        self.host.update_overlay()

    def finish(self) -> None:
        """Drop the shape: it belongs to the section it was begun on."""
        self.cancel()

    def paint(self, painter: QPainter) -> None:
        """Draw the sides and points."""
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
        """Return the pixels of the sides and points."""
        points = list(self._pixels())
        if not points:
            return QRect()
        path = [*points, self._at] if self._at is not None else points
        return QPolygonF(path).boundingRect().toAlignedRect().adjusted(-5, -5, 5, 5)

    def _pixels(self) -> Iterator[QPointF]:
        return (self.host.viewport.pixel_of(*corner) for corner in self._corners)


class PolygonTool(VertexTool):
    """Fill a polygon with the current class: click its corners, close with Enter or two clicks."""

    def draw(self, points: np.ndarray) -> None:
        """Fill the polygon."""
        session, shape = self.host.session, self.host.picture_shape
        if len(points) >= 3:
            whole = box(points, 0.0, shape)
            shapes = (polygon(points, shape, within=block) for block in blocks(*whole))
            session.paint_shapes(session.section, shapes, session.current_class, box=whole)


class LineTool(VertexTool):
    """Paint a line as wide as the brush: click its points, end with Enter or two clicks."""

    @property
    def hint(self) -> str:
        """Say what to do."""
        return "Click along the line; Enter or a double click ends it, Backspace drops a point."

    def draw(self, points: np.ndarray) -> None:
        """Paint the line."""
        session = self.host.session
        square = session.tool_settings.brush_shape == "square"
        radius, shape = session.brush_size / 2, self.host.picture_shape
        if len(points) >= 2:
            lines = pieces_of_line(points, radius)
            paint_once(
                self.host, (brush_stroke(one, radius, shape, square=square) for one in lines)
            )

    def paint(self, painter: QPainter) -> None:
        """Draw the line as wide as it will be, its middle and its points."""
        points = self._path()
        if len(points) > 1:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            view = self.host.viewport
            # Cells may be wider than high, so the pen is drawn in cells and stretched with them.
            painter.setTransform(QTransform.fromScale(view.x_scale, view.y_scale), combine=True)
            painter.strokePath(_path_of(points), self._pen())
            painter.restore()
        super().paint(painter)

    def area(self) -> QRect:
        """Return the pixels of the line at its width."""
        view, size = self.host.viewport, self.host.session.brush_size
        dx, dy = int(size * view.x_scale) + 1, int(size * view.y_scale) + 1
        return super().area().adjusted(-dx, -dy, dx, dy) if self._corners else QRect()

    def _path(self) -> list[QPointF]:
        """Return the points in pixels over the scale, which is cells from the widget's corner."""
        view = self.host.viewport
        at = [self._at] if self._at is not None and self._corners else []
        return [QPointF(p.x() / view.x_scale, p.y() / view.y_scale) for p in (*self._pixels(), *at)]

    def _pen(self) -> QPen:
        session = self.host.session
        colour = QColor(class_colour(session))
        colour.setAlphaF(0.5)
        pen = QPen(colour, session.brush_size)
        square = session.tool_settings.brush_shape == "square"
        pen.setCapStyle(Qt.PenCapStyle.SquareCap if square else Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin if square else Qt.PenJoinStyle.RoundJoin)
        return pen


def _path_of(points: Sequence[QPointF]) -> QPainterPath:
    path = QPainterPath(points[0])
    for point in points[1:]:
        path.lineTo(point)
    return path
