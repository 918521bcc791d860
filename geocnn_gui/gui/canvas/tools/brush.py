"""Tools that paint along the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter

from geocnn_gui.gui.canvas.tools.base import Host, Point, Tool, outline_pens, paint_shape
from geocnn_gui.labels.tools import Shape, brush_stroke, pieces_of_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class BrushTool(Tool):
    """Paint the current class, or erase, along the mouse; every drag is one edit.

    A brush that paints something else overrides `value` or `put`.
    """

    def __init__(self, host: Host, *, erases: bool = False) -> None:
        super().__init__(host)
        self._erases = erases
        self._last: Point | None = None
        self._at: QPointF | None = None

    @property
    def value(self) -> int:
        """Return the class id that is painted."""
        return 0 if self._erases else self.host.session.current_class

    @property
    def _square(self) -> bool:
        return self.host.session.tool_settings.brush_shape == "square"

    def press(self, at: QPointF) -> None:
        """Begin a stroke with a dab."""
        if not self.host.session.may_paint():
            return
        self.host.session.begin_stroke()
        self._last = self.host.viewport.point_at(at)
        self._sweep(self._last)

    def drag(self, at: QPointF) -> None:
        """Sweep from the last point to this one."""
        if self._last is not None:
            self._sweep(self.host.viewport.point_at(at))

    def release(self, at: QPointF) -> None:
        """End the stroke."""
        self.finish()

    def hover(self, at: QPointF | None) -> None:
        """Move the outline of the brush."""
        self._at = at

    def cancel(self) -> None:
        """Take back the stroke in hand."""
        if self._last is not None:
            self._last = None
            self.host.session.abort_stroke()

    def finish(self) -> None:
        """Keep the stroke in hand."""
        if self._last is not None:
            self._last = None
            self.host.session.end_stroke()

    def paint(self, painter: QPainter) -> None:
        """Draw the outline of the brush, dark on light on dark."""
        if self._at is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for pen in outline_pens():
            painter.setPen(pen)
            if self._square:
                painter.drawRect(self._outline(self._at))
            else:
                painter.drawEllipse(self._outline(self._at))

    def area(self) -> QRect:
        """Return the pixels of the outline."""
        if self._at is None:
            return QRect()
        return self._outline(self._at).toAlignedRect().adjusted(-3, -3, 3, 3)

    def _outline(self, at: QPointF) -> QRectF:
        view, size = self.host.viewport, self.host.session.brush_size
        width, height = size * view.x_scale, size * view.y_scale
        return QRectF(at.x() - width / 2, at.y() - height / 2, width, height)

    def _sweep(self, to: Point) -> None:
        radius, shape = self.host.session.brush_size / 2, self.host.picture_shape
        line = pieces_of_line(np.array([self._last, to]), radius)
        self.put([brush_stroke(one, radius, shape, square=self._square) for one in line])
        self._last = to

    def put(self, shapes: Sequence[Shape]) -> None:
        """Paint what one step of the mouse has swept: shapes along its way."""
        for shape in shapes:
            paint_shape(self.host, shape, self.value)
